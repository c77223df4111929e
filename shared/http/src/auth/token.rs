//! Lists of tokens, kept as hashes.

use std::collections::BTreeSet;
use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// SHA-256 of a token. Tokens are long and random, so that a plain hash tells nothing of them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// A hash from the configuration.
    pub const fn from_bytes(hash: [u8; 32]) -> Self {
        Self(hash)
    }

    /// The hash of a token.
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hash]")
    }
}

/// What a provisioning key may do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProvisioningKey {
    /// The fleets that it may enrol into; `None` is every fleet.
    pub fleets: Option<BTreeSet<String>>,
}

/// Tokens that are let in, each with what it may do.
#[derive(Debug, Clone, Default)]
pub struct TokenList<T>(Vec<(TokenHash, T)>);

impl<T> TokenList<T> {
    /// These tokens.
    pub fn new(tokens: impl IntoIterator<Item = (TokenHash, T)>) -> Self {
        Self(tokens.into_iter().collect())
    }

    /// What the token may do. Every hash is compared, whichever is the right one.
    pub fn find(&self, token: &str) -> Option<&T> {
        let given = TokenHash::of(token);
        let mut found = None;
        for (hash, rights) in &self.0 {
            if bool::from(hash.0.ct_eq(&given.0)) {
                found = Some(rights);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_found_by_their_hash_alone() {
        let list = TokenList::new([(TokenHash::of("a"), 1), (TokenHash::of("b"), 2)]);
        assert_eq!(list.find("a"), Some(&1));
        assert_eq!(list.find("b"), Some(&2));
        assert_eq!(list.find("c"), None);
        assert_eq!(list.find(""), None);
        assert!(!format!("{list:?}").contains("97"), "no byte of a hash is shown");
    }
}
