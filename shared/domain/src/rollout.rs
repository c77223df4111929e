//! A rollout: what is to be updated, how far it is open, and where it stands.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::fmt::serde::timestamp::millisecond::{optional as ms_opt, required as ms};
use serde::{Deserialize, Serialize};

use crate::counts::Zones;
use crate::counts::{Class, Counts};
use crate::failure_rules::FailureRules;
use crate::ids::{PolicyId, RolloutId};
use crate::image::{Digest, Repository, Tag};
use crate::news::News;
use crate::pin::Pin;
use crate::policy::{Safeguard, Strategy};

/// Where a rollout stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Its digest is being resolved, its devices are being planned.
    Pending,
    /// A person must say yes.
    AwaitingApproval,
    /// Waits for its first window.
    Scheduled,
    /// Devices are offered the image, as far as it is open.
    InProgress,
    /// No new offers until resumed.
    Paused,
    /// Every batch is done.
    Completed,
    /// Planning was impossible, or every device settled and none is healthy.
    Failed,
    /// Stopped for good by a person; what is updated stays.
    Cancelled,
    /// A newer image took its place.
    Superseded,
    /// A person said no.
    Rejected,
    /// Nobody approved in time.
    Expired,
    /// Every device goes back to its own old image.
    RollingBack,
    /// Every device is back, or listed.
    RolledBack,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 13] = [
        Self::Pending,
        Self::AwaitingApproval,
        Self::Scheduled,
        Self::InProgress,
        Self::Paused,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
        Self::Superseded,
        Self::Rejected,
        Self::Expired,
        Self::RollingBack,
        Self::RolledBack,
    ];

    /// Its name in the API and in the item.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::AwaitingApproval => "awaiting_approval",
            Self::Scheduled => "scheduled",
            Self::InProgress => "in_progress",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Superseded => "superseded",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::RollingBack => "rolling_back",
            Self::RolledBack => "rolled_back",
        }
    }

    /// The status of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Whether the rollout can still offer its image, now or later.
    pub const fn live(self) -> bool {
        match self {
            Self::Pending | Self::AwaitingApproval | Self::Scheduled | Self::InProgress | Self::Paused => true,
            Self::Completed
            | Self::Failed
            | Self::Cancelled
            | Self::Superseded
            | Self::Rejected
            | Self::Expired
            | Self::RollingBack
            | Self::RolledBack => false,
        }
    }

    /// Whether it waits for devices that have a place in it, or may do so again: rows that nobody settles keep it from
    /// its end.
    pub const fn waits_for_devices(self) -> bool {
        self.live() || matches!(self, Self::Expired | Self::RollingBack)
    }

    /// Whether devices that took the image are to go back to their old one.
    pub const fn takes_back(self) -> bool {
        matches!(self, Self::RollingBack | Self::RolledBack)
    }

    /// Whether an offer that was not followed by a swap is withdrawn: the rollout ended, other than well.
    pub const fn withdraws(self) -> bool {
        match self {
            Self::Failed
            | Self::Cancelled
            | Self::Superseded
            | Self::Rejected
            | Self::Expired
            | Self::RollingBack
            | Self::RolledBack => true,
            Self::Pending
            | Self::AwaitingApproval
            | Self::Scheduled
            | Self::InProgress
            | Self::Paused
            | Self::Completed => false,
        }
    }
}

/// What set a rollout off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// A registry's delivery.
    Webhook,
    /// A person.
    Manual,
}

/// One batch: the positions below `end` that no earlier batch has, and the devices that count in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// One past its last position in the plan's order.
    #[serde(rename = "e")]
    pub end: u32,
    /// When its first device could be offered the image.
    #[serde(rename = "o", with = "ms_opt", default, skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<Timestamp>,
    /// When every device of it had settled.
    #[serde(rename = "f", with = "ms_opt", default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// The rows that count in it.
    #[serde(rename = "k")]
    pub counts: Counts,
}

/// A rollback of everything. One write starts it, whatever the fleet's size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollback {
    /// When it was commanded.
    #[serde(with = "ms")]
    pub started_at: Timestamp,
    /// Positions below this go back; `u32::MAX` is everyone, latecomers included.
    pub open_to: u32,
    /// At most about this many at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_in_flight: Option<u32>,
    /// Only inside the policy's windows.
    #[serde(default)]
    pub respect_windows: bool,
}

/// What a person had passed over of the policy, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// The policy's safeguards that this rollout goes without.
    pub passed_over: BTreeSet<Safeguard>,
    /// Why, in the person's words.
    pub reason: String,
}

/// Who brought a rollout to where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// A person; operators' tokens have no names yet.
    Operator,
    /// The rules that stop a rollout.
    Rules,
}

impl By {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Operator => "an operator",
            Self::Rules => "the failure rules",
        }
    }
}

/// Who stopped a rollout or let it go on last, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// Who.
    #[serde(rename = "b")]
    pub by: By,
    /// When.
    #[serde(rename = "t", with = "ms")]
    pub at: Timestamp,
}

/// A rollout's own item. Commands write `status` and the fields beside it; only the step writes progress.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rollout {
    /// Its id.
    pub rollout_id: RolloutId,
    /// What it updates.
    pub repository: Repository,
    /// The policy that it follows, as it was when the rollout was created.
    pub policy_id: PolicyId,
    /// The policy's name.
    pub policy: String,
    /// Grows with every rollout of the repository; a higher one wins a device.
    pub generation: u64,
    /// Grows with every write of this item.
    pub revision: u64,
    /// Where it stands.
    pub status: Status,
    /// What a paused rollout goes back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume_to: Option<Status>,
    /// The image; its digest may become known on the way.
    pub target: Pin,
    /// The tag that the fleet ran before, where it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_tag: Option<Tag>,
    /// The policy's strategy.
    pub strategy: Strategy,
    /// What set it off.
    pub triggered_by: Trigger,
    /// What it was told of; rollouts of versions that did not keep it have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub news: Option<News>,
    /// What of its policy it passes over.
    #[serde(default, rename = "override", skip_serializing_if = "Option::is_none")]
    pub overridden: Option<Override>,
    /// When it was created.
    #[serde(with = "ms")]
    pub created_at: Timestamp,
    /// When its first batch opened.
    #[serde(with = "ms_opt", default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(with = "ms_opt", default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// Since when it waits for approval.
    #[serde(with = "ms_opt", default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Timestamp>,
    /// Positions in the plan's order; 0 until planned.
    #[serde(default)]
    pub total: u32,
    /// Devices whose own time zone was not known when it was planned.
    #[serde(default, skip_serializing_if = "Zones::is_none")]
    pub zones: Zones,
    /// Positions below this are offered the image.
    #[serde(default)]
    pub open_to: u32,
    /// The newest open batch, from 1; 0 before the first.
    #[serde(default)]
    pub batch: u32,
    /// Its batches, once planned.
    #[serde(default)]
    pub batches: Vec<Batch>,
    /// The last journal page that the counts include.
    #[serde(default)]
    pub cursor: u32,
    /// What the failure rules have seen.
    #[serde(default, rename = "judge")]
    pub failure_rules: FailureRules,
    /// The last journal page at the last resume: outcomes up to it are counted, not judged.
    #[serde(default)]
    pub judged_from: u32,
    /// When a command last changed it.
    #[serde(with = "ms_opt", default, skip_serializing_if = "Option::is_none")]
    pub command_at: Option<Timestamp>,
    /// When it was last resumed.
    #[serde(with = "ms_opt", default, skip_serializing_if = "Option::is_none")]
    pub resumed_at: Option<Timestamp>,
    /// The open batch may be left without a healthy device; a person said so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skip_batch: bool,
    /// The rollback of everything, where one was commanded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<Rollback>,
    /// Who brought it there: the last command, or the rules that stopped it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<Decided>,
    /// Why it stands where it stands, where there is more to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The newest healthy outcome.
    #[serde(with = "ms_opt", default, skip_serializing_if = "Option::is_none")]
    pub last_healthy_at: Option<Timestamp>,
    /// The digest that healthy devices of an unpinned rollout reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<Digest>,
    /// What devices of an unpinned rollout told that they pulled, and the step found not to be kept out: who pulled one of
    /// these may swap.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub admitted: Vec<Digest>,
    /// What they told and is kept out: the rollout stops until a person clears it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept_out: Vec<Digest>,
    /// When rows are next looked through for late devices.
    #[serde(with = "ms_opt", default, skip_serializing_if = "Option::is_none")]
    pub check_at: Option<Timestamp>,
    /// The soonest wake-up that was asked for.
    #[serde(with = "ms_opt", default, skip_serializing_if = "Option::is_none")]
    pub wake_at: Option<Timestamp>,
    /// Set while the sweep must step it: until it ended and nothing of it is in flight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<String>,
}

impl Rollout {
    /// What it was told of. One that does not know was told of something when it was created, by whomever.
    pub fn heard(&self) -> News {
        self.news.clone().unwrap_or_else(|| News::unknown(self.created_at))
    }

    /// How many notices were merged into it.
    pub fn merged(&self) -> u32 {
        self.news.as_ref().map_or(0, |news| news.merged)
    }

    /// Whether nothing fixed its content yet: nobody asked the registry with success, and nobody was offered anything.
    pub fn open_content(&self) -> bool {
        self.status == Status::Pending && self.target.digest.is_none()
    }

    /// The counts of all batches.
    pub fn counts(&self) -> Counts {
        let mut all = Counts::default();
        for batch in &self.batches {
            all.merge(&batch.counts);
        }
        all
    }

    /// The open batch.
    pub fn current(&self) -> Option<&Batch> {
        self.batches.get((self.batch as usize).checked_sub(1)?)
    }

    /// The batch (from 1) whose positions include this one; the last for a latecomer.
    pub fn batch_of(&self, position: u32) -> u32 {
        let passed = self.batches.iter().filter(|batch| batch.end <= position).count();
        (passed + 1).min(self.batches.len().max(1)) as u32
    }

    /// Whether the plan's order is open to this position. Latecomers (beyond the plan) wait for the last batch.
    pub fn open_for(&self, position: u32) -> bool {
        position < self.open_to || (self.total > 0 && self.open_to >= self.total)
    }

    /// Whether a device that told that it pulled this content may swap to it. What is pinned was looked at before anything
    /// was offered, and a device that tells nothing is not held up.
    pub fn admits(&self, pulled: Option<&Digest>) -> bool {
        self.target.digest.is_some() || pulled.is_none_or(|pulled| self.admitted.contains(pulled))
    }

    /// Whether the rollback of everything has reached this position.
    pub fn rollback_open_for(&self, position: u32) -> bool {
        self.rollback.as_ref().is_some_and(|rollback| position < rollback.open_to || rollback.open_to >= self.total)
    }

    /// Rows of ended or stopped rollouts that the step still waits for.
    pub fn in_flight(&self) -> u32 {
        let counts = self.counts();
        counts.of(Class::Updating) + counts.of(Class::Reverting) + counts.of(Class::Blocked)
    }
}
