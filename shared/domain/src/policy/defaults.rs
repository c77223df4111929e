//! What holds where a policy says nothing.

use super::{Batches, Rate, Strategy};
use crate::{health::HealthDefaults, image::AllowedRegistries};

/// The configured values of what a policy leaves out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyDefaults {
    /// How rollouts go.
    pub update_strategy: Strategy,
    /// How far each batch reaches.
    pub staged_batches: Batches,
    /// Wait between a batch's end and the next one's opening.
    pub batch_delay_seconds: u32,
    /// From container start to verdict, all tries.
    pub health_check_timeout_seconds: u32,
    /// Tries of a health check and the time between them.
    pub health_check: HealthDefaults,
    /// Share of failures in a batch above which a rollout pauses.
    pub max_failure_rate: Rate,
    /// Failures in a row at which a rollout pauses.
    pub max_consecutive_failures: u32,
    /// Whether a device that fails goes back by itself.
    pub auto_rollback: bool,
    /// How long a device may take to go back.
    pub rollback_timeout_seconds: u32,
    /// Registries that patterns may name; `None` where only the server knows them.
    pub allowed_registries: Option<AllowedRegistries>,
}

impl PolicyDefaults {
    /// Whether these are a stack's own values. A program that only reads a file knows neither its registries nor these.
    pub fn are_known(&self) -> bool {
        self.allowed_registries.is_some()
    }
}

impl Default for PolicyDefaults {
    /// The mission's values.
    fn default() -> Self {
        Self {
            update_strategy: Strategy::Staged,
            staged_batches: Batches::mission(),
            batch_delay_seconds: 1800,
            health_check_timeout_seconds: 300,
            health_check: HealthDefaults::default(),
            max_failure_rate: Rate::FIFTH,
            max_consecutive_failures: 3,
            auto_rollback: true,
            rollback_timeout_seconds: 600,
            allowed_registries: Some(AllowedRegistries::default()),
        }
    }
}
