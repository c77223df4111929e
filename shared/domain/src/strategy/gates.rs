//! Gates: what must hold before the next stage opens. One file each: a pure function of what the step has read.

mod approval;
mod contents;
mod delay;
mod failure_rules;
mod not_before;
mod settled;
mod soak;
mod window;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub(crate) use self::approval::expires_at;
pub(crate) use self::settled::unproven;
use crate::policy::Policy;
use crate::rollout::Rollout;

/// A gate, with what the policy says of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "gate", rename_all = "snake_case")]
pub enum Gate {
    /// A person says yes.
    Approval {
        /// How long it is waited for.
        expiry_hours: u32,
    },
    /// The earliest start has come.
    NotBefore {
        /// When.
        at: Timestamp,
    },
    /// The policy's window is open.
    Window,
    /// What devices of an unpinned rollout pulled is not kept out.
    Contents,
    /// No failure rule fired since the last resume.
    FailureRules,
    /// Every device of the stage has settled, and one of them is healthy.
    Settled,
    /// So long since the stage settled.
    Delay {
        /// How long.
        seconds: u32,
    },
    /// So long since the last device became healthy.
    Soak {
        /// How long.
        seconds: u32,
    },
    /// A gate of a later version, written before this version was brought back: it holds until that one is there again.
    #[serde(other)]
    Unknown,
}

/// What gates look at.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The rollout, with the journal's newest pages folded in.
    pub rollout: &'a Rollout,
    /// Its policy's snapshot.
    pub policy: &'a Policy,
    /// What of the contents that devices pulled stops it.
    pub contents: Option<&'a Refused>,
    /// The time.
    pub now: Timestamp,
}

/// What stops a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopRule {
    /// Devices failed.
    Failures,
    /// One tag means too many contents.
    Contents,
    /// Devices pulled what is kept out, and have not swapped to it.
    KeptOut,
}

/// Contents that devices pulled, and that stop a rollout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Why, in words.
    pub why: String,
    /// Which rule says so.
    pub rule: StopRule,
}

/// What a gate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It holds nothing up.
    Pass,
    /// Not yet.
    Wait {
        /// What for, in words.
        why: String,
        /// When it passes at the soonest, where only time is missing.
        until: Option<Timestamp>,
    },
    /// The rollout must not go on.
    Stop {
        /// Why, in words.
        why: String,
        /// Which rule says so.
        rule: StopRule,
    },
    /// Nothing is proven, and waiting will not change it.
    Inconclusive {
        /// Why, in words.
        why: String,
    },
}

impl Gate {
    /// The names of all.
    pub const NAMES: [&str; 9] =
        ["approval", "not_before", "window", "contents", "failure_rules", "settled", "delay", "soak", "unknown"];

    /// Its name in the API.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Approval { .. } => "approval",
            Self::NotBefore { .. } => "not_before",
            Self::Window => "window",
            Self::Contents => "contents",
            Self::FailureRules => "failure_rules",
            Self::Settled => "settled",
            Self::Delay { .. } => "delay",
            Self::Soak { .. } => "soak",
            Self::Unknown => "unknown",
        }
    }

    /// What it says of a rollout that stands before it.
    pub fn check(&self, facts: &Facts<'_>) -> Verdict {
        match self {
            Self::Approval { expiry_hours } => approval::check(*expiry_hours, facts),
            Self::NotBefore { at } => not_before::check(*at, facts),
            Self::Window => window::check(facts),
            Self::Contents => contents::check(facts),
            Self::FailureRules => failure_rules::check(facts),
            Self::Settled => settled::check(facts),
            Self::Delay { seconds } => delay::check(*seconds, facts),
            Self::Soak { seconds } => soak::check(*seconds, facts),
            Self::Unknown => Verdict::wait("a gate of a later version of Tidegate; deploy that version again"),
        }
    }
}

impl Verdict {
    fn wait(why: impl Into<String>) -> Self {
        Self::Wait { why: why.into(), until: None }
    }

    /// Waits until a time that lies ahead.
    fn until(at: Timestamp, now: Timestamp, why: impl FnOnce() -> String) -> Self {
        if at > now { Self::Wait { why: why(), until: Some(at) } } else { Self::Pass }
    }

    /// What wins is higher. Of waits for time alone the last to end says when it goes on.
    const fn rank(&self) -> (u8, Option<Timestamp>) {
        match self {
            Self::Stop { .. } => (4, None),
            Self::Inconclusive { .. } => (3, None),
            Self::Wait { until: None, .. } => (2, None),
            Self::Wait { until, .. } => (1, *until),
            Self::Pass => (0, None),
        }
    }
}

/// The verdict of a place that has all of these: a stop before what proves nothing, that before a wait; of two alike the
/// first. Every gate is asked, so that one that waits hides none that fired.
pub fn winner(gates: &[Gate], facts: &Facts<'_>) -> Verdict {
    let verdicts = gates.iter().map(|gate| gate.check(facts));
    verdicts.reduce(|first, next| if next.rank() > first.rank() { next } else { first }).unwrap_or(Verdict::Pass)
}
