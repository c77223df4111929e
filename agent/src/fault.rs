//! What goes wrong on a device, with the stable word that a report says it by.

use serde::{Deserialize, Serialize};

/// Why something on the device came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Fault {
    /// The stable word for it.
    pub reason: Reason,
    /// In words, for people. Never a secret.
    pub why: String,
}

impl Fault {
    /// A fault for this reason.
    pub fn new(reason: Reason, why: impl Into<String>) -> Self {
        Self { reason, why: why.into() }
    }
}

/// Stable words for what goes wrong on a device; reported as `details.reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The engine does not answer.
    EngineUnavailable,
    /// The registry does not answer, or broke off.
    RegistryUnavailable,
    /// The registry wants other credentials.
    RegistryDenied,
    /// The registry has no such image.
    ImageNotFound,
    /// The image has nothing for this device's platform.
    WrongPlatform,
    /// What came is not what the digest says.
    CorruptImage,
    /// Not enough room.
    DiskFull,
    /// A container that is not ours has the name.
    NameTaken,
    /// Somebody else listens on the port.
    PortTaken,
    /// The engine keeps the port of a container that it lost when it was killed, until it is started again.
    EngineKeepsPort,
    /// The container ends at once.
    ExitsAtOnce,
    /// The health check says no.
    Unhealthy,
    /// A hook said no.
    HookFailed,
    /// The service is not configured on this device, or its configuration cannot be used.
    Configuration,
    /// The engine refused, for another reason.
    Refused,
}

impl Reason {
    /// Whether the same can be tried again within the attempt: networks flap, images do not heal.
    pub const fn may_pass(self) -> bool {
        match self {
            Self::EngineUnavailable | Self::RegistryUnavailable | Self::DiskFull | Self::CorruptImage => true,
            Self::RegistryDenied
            | Self::ImageNotFound
            | Self::WrongPlatform
            | Self::NameTaken
            | Self::PortTaken
            | Self::EngineKeepsPort
            | Self::ExitsAtOnce
            | Self::Unhealthy
            | Self::HookFailed
            | Self::Configuration
            | Self::Refused => false,
        }
    }

    pub const fn word(self) -> &'static str {
        match self {
            Self::EngineUnavailable => "engine_unavailable",
            Self::RegistryUnavailable => "registry_unavailable",
            Self::RegistryDenied => "registry_denied",
            Self::ImageNotFound => "image_not_found",
            Self::WrongPlatform => "wrong_platform",
            Self::CorruptImage => "corrupt_image",
            Self::DiskFull => "disk_full",
            Self::NameTaken => "name_taken",
            Self::PortTaken => "port_taken",
            Self::EngineKeepsPort => "engine_keeps_port",
            Self::ExitsAtOnce => "exits_at_once",
            Self::Unhealthy => "unhealthy",
            Self::HookFailed => "hook_failed",
            Self::Configuration => "configuration",
            Self::Refused => "refused",
        }
    }
}
