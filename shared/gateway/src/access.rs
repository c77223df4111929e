//! From a function's configuration to what callers are recognised by.

use tidegate_aws::config;
use tidegate_domain::webhook::{Secrets, SecretsError};
use tidegate_http::auth::{Access, KeyTooShort, ProvisioningKey, SigningKey, TokenHash, TokenList};

/// The configuration cannot recognise callers; starting again with the same one cannot help.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// Every function that answers HTTP signs, or checks what was signed.
    #[error("SIGNING_KEY is not set")]
    NoSigningKey,
    /// The key could be guessed.
    #[error("SIGNING_KEY: {0}")]
    SigningKey(#[from] KeyTooShort),
    /// The webhook secrets cannot be used.
    #[error("WEBHOOK_SECRETS: {0}")]
    WebhookSecrets(#[from] SecretsError),
}

/// What callers are recognised by.
pub(crate) fn access(config: &config::Access) -> Result<Access, AccessError> {
    let signing = config.signing_key.as_ref().ok_or(AccessError::NoSigningKey)?;
    let secrets = &config.webhook_secrets;
    let webhooks = match secrets.as_slice() {
        [] => None,
        secrets => Some(Secrets::new(secrets.iter().map(config_secret))?),
    };
    let hash = |hash: &config::TokenHash| TokenHash::from_bytes(hash.0);
    let provisioning = config.provisioning_keys.iter().map(|key| {
        let fleets = key.fleets.iter().cloned().collect();
        (hash(&key.hash), ProvisioningKey { fleets: (!key.fleets.is_empty()).then_some(fleets) })
    });
    Ok(Access {
        operators: TokenList::new(config.operator_tokens.iter().map(|token| (hash(token), ()))),
        provisioning: TokenList::new(provisioning),
        webhooks,
        signing: SigningKey::new(signing.expose())?,
    })
}

fn config_secret(secret: &tidegate_aws::secret::Secret) -> String {
    secret.expose().to_owned()
}
