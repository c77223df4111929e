//! Who may call: hashes of tokens, and the keys that sign.

use std::fmt;

use crate::config::Reader;
use crate::secret::Secret;

/// Shortest signing key, in characters.
const SIGNING_KEY_MIN: usize = 32;

/// What callers are recognised by. A list that is empty lets nobody in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Operators' tokens.
    pub operator_tokens: Vec<TokenHash>,
    /// Keys that devices are enrolled with.
    pub provisioning_keys: Vec<ProvisioningKey>,
    /// Secrets of the built-in webhook source: one, or two while it is changed.
    pub webhook_secrets: Vec<Secret>,
    /// Key of device tokens and cursors.
    pub signing_key: Option<Secret>,
}

/// SHA-256 of a token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenHash(pub [u8; 32]);

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hash]")
    }
}

/// A key that devices are enrolled with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvisioningKey {
    /// Of the key.
    pub hash: TokenHash,
    /// The fleets that it may enrol into; empty is every fleet.
    pub fleets: Vec<String>,
}

impl Access {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            operator_tokens: reader.secret("operator_token_hashes", |text| entries(text, hash)).unwrap_or_default(),
            provisioning_keys: reader
                .secret("provisioning_key_hashes", |text| entries(text, provisioning_key))
                .unwrap_or_default(),
            webhook_secrets: reader.secret("webhook_secrets", webhook_secrets).unwrap_or_default(),
            signing_key: reader.secret("signing_key", signing_key),
        }
    }
}

/// Entries divided by commas. A mistake is told by its place, since the entry is not to be shown.
fn entries<T>(text: &str, read: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, String> {
    let entry = |(i, entry): (usize, &str)| {
        read(entry.trim()).ok_or_else(|| format!("entry {} is no SHA-256 in 64 hexadecimal digits", i + 1))
    };
    text.split(',').enumerate().map(entry).collect()
}

fn hash(text: &str) -> Option<TokenHash> {
    let mut hash = [0; 32];
    hex::decode_to_slice(text, &mut hash).ok().map(|()| TokenHash(hash))
}

/// `hash` or `hash:fleet|fleet`.
fn provisioning_key(text: &str) -> Option<ProvisioningKey> {
    let (key, fleets) = text.split_once(':').unwrap_or((text, ""));
    let fleets = fleets.split('|').map(str::trim).filter(|fleet| !fleet.is_empty()).map(str::to_owned).collect();
    hash(key).map(|hash| ProvisioningKey { hash, fleets })
}

fn webhook_secrets(text: &str) -> Result<Vec<Secret>, String> {
    let secrets: Vec<Secret> =
        text.split(',').map(str::trim).filter(|secret| !secret.is_empty()).map(Secret::new).collect();
    match secrets.len() {
        1 | 2 => Ok(secrets),
        count => Err(format!("expected one secret, or two divided by a comma, got {count}")),
    }
}

fn signing_key(text: &str) -> Result<Secret, String> {
    let characters = text.chars().count();
    if characters < SIGNING_KEY_MIN {
        return Err(format!("expected at least {SIGNING_KEY_MIN} characters, got {characters}"));
    }
    Ok(Secret::new(text))
}
