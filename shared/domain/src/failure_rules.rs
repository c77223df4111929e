//! The rules that stop a rollout: too many failures in a batch, too many in a row, different contents under one tag.

use std::fmt;

use jiff::Timestamp;
use jiff::fmt::serde::timestamp::millisecond::optional as ms_opt;
use serde::{Deserialize, Serialize};

use crate::image::Digest;
use crate::policy::Policy;

/// Settled outcomes needed before the rate alone may stop a batch early (semantics rule 5).
const EARLY_SAMPLE: u32 = 5;

/// A device's final outcome, once per rollout, in the order in which the recorder wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Healthy on the new image.
    #[serde(rename = "h")]
    Healthy,
    /// Failed, by its own word.
    #[serde(rename = "f")]
    Failed,
    /// Failed by silence.
    #[serde(rename = "t")]
    TimedOut,
    /// Was counted as silent, and turned out healthy.
    #[serde(rename = "c")]
    Recovered,
    /// Was counted as silent, and turned out failed.
    #[serde(rename = "l")]
    FailedAfterAll,
}

/// A rule that fired, with its numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleFired {
    /// More of the batch failed than the rate allows.
    FailureRate {
        /// Failed since the last resume.
        failed: u32,
        /// Of how many.
        of: u32,
        /// The allowed rate in parts per million.
        allowed_ppm: u32,
    },
    /// This many outcomes in a row were failures.
    Consecutive(u32),
    /// Healthy devices of a rollout whose digest nobody knows run different contents.
    Differs(Digest, Digest),
}

impl fmt::Display for RuleFired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FailureRate { failed, of, allowed_ppm } => {
                write!(f, "{failed} of {of} devices of the batch failed, more than {}%", f64::from(*allowed_ppm) / 1e4)
            }
            Self::Consecutive(n) => write!(f, "{n} devices failed in a row"),
            Self::Differs(first, other) => write!(f, "healthy devices run different contents: {first} and {other}"),
        }
    }
}

/// The failure rules of a rollout: what they have seen since the last resume, and the first of them that fired.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FailureRules {
    /// The resume since which it remembers.
    #[serde(rename = "s", with = "ms_opt", default, skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
    /// Whether admins were told that a rule fired; once is enough until somebody resumes.
    #[serde(rename = "t", default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) told: bool,
    /// Failures in a row, across batches.
    #[serde(rename = "r", default)]
    row: u32,
    /// Per batch, from the first: healthy and failed.
    #[serde(rename = "b", default)]
    batches: Vec<(u32, u32)>,
    /// The first that fired.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    fired: Option<RuleFired>,
}

impl FailureRules {
    /// Forgets everything when the rollout was resumed since.
    pub fn resumed(&mut self, resumed_at: Option<Timestamp>) {
        if self.since != resumed_at {
            *self = Self { since: resumed_at, ..Self::default() };
        }
    }

    /// The first that fired since the last resume.
    pub fn fired(&self) -> Option<&RuleFired> {
        self.fired.as_ref()
    }

    /// Keeps the first that fired.
    pub(crate) fn keep(&mut self, fired: Option<RuleFired>) {
        self.fired = self.fired.take().or(fired);
    }

    /// Takes one outcome of a device in `batch` (from 1); `planned` is that batch's size. Says which rule fires.
    pub fn take(&mut self, outcome: Outcome, batch: u32, planned: u32, policy: &Policy) -> Option<RuleFired> {
        let index = batch.saturating_sub(1) as usize;
        if self.batches.len() <= index {
            self.batches.resize(index + 1, (0, 0));
        }
        let (healthy, failed) = &mut self.batches[index];
        match outcome {
            Outcome::Healthy => {
                *healthy += 1;
                self.row = 0;
            }
            Outcome::Recovered => {
                if policy.count_timeouts {
                    *failed = failed.saturating_sub(1);
                }
                *healthy += 1;
                self.row = 0;
            }
            Outcome::TimedOut if !policy.count_timeouts => return None,
            Outcome::FailedAfterAll if policy.count_timeouts => return None,
            Outcome::Failed | Outcome::TimedOut | Outcome::FailedAfterAll => {
                *failed += 1;
                self.row += 1;
            }
        }
        let (healthy, failed) = (*healthy, *failed);
        self.verdict(healthy, failed, planned, policy)
    }

    fn verdict(&self, healthy: u32, failed: u32, planned: u32, policy: &Policy) -> Option<RuleFired> {
        if self.row >= policy.max_consecutive_failures && self.row > 0 {
            return Some(RuleFired::Consecutive(self.row));
        }
        let allowed_ppm = policy.max_failure_rate.ppm();
        let exceeds = |of: u32| policy.max_failure_rate.exceeded_by(failed, of);
        let settled = healthy + failed;
        if exceeds(planned) {
            return Some(RuleFired::FailureRate { failed, of: planned, allowed_ppm });
        }
        (settled >= EARLY_SAMPLE && exceeds(settled)).then_some(RuleFired::FailureRate {
            failed,
            of: settled,
            allowed_ppm,
        })
    }
}

#[cfg(test)]
mod tests;
