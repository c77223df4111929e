//! Where a stack is and with which secrets it is called: the environment, else what `tidegate up` wrote.

use std::env::var;
use std::fmt;

use anyhow::{Context, Result};

use super::ApiError;
use crate::stack::{Access, Project};

/// A stack and the secrets for it.
#[derive(Clone)]
pub(crate) struct Connection {
    /// Where the API is, stage included.
    pub(crate) url: String,
    operator_token: Option<String>,
    provisioning_key: Option<String>,
    webhook_secret: Option<String>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({}, secrets hidden)", self.url)
    }
}

impl Connection {
    /// `TIDEGATE_URL` and its companions where that is set, else `.tidegate/local.env` of this checkout.
    pub(crate) fn find() -> Result<Self> {
        let given = |name: &str| var(name).ok().filter(|value| !value.is_empty());
        if let Some(url) = given("TIDEGATE_URL") {
            return Ok(Self {
                url,
                operator_token: given("TIDEGATE_OPERATOR_TOKEN"),
                provisioning_key: given("TIDEGATE_PROVISIONING_KEY"),
                webhook_secret: given("TIDEGATE_WEBHOOK_SECRET"),
            });
        }
        let access = Access::load(&Project::find()?)
            .context("no stack to speak to; set TIDEGATE_URL and TIDEGATE_OPERATOR_TOKEN, or start one here")?;
        Ok(Self::from(&access))
    }

    /// The secrets of [`Self::for_tests`].
    #[cfg(test)]
    pub(crate) const SECRETS_FOR_TESTS: SecretsForTests =
        SecretsForTests { operator: "operator", provisioning: "provisioning", webhook: "webhook" };

    #[cfg(test)]
    pub(crate) fn for_tests(url: &str) -> Self {
        let secrets = Self::SECRETS_FOR_TESTS;
        Self {
            url: url.to_owned(),
            operator_token: Some(secrets.operator.to_owned()),
            provisioning_key: Some(secrets.provisioning.to_owned()),
            webhook_secret: Some(secrets.webhook.to_owned()),
        }
    }

    /// Whether the stack is on this machine.
    pub(super) fn is_local(&self) -> bool {
        let rest = self.url.split_once("://").map_or(&*self.url, |(_, rest)| rest);
        let host = rest.split('/').next().unwrap_or_default();
        ["127.0.0.1", "localhost", "[::1]"].iter().any(|local| host == *local || host.starts_with(&format!("{local}:")))
    }

    pub(super) fn operator_token(&self) -> Result<&str, ApiError> {
        self.operator_token.as_deref().ok_or(ApiError::NoSecret("TIDEGATE_OPERATOR_TOKEN"))
    }

    pub(super) fn provisioning_key(&self) -> Result<&str, ApiError> {
        self.provisioning_key.as_deref().ok_or(ApiError::NoSecret("TIDEGATE_PROVISIONING_KEY"))
    }

    /// The secret that a registry's webhook proves itself by.
    pub(crate) fn webhook_secret(&self) -> Result<&str, ApiError> {
        self.webhook_secret.as_deref().ok_or(ApiError::NoSecret("TIDEGATE_WEBHOOK_SECRET"))
    }
}

/// The secrets of a stack in a test.
#[cfg(test)]
pub(crate) struct SecretsForTests {
    pub(crate) operator: &'static str,
    pub(crate) provisioning: &'static str,
    pub(crate) webhook: &'static str,
}

impl From<&Access> for Connection {
    fn from(access: &Access) -> Self {
        Self {
            url: access.url.clone(),
            operator_token: Some(access.operator_token.clone()),
            provisioning_key: Some(access.provisioning_key.clone()),
            webhook_secret: Some(access.webhook_secret.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_is_on_this_machine() {
        for (label, url, local) in [
            ("the emulator", "http://127.0.0.1:4566/_aws/execute-api/x/local", true),
            ("by name", "http://localhost/x", true),
            ("version 6", "http://[::1]:80", true),
            ("AWS", "https://x.execute-api.eu-central-1.amazonaws.com/prod", false),
            ("a name that begins alike", "http://localhost.example.com/", false),
        ] {
            assert_eq!(Connection::for_tests(url).is_local(), local, "{label}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        assert!(!format!("{:?}", Connection::for_tests("http://h")).contains("operator"));
    }
}
