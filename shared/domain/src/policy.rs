//! Policies: which images move on which devices, and how carefully.
//!
//! [`RawPolicy`] is what an operator writes, [`WrittenPolicy`] what is stored of it, [`Policy`] what has been checked and
//! holds every effective value: a rollout gets one when it is created. [`PolicyView`] is what is answered.

mod batches;
mod choice;
mod defaults;
pub mod file;
mod pattern;
mod rate;
mod raw;
mod safeguard;
mod selector;
mod share;
mod timing;
mod told;
mod validate;
mod view;
mod written;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::fields::FieldError;
use crate::{health::HealthCheck, ids::PolicyId, window::Window};

pub use batches::{BatchError, BatchStep, Batches};
pub use choice::{OnDrift, OnFailure, OnNewer, Origin, Strategy};
pub use defaults::PolicyDefaults;
pub use pattern::{ImagePattern, PatternError};
pub use rate::{Rate, RateError};
pub use raw::RawPolicy;
pub use safeguard::{Followed, Safeguard, Wish, names as safeguard_names};
pub use selector::{Contest, Selector, winner};
pub use share::{NoShare, Share};
pub use told::{Source, SourcedValue, sources};
pub use view::{PolicyView, WindowView};
pub use written::{Effective, WrittenPolicy};

/// How much later than `deadline_seconds` a silent device may be given up at the earliest, in seconds.
const STALL_MARGIN_SECONDS: u32 = 300;

/// A checked policy. All values are effective: what the operator left out has been filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// The server's name for it.
    pub id: PolicyId,
    /// The operator's name for it, unique.
    pub name: String,
    /// Which pushed references it is about.
    pub image_pattern: ImagePattern,
    /// How its rollouts go.
    pub update_strategy: Strategy,
    /// How far each batch reaches.
    pub staged_batches: Batches,
    /// Wait between a batch's end and the next one's opening.
    pub batch_delay_seconds: u32,
    /// Wait between a batch's last healthy report and the next one's opening.
    pub soak_seconds: u32,
    /// When a device counts as healthy.
    pub health: HealthPolicy,
    /// Whether a device that fails goes back by itself.
    pub auto_rollback: bool,
    /// How long a device may take to go back.
    pub rollback_timeout_seconds: u32,
    /// Whether devices that went silent count in the failure rate.
    pub count_timeouts: bool,
    /// Share of failures in a batch above which the rollout pauses.
    pub max_failure_rate: Rate,
    /// Failures in a row at which the rollout pauses.
    pub max_consecutive_failures: u32,
    /// When devices may swap; `None` is always.
    pub window: Option<Window>,
    /// The earliest start of a rollout; `None` is at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// How long a device that was never offered holds its batch.
    pub offline_grace_hours: u32,
    /// How long a locked device holds its batch.
    pub lock_grace_hours: u32,
    /// How long an approval is waited for.
    pub approval_expiry_hours: u32,
    /// What a newer image does to a live rollout.
    pub on_newer: OnNewer,
    /// What an automatic stop does.
    pub on_failure: OnFailure,
    /// What happens to a device that runs another image than it should.
    pub on_drift: OnDrift,
    /// How many devices may be swapping at once; `None` is the whole batch.
    pub max_in_flight: Option<u32>,
    /// Silence after which a device is given up; never shorter than the deadline and five minutes.
    pub stall_seconds: u32,
    /// Time after which a device is given up even if it reports progress; never shorter than `stall_seconds`.
    pub total_seconds: u32,
    /// Which devices it selects.
    pub selector: Selector,
    /// When it was first stored.
    pub created_at: Timestamp,
    /// When this revision was stored.
    pub updated_at: Timestamp,
    /// Where it came from.
    pub origin: Origin,
    /// Counts its changes, from 1.
    pub revision: u64,
}

/// When a device counts as healthy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthPolicy {
    /// Whether `check` is made; without it a running container with the right digest is healthy.
    pub enabled: bool,
    /// From container start to verdict, all tries.
    pub timeout_seconds: u32,
    /// How long the check must hold.
    pub healthy_for_seconds: u32,
    /// The check.
    pub check: HealthCheck,
}

impl Policy {
    /// The longest time from a device's swap to its verdict, a rollback included, in seconds.
    pub fn deadline_seconds(&self) -> u32 {
        self.health.timeout_seconds + self.rollback_timeout_seconds
    }

    /// The policy under another strategy, for a trigger that asks for one.
    pub fn with_strategy(self, update_strategy: Strategy) -> Result<Self, FieldError> {
        validate::strategy_fits(update_strategy, self.window.is_some())?;
        Ok(Self { update_strategy, ..self })
    }

    /// Whether both mean the same, whatever their ids, times, origins and revisions.
    pub fn same_content(&self, other: &Self) -> bool {
        let stamped = Self {
            id: other.id.clone(),
            created_at: other.created_at,
            updated_at: other.updated_at,
            origin: other.origin,
            revision: other.revision,
            ..self.clone()
        };
        stamped == *other
    }
}

#[cfg(test)]
mod tests;
