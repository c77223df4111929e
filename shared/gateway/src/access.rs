//! From a function's configuration to what callers are recognised by.

use tidegate_aws::secrets as config;
use tidegate_domain::webhook::{Secrets, SecretsError};
use tidegate_http::auth::{Access, KeyTooShort, ProvisioningKey, SigningKey, TokenHash, TokenList};

/// The configuration cannot recognise callers; starting again with the same one cannot help.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The environment names no secret.
    #[error("SECRETS_ARN is not set")]
    NoSecrets,
    /// Every function that recognises callers signs, or checks what was signed.
    #[error("the secret has no signing_key")]
    NoSigningKey,
    /// The key could be guessed.
    #[error("signing_key: {0}")]
    SigningKey(#[from] KeyTooShort),
    /// Every delivery would be refused.
    #[error("the secret has no webhook_secrets")]
    NoWebhookSecrets,
    /// The webhook secrets cannot be used.
    #[error("webhook_secrets: {0}")]
    WebhookSecrets(#[from] SecretsError),
}

/// What callers are recognised by.
pub(crate) fn access(config: &config::Access) -> Result<Access, AccessError> {
    let signing = config.signing_key.as_ref().ok_or(AccessError::NoSigningKey)?;
    let secrets = &config.webhook_secrets;
    let webhooks = match secrets.as_slice() {
        // Nobody could prove who they are: better to say so than to refuse every registry.
        [] => return Err(AccessError::NoWebhookSecrets),
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
