//! Identifiers. All are checked once, where they enter.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes an identifier that the system itself made or has checked.
            pub fn trusted(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id! {
    /// A rollout's id: 26 characters (ULID), ordered by creation time.
    RolloutId
}

text_id! {
    /// A policy's id.
    PolicyId
}

impl RolloutId {
    /// A new id of this moment; `random` makes it unguessable and unique.
    pub fn new(now: Timestamp, random: u128) -> Self {
        Self(time_ordered(now, random))
    }

    /// The moment that it was made of; none where it is no such id.
    pub fn created_at(&self) -> Option<Timestamp> {
        let digits = self.0.get(..10)?.bytes().map(|b| CROCKFORD.iter().position(|digit| *digit == b));
        let millis = digits.into_iter().try_fold(0_i64, |sum, digit| Some(sum * 32 + i64::try_from(digit?).ok()?))?;
        Timestamp::from_millisecond(millis).ok()
    }

    /// Whether the text could be a rollout's id at all.
    pub fn parse(text: &str) -> Option<Self> {
        let valid = text.len() == 26 && text.bytes().all(|b| CROCKFORD.contains(&b));
        valid.then(|| Self(text.to_owned()))
    }
}

impl PolicyId {
    /// A new id of this moment.
    pub fn new(now: Timestamp, random: u128) -> Self {
        Self(time_ordered(now, random))
    }
}

/// Base 32 digits of a ULID (<https://github.com/ulid/spec>): no I, L, O, U.
const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

fn time_ordered(now: Timestamp, random: u128) -> String {
    let millis = u128::try_from(now.as_millisecond()).unwrap_or(0) & ((1 << 48) - 1);
    let value = millis << 80 | random & ((1 << 80) - 1);
    (0..26).rev().map(|i| char::from(CROCKFORD[(value >> (5 * i)) as usize & 31])).collect()
}

/// A device's identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeviceUuid(pub Uuid);

impl DeviceUuid {
    /// A uuid of a caller's making: version 4 or 7, in any of the usual spellings.
    pub fn parse(text: &str) -> Option<Self> {
        let uuid = Uuid::parse_str(text).ok()?;
        matches!(uuid.get_version_num(), 4 | 7).then_some(Self(uuid))
    }
}

impl fmt::Display for DeviceUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rollout_ids_are_ordered_by_time_and_parse_back() {
        let at = |s| Timestamp::from_second(s).unwrap();
        let early = RolloutId::new(at(1_700_000_000), u128::MAX);
        let late = RolloutId::new(at(1_700_000_001), 0);
        assert!(early < late);
        assert_eq!(RolloutId::parse(early.as_str()), Some(early));
        assert_eq!(RolloutId::parse("not-a-rollout"), None);
        assert_eq!(late.created_at(), Some(at(1_700_000_001)));
        assert_eq!(RolloutId::trusted("R1").created_at(), None);
        assert_eq!(RolloutId::trusted("not-a-rollout").created_at(), None);
    }
}
