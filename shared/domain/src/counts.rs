//! How a device's row is counted: one class per row, so that counts always equal rows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Where a device stands in a rollout, as far as counting goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Class {
    /// Not offered the image yet.
    #[serde(rename = "p")]
    Pending,
    /// Offered, and not settled.
    #[serde(rename = "u")]
    Updating,
    /// On the new image and healthy.
    #[serde(rename = "h")]
    Healthy,
    /// Failed after the swap began; it may still run the new image.
    #[serde(rename = "f")]
    Failed,
    /// Failed before the swap: the old image was never touched.
    #[serde(rename = "n")]
    Unchanged,
    /// Failed, or taken back, and on its old image again.
    #[serde(rename = "r")]
    RolledBack,
    /// Told to go back by a rollback of everything.
    #[serde(rename = "v")]
    Reverting,
    /// Could not go back; a person must look.
    #[serde(rename = "x")]
    Stuck,
    /// A rollback of everything did not reach it within the grace.
    #[serde(rename = "o")]
    NotSeen,
    /// Not offered within the grace; still eligible.
    #[serde(rename = "d")]
    Deferred,
    /// A lock on the device holds it.
    #[serde(rename = "b")]
    Blocked,
    /// Takes no part.
    #[serde(rename = "s")]
    Skipped,
}

/// The statuses that the API shows for classes, each once.
pub const ROW_STATUSES: [&str; 8] =
    ["pending", "updating", "completed", "failed", "rolled_back", "deferred", "blocked", "skipped"];

impl Class {
    /// The status that the API shows for it.
    pub const fn status(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Updating | Self::Reverting => "updating",
            Self::Healthy => "completed",
            Self::Failed | Self::Unchanged | Self::Stuck => "failed",
            Self::RolledBack => "rolled_back",
            Self::Deferred | Self::NotSeen => "deferred",
            Self::Blocked => "blocked",
            Self::Skipped => "skipped",
        }
    }

    /// Whether a batch still waits for a device of this class.
    pub const fn unsettled(self) -> bool {
        match self {
            Self::Pending | Self::Updating | Self::Blocked => true,
            Self::Healthy
            | Self::Failed
            | Self::Unchanged
            | Self::RolledBack
            | Self::Reverting
            | Self::Stuck
            | Self::NotSeen
            | Self::Deferred
            | Self::Skipped => false,
        }
    }

    /// Whether a device of this class may run, or be about to run, the new image.
    pub const fn may_run_new(self) -> bool {
        match self {
            Self::Updating | Self::Healthy | Self::Failed | Self::Reverting | Self::Blocked => true,
            Self::Pending
            | Self::Unchanged
            | Self::RolledBack
            | Self::Stuck
            | Self::NotSeen
            | Self::Deferred
            | Self::Skipped => false,
        }
    }
}

/// How many rows are in each class, how many ever sent `update_completed`, and how many ever failed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    #[serde(rename = "c", default, skip_serializing_if = "BTreeMap::is_empty")]
    by_class: BTreeMap<Class, i64>,
    #[serde(rename = "n", default, skip_serializing_if = "is_zero")]
    updated: i64,
    #[serde(rename = "e", default, skip_serializing_if = "is_zero")]
    ever_failed: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(n: &i64) -> bool {
    *n == 0
}

impl Counts {
    /// Rows in this class.
    pub fn of(&self, class: Class) -> u32 {
        self.by_class.get(&class).copied().unwrap_or(0).max(0) as u32
    }

    /// Rows that ever sent `update_completed`.
    pub fn updated(&self) -> u32 {
        self.updated.max(0) as u32
    }

    /// Adds `by` (which may be negative) to a class.
    pub fn add(&mut self, class: Class, by: i64) {
        let n = self.by_class.entry(class).or_insert(0);
        *n += by;
        if *n == 0 {
            self.by_class.remove(&class);
        }
    }

    /// Adds to the rows that ever updated.
    pub fn add_updated(&mut self, by: i64) {
        self.updated += by;
    }

    /// Rows whose device ever failed, wherever it is now: what the failure rules count.
    pub fn ever_failed(&self) -> u32 {
        self.ever_failed.max(0) as u32
    }

    /// Adds to the rows that ever failed.
    pub fn add_ever_failed(&mut self, by: i64) {
        self.ever_failed += by;
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (class, n) in &other.by_class {
            self.add(*class, *n);
        }
        self.updated += other.updated;
        self.ever_failed += other.ever_failed;
    }

    /// Every row, whatever its class.
    pub fn rows(&self) -> u32 {
        self.by_class.values().sum::<i64>().max(0) as u32
    }

    /// Devices that take part: every row but the skipped.
    pub fn devices(&self) -> u32 {
        self.rows() - self.of(Class::Skipped)
    }

    /// The size that thresholds are measured against: who takes part and is not put off.
    pub fn planned(&self) -> u32 {
        self.devices() - self.of(Class::Deferred).min(self.devices())
    }

    /// Devices that a batch still waits for.
    pub fn unsettled(&self) -> u32 {
        self.sum(Class::unsettled)
    }

    /// Devices that may run the new image.
    pub fn may_run_new(&self) -> u32 {
        self.sum(Class::may_run_new)
    }

    /// Failed in the API's sense: not healthy, and not back on the old image by a rollback.
    pub fn failed(&self) -> u32 {
        self.of(Class::Failed) + self.of(Class::Unchanged) + self.of(Class::Stuck)
    }

    fn sum(&self, of: impl Fn(Class) -> bool) -> u32 {
        self.by_class.iter().filter(|(class, _)| of(**class)).map(|(_, n)| (*n).max(0) as u32).sum()
    }

    /// The classes that occur, with their (possibly negative, in a journal page) numbers.
    pub fn classes(&self) -> impl Iterator<Item = (Class, i64)> + '_ {
        self.by_class.iter().map(|(class, n)| (*class, *n))
    }

    /// Whether nothing is counted.
    pub fn is_empty(&self) -> bool {
        self.by_class.is_empty() && self.updated == 0 && self.ever_failed == 0
    }
}

/// Devices that told no time zone that is known, under a policy whose window is in each device's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Zones {
    /// The policy names no fallback: they wait until they tell one.
    #[serde(rename = "m", default)]
    pub missing: u32,
    /// The policy's fallback counts for them.
    #[serde(rename = "f", default)]
    pub fallback: u32,
}

impl Zones {
    /// Whether every device's zone is known, or no matter.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_statuses_is_what_classes_show() {
        use Class as C;
        let all = [
            C::Pending,
            C::Updating,
            C::Healthy,
            C::Failed,
            C::Unchanged,
            C::RolledBack,
            C::Reverting,
            C::Stuck,
            C::NotSeen,
            C::Deferred,
            C::Blocked,
            C::Skipped,
        ];
        for class in all {
            assert!(ROW_STATUSES.contains(&class.status()), "{class:?}");
        }
        for status in ROW_STATUSES {
            assert!(all.iter().any(|class| class.status() == status), "{status}");
        }
    }
}
