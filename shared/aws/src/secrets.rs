//! The stack's secrets: read from Secrets Manager when a function starts, and again every few minutes, so that a
//! rotation needs no deployment. A function's environment holds nothing but the secret's ARN.

mod access;
mod kept;
mod values;

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::Builder;
use aws_types::SdkConfig;
use jiff::{SignedDuration, Timestamp};

use crate::failure::words;

pub use self::access::{Access, ProvisioningKey, TokenHash};
use self::kept::Kept;
pub use self::values::{SecretValues, ValuesError};

/// One secret of Secrets Manager, with what it said last.
#[derive(Debug)]
pub struct Secrets {
    sdk: SdkConfig,
    endpoint_url: Option<String>,
    client: OnceLock<Client>,
    arn: String,
    kept: Mutex<Kept<SecretValues>>,
}

/// There are no secrets to go by. Never says what they are.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// Secrets Manager did not answer, or refused.
    #[error("the secret could not be read")]
    Unread(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It has a new value that cannot be used.
    #[error("the secret's value cannot be used")]
    Values(#[from] ValuesError),
    /// It failed a moment ago, and what it said before is too old.
    #[error("the secret could not be read for an hour")]
    TooOld,
}

impl Secrets {
    /// The secret with this ARN or name. What it says is kept for `fresh`; nothing is read yet.
    pub fn new(sdk: &SdkConfig, endpoint_url: Option<String>, arn: impl Into<String>, fresh: SignedDuration) -> Self {
        let kept = Mutex::new(Kept::new(fresh));
        Self { sdk: sdk.clone(), endpoint_url, client: OnceLock::new(), arn: arn.into(), kept }
    }

    /// What the secret says: read now, or kept from a moment ago. While it cannot be read, what it said last holds for
    /// an hour.
    pub async fn current(&self, now: Timestamp) -> Result<Arc<SecretValues>, SecretsError> {
        if !self.kept().due(now) {
            return self.kept().value(now).ok_or(SecretsError::TooOld);
        }
        match self.read().await {
            Ok(values) => Ok(self.kept().took(values, now)),
            Err(error) => {
                let mut kept = self.kept();
                kept.failed(now);
                let Some(value) = kept.value(now) else { return Err(error) };
                tracing::error!(error = words(&error), "secrets are kept for longer: they could not be read again");
                Ok(value)
            }
        }
    }

    /// What it said last, however long ago; none before it was read.
    pub fn last(&self) -> Option<Arc<SecretValues>> {
        self.kept().last()
    }

    async fn read(&self) -> Result<SecretValues, SecretsError> {
        let answer = self.client().get_secret_value().secret_id(&self.arn).send().await;
        let answer = answer.map_err(|error| SecretsError::Unread(Box::new(error)))?;
        Ok(SecretValues::parse(answer.secret_string().unwrap_or_default())?)
    }

    fn client(&self) -> &Client {
        self.client.get_or_init(|| {
            let mut config = Builder::from(&self.sdk);
            if let Some(url) = &self.endpoint_url {
                config = config.endpoint_url(url);
            }
            Client::from_conf(config.build())
        })
    }

    fn kept(&self) -> MutexGuard<'_, Kept<SecretValues>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
