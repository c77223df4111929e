//! How far a stage of a rollout reaches, all stages before it included.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Rate;

/// So many devices of a plan. In texts `5 devices`, `10%` or `2/7`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Share {
    /// So many devices, however many there are.
    Devices(u32),
    /// This rate of them.
    Rate(Rate),
    /// So many of equal parts.
    Parts {
        /// How many.
        number: u32,
        /// Of how many.
        of: u32,
    },
}

/// A text that is no share.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a share such as \"10%\", \"5 devices\" or \"2/7\", got {0:?}")]
pub struct NoShare(String);

impl Share {
    /// Everybody.
    pub const ALL: Self = Self::Rate(Rate::ALL);

    /// How many of `total` devices that is.
    pub fn of(self, total: u32) -> u32 {
        match self {
            Self::Devices(devices) => devices,
            Self::Rate(rate) => rate.of(total),
            Self::Parts { number, of } => (u64::from(number) * u64::from(total) / u64::from(of.max(1))) as u32,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        if let Some(devices) = text.strip_suffix(" devices") {
            return devices.parse().ok().map(Self::Devices);
        }
        match text.split_once('/') {
            Some((number, of)) => Some(Self::Parts { number: number.parse().ok()?, of: of.parse().ok()? }),
            None => Rate::from_percentage(text).ok().map(Self::Rate),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Devices(devices) => write!(f, "{devices} devices"),
            Self::Rate(rate) => f.write_str(&rate.as_percentage()),
            Self::Parts { number, of } => write!(f, "{number}/{of}"),
        }
    }
}

impl From<Share> for String {
    fn from(share: Share) -> Self {
        share.to_string()
    }
}

impl TryFrom<String> for Share {
    type Error = NoShare;

    fn try_from(text: String) -> Result<Self, NoShare> {
        Self::parse(&text).ok_or(NoShare(text))
    }
}
