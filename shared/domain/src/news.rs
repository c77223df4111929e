//! What a rollout was told of: when that happened, by whose clock, and whether a notice that comes now is older.
//!
//! Nobody signs a time, senders' clocks differ, registries replicate late and queues hold deliveries back for hours. So
//! a notice is stale only where it is older by more than such things explain.

use std::collections::BTreeMap;

use jiff::fmt::serde::timestamp::millisecond::{optional as ms_opt, required as ms};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How much older than what the same sender told a notice may be, in seconds: the clocks of one registry's machines.
pub const SAME_SENDER_SECONDS: i64 = 5 * 60;

/// How much older than what another sender, or a person, told a notice may be, in seconds: replication, and queues.
pub const OTHER_SENDER_SECONDS: i64 = 86_400;

/// The newest push, or the person's word, that a rollout follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct News {
    /// When it happened, by the sender's clock; none where the sender does not tell.
    #[serde(rename = "t", with = "ms_opt", default, skip_serializing_if = "Option::is_none")]
    pub happened_at: Option<Timestamp>,
    /// Who told it: a source and its kind, such as `docker-registry/ghcr`. None is a person.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// When the newest notice was taken.
    #[serde(rename = "a", with = "ms")]
    pub taken_at: Timestamp,
    /// Notices that were merged into the rollout before its digest was known. What the registry says counts only if it
    /// was asked after the last of them.
    #[serde(rename = "n", default, skip_serializing_if = "is_zero")]
    pub merged: u32,
    /// It is older than what the head was told of: only what the registry says now makes it count.
    #[serde(rename = "o", default, skip_serializing_if = "std::ops::Not::not")]
    pub older: bool,
    /// The newest that each sender told of before, in milliseconds; `person` is a person. It outlives the rollouts
    /// that others took the place of: what a sender told is remembered though somebody else told something since.
    #[serde(rename = "b", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub before: BTreeMap<String, i64>,
}

/// A person among senders, whose names have a slash.
const PERSON: &str = "person";

/// Senders that are remembered: of more, those that told something last.
const SENDERS: usize = 8;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// Why a notice is stale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stale {
    /// When what is newer happened.
    pub newer_at: Timestamp,
    /// Who told it; none is a person.
    pub sender: Option<String>,
}

/// What keeps a notice back that is acted on late.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overtaken {
    /// When what came after it was taken.
    pub newer_taken_at: Timestamp,
    /// Who told it; none is a person.
    pub sender: Option<String>,
}

impl News {
    /// Something without a time, that was taken then.
    pub const fn unknown(taken_at: Timestamp) -> Self {
        Self { happened_at: None, sender: None, taken_at, merged: 0, older: false, before: BTreeMap::new() }
    }

    /// A person's word.
    pub fn person(now: Timestamp) -> Self {
        Self { happened_at: Some(now), ..Self::unknown(now) }
    }

    /// A sender's. A time that lies ahead is taken for now, or it would make every later push stale.
    pub fn told(sender: &str, happened_at: Option<Timestamp>, now: Timestamp) -> Self {
        let happened_at = happened_at.map(|at| at.min(now));
        Self { happened_at, sender: Some(sender.to_owned()), ..Self::unknown(now) }
    }

    /// Whether it is older than something that was heard of before, by more than clocks and delays explain. Without a
    /// time of its own it is not.
    pub fn stale<'a>(&self, heard: impl IntoIterator<Item = &'a Self>) -> Option<Stale> {
        let mine = self.happened_at?;
        let newer = heard.into_iter().flat_map(Self::all).filter(|(sender, at, timed)| {
            let same = self.sender.is_some() && self.sender.as_deref() == *sender && *timed;
            let limit = if same { SAME_SENDER_SECONDS } else { OTHER_SENDER_SECONDS };
            at.duration_since(mine) > SignedDuration::from_secs(limit)
        });
        let (sender, newer_at, _) = newer.max_by_key(|(_, at, _)| *at)?;
        Some(Stale { newer_at, sender: sender.map(str::to_owned) })
    }

    /// Who told of what when, and whether that is its sender's own time: itself, and what came before.
    fn all(&self) -> impl Iterator<Item = (Option<&str>, Timestamp, bool)> {
        let before = self.before.iter().filter_map(|(sender, at)| {
            let sender = (sender != PERSON).then_some(sender.as_str());
            Some((sender, Timestamp::from_millisecond(*at).ok()?, true))
        });
        std::iter::once((self.sender.as_deref(), self.at(), self.happened_at.is_some())).chain(before)
    }

    /// It takes the place of what was told of the other, and remembers that.
    #[must_use]
    pub fn after(mut self, other: &Self) -> Self {
        for (sender, at, timed) in other.all() {
            // Nobody told who: what is the same sender's cannot be known.
            let nameless = sender == Some("");
            let itself = self.sender.as_deref() == sender && self.happened_at.is_some_and(|mine| mine >= at);
            if itself || nameless || !timed {
                continue;
            }
            let newest = self.before.entry(sender.unwrap_or(PERSON).to_owned()).or_insert(i64::MIN);
            *newest = (*newest).max(at.as_millisecond());
        }
        while self.before.len() > SENDERS {
            let oldest = self.before.iter().min_by_key(|(_, at)| **at).map(|(sender, _)| sender.clone());
            self.before.remove(&oldest.unwrap_or_default());
        }
        self
    }

    /// Whether something that was heard of was taken after it. It is only asked of a notice that is acted on long after
    /// it was taken: of others the clocks of two functions would decide.
    pub fn overtaken<'a>(&self, heard: impl IntoIterator<Item = &'a Self>) -> Option<Overtaken> {
        let later = heard.into_iter().filter(|heard| heard.taken_at > self.taken_at);
        let last = later.max_by_key(|heard| heard.taken_at)?;
        Some(Overtaken { newer_taken_at: last.taken_at, sender: last.sender.clone() })
    }

    /// Whether it surely happened after the other.
    pub fn follows(&self, other: &Self) -> bool {
        self.happened_at.zip(other.happened_at).is_some_and(|(mine, theirs)| mine > theirs)
    }

    /// What counts of both after one more notice was taken: what makes more of what comes later stale. `merged` tells
    /// whether it is one that a digest must be asked for after.
    #[must_use]
    pub fn with(&self, later: &Self, merged: bool) -> Self {
        let (newest, other) = if self.floor() > later.floor() { (self, later) } else { (later, self) };
        let both = Self {
            happened_at: newest.happened_at,
            sender: newest.sender.clone(),
            taken_at: self.taken_at.max(later.taken_at),
            merged: self.merged + u32::from(merged),
            older: self.older && later.older,
            before: newest.before.clone(),
        };
        both.after(other)
    }

    /// What the same sender tells of before this is stale, and after a person's word what anybody does.
    fn floor(&self) -> Option<Timestamp> {
        let limit = if self.sender.is_some() { SAME_SENDER_SECONDS } else { OTHER_SENDER_SECONDS };
        self.happened_at.map(|at| at.saturating_sub(SignedDuration::from_secs(limit)).unwrap_or(Timestamp::MIN))
    }

    /// When it happened, or was at the latest.
    fn at(&self) -> Timestamp {
        self.happened_at.unwrap_or(self.taken_at)
    }
}

#[cfg(test)]
mod tests;
