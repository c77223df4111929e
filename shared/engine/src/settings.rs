//! What a stack was told, as far as use cases need it.

use tidegate_domain::image::AllowedRegistries;
use tidegate_domain::pace::Pace;
use tidegate_domain::policy::PolicyDefaults;

/// A stack's configuration. It holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What holds where a policy says nothing, the default strategy among it.
    pub policy_defaults: PolicyDefaults,
    /// Registries that images may come from.
    pub allowed_registries: AllowedRegistries,
    /// When devices poll.
    pub pace: Pace,
    /// For how many days after its end a rollout's details are shown.
    pub retention_days: u32,
}

/// What the template has, too.
pub const RETENTION_DAYS: u32 = 400;

impl Settings {
    /// Of a function's configuration. Where the defaults name no registries, the mission's hold.
    pub fn new(defaults: PolicyDefaults, pace: Pace) -> Self {
        let allowed_registries = defaults.allowed_registries.clone().unwrap_or_default();
        let policy_defaults = PolicyDefaults { allowed_registries: Some(allowed_registries.clone()), ..defaults };
        Self { policy_defaults, allowed_registries, pace, retention_days: RETENTION_DAYS }
    }

    /// With another retention.
    #[must_use]
    pub fn with_retention(self, retention_days: u32) -> Self {
        Self { retention_days, ..self }
    }
}

impl Default for Settings {
    /// The mission's values; devices poll every 5 minutes, and every 30 seconds when their turn is near.
    fn default() -> Self {
        Self::new(PolicyDefaults::default(), Pace { idle_seconds: 300, near_seconds: 30 })
    }
}
