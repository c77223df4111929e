//! The key that signs what we hand out and get back: device tokens and cursors.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// Bytes of a signature: enough that guessing is hopeless, few enough for a header.
pub(crate) const SIGNATURE: usize = 16;

/// Shortest key, in bytes.
const SHORTEST: usize = 32;

/// The key. It is never shown.
#[derive(Clone)]
pub struct SigningKey(Hmac<Sha256>);

/// A key that could be guessed. A fault of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signing key has fewer than {SHORTEST} bytes")]
pub struct KeyTooShort;

impl SigningKey {
    /// A key of at least 32 bytes.
    pub fn new(key: &str) -> Result<Self, KeyTooShort> {
        if key.len() < SHORTEST {
            return Err(KeyTooShort);
        }
        Hmac::new_from_slice(key.as_bytes()).map(Self).map_err(|_| KeyTooShort)
    }

    /// A random key.
    pub(crate) fn of(random: &[u8; SHORTEST]) -> Self {
        Self(Hmac::new_from_slice(random).expect("an HMAC takes keys of every length"))
    }

    /// Signs the parts for one purpose. Lengths are signed too, so that no two lists of parts are the same.
    pub(crate) fn sign(&self, purpose: &str, parts: &[&[u8]]) -> [u8; SIGNATURE] {
        let mut mac = self.0.clone();
        for part in std::iter::once(purpose.as_bytes()).chain(parts.iter().copied()) {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        let full = mac.finalize().into_bytes();
        let mut short = [0; SIGNATURE];
        short.copy_from_slice(&full[..SIGNATURE]);
        short
    }

    /// Whether the signature is of these parts and this purpose; in constant time.
    pub(crate) fn signed(&self, purpose: &str, parts: &[&[u8]], signature: &[u8]) -> bool {
        self.sign(purpose, parts).as_slice().ct_eq(signature).into()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[key]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_of_its_purpose_and_its_parts() {
        let key = SigningKey::new(&"k".repeat(32)).unwrap();
        let signature = key.sign("cursor", &[b"ab", b"c"]);
        assert!(key.signed("cursor", &[b"ab", b"c"], &signature));
        assert!(!key.signed("token", &[b"ab", b"c"], &signature));
        assert!(!key.signed("cursor", &[b"a", b"bc"], &signature));
        assert!(!key.signed("cursor", &[b"ab", b"c"], &signature[..8]));
        assert_eq!(SigningKey::new("short").unwrap_err(), KeyTooShort);
    }
}
