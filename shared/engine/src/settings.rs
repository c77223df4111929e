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
    /// Pairs of a push and a policy that has devices for it which are worked on before a delivery is answered; the
    /// others come behind the queue.
    pub rollouts_per_answer: u32,
}

/// What the template has, too.
pub const RETENTION_DAYS: u32 = 400;

/// A rollout takes about a millisecond of a whole processor, and the function that answers has a seventh of one: so many
/// are made within some 350 ms. Registries give up after 1 to 10 s.
pub const ROLLOUTS_PER_ANSWER: u32 = 50;

impl Settings {
    /// Of a function's configuration. Where the defaults name no registries, the mission's hold.
    pub fn new(defaults: PolicyDefaults, pace: Pace) -> Self {
        let allowed_registries = defaults.allowed_registries.clone().unwrap_or_default();
        let policy_defaults = PolicyDefaults { allowed_registries: Some(allowed_registries.clone()), ..defaults };
        let (retention_days, rollouts_per_answer) = (RETENTION_DAYS, ROLLOUTS_PER_ANSWER);
        Self { policy_defaults, allowed_registries, pace, retention_days, rollouts_per_answer }
    }

    /// With another retention.
    #[must_use]
    pub fn with_retention(self, retention_days: u32) -> Self {
        Self { retention_days, ..self }
    }

    /// With another number of rollouts in an answer; with none, all of them come behind the queue.
    #[must_use]
    pub fn with_rollouts_per_answer(self, rollouts_per_answer: u32) -> Self {
        Self { rollouts_per_answer, ..self }
    }

    /// The same for one message behind the queue: nobody waits for it, and what is read for all of its rollouts together
    /// is read half as often.
    pub(crate) fn rollouts_per_message(&self) -> usize {
        2 * self.rollouts_per_answer.max(1) as usize
    }
}

impl Default for Settings {
    /// The mission's values; devices poll every 5 minutes, and every 30 seconds when their turn is near.
    fn default() -> Self {
        Self::new(PolicyDefaults::default(), Pace { idle_seconds: 300, near_seconds: 30 })
    }
}
