//! A device's token: its uuid, randomness, and a signature over both, so that a made-up one costs no read.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use sha2::{Digest, Sha256};
use tidegate_domain::ids::DeviceUuid;

use super::signing::{SIGNATURE, SigningKey};

const PURPOSE: &str = "device token";
const UUID: usize = 16;
const RANDOM: usize = 24;

/// Tells a scanner of leaked secrets what it found.
const PREFIX: &str = "tgd_";

/// A device's token.
#[derive(Clone, PartialEq, Eq)]
pub struct DeviceToken(String);

/// Why a token is not this device's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotThisDevice {
    /// We never made it.
    MadeUp,
    /// It was made for another device.
    Another,
}

impl DeviceToken {
    /// Makes a token for a device.
    pub fn new(key: &SigningKey, device: DeviceUuid, random: [u8; 32]) -> Self {
        let mut bytes = device.0.as_bytes().to_vec();
        bytes.extend_from_slice(&random[..RANDOM]);
        let signature = key.sign(PURPOSE, &[&bytes]);
        bytes.extend_from_slice(&signature);
        Self(format!("{PREFIX}{}", BASE64.encode(bytes)))
    }

    /// Checks that we made the token, and for this device. Whether it is still the device's, its item says.
    pub fn check(key: &SigningKey, device: DeviceUuid, token: &str) -> Result<Self, NotThisDevice> {
        let bytes = token.strip_prefix(PREFIX).and_then(|text| BASE64.decode(text).ok()).unwrap_or_default();
        if bytes.len() != UUID + RANDOM + SIGNATURE {
            return Err(NotThisDevice::MadeUp);
        }
        let (signed, signature) = bytes.split_at(UUID + RANDOM);
        if !key.signed(PURPOSE, &[signed], signature) {
            return Err(NotThisDevice::MadeUp);
        }
        if signed[..UUID] != *device.0.as_bytes() {
            return Err(NotThisDevice::Another);
        }
        Ok(Self(token.to_owned()))
    }

    /// What is stored of it.
    pub fn hash(&self) -> String {
        Self::hash_of(&self.0)
    }

    /// What is stored of a token.
    pub fn hash_of(token: &str) -> String {
        BASE64.encode(Sha256::digest(token.as_bytes()))
    }

    /// The token itself; only to hand it out.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for DeviceToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[token]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_of_one_device_and_one_key() {
        let key = SigningKey::new(&"k".repeat(32)).unwrap();
        let other_key = SigningKey::new(&"o".repeat(32)).unwrap();
        let device = DeviceUuid::parse("018f4c2e-0000-7000-8000-000000000001").unwrap();
        let other = DeviceUuid::parse("018f4c2e-0000-7000-8000-000000000002").unwrap();
        let token = DeviceToken::new(&key, device, [7; 32]);
        assert_eq!(DeviceToken::check(&key, device, token.expose()), Ok(token.clone()));
        assert_eq!(DeviceToken::check(&key, other, token.expose()), Err(NotThisDevice::Another));
        assert_eq!(DeviceToken::check(&other_key, device, token.expose()), Err(NotThisDevice::MadeUp));
        for made_up in ["", "tgd_", &token.expose()[..40], &token.expose().to_lowercase(), "Bearer x"] {
            assert_eq!(DeviceToken::check(&key, device, made_up), Err(NotThisDevice::MadeUp), "{made_up}");
        }
        assert_ne!(DeviceToken::new(&key, device, [8; 32]).hash(), token.hash());
        assert_eq!(format!("{token:?}"), "[token]");
    }
}
