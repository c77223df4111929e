//! A rollout's journal: pages of count changes and outcomes, one after another, each written together with the rows
//! that it counts.

use jiff::Timestamp;
use jiff::fmt::serde::timestamp::millisecond::required as ms;
use serde::{Deserialize, Serialize};

use crate::counts::{Counts, Zones};
use crate::failure_rules::Outcome;
use crate::image::{Digest, Tag};

/// A page.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Page {
    /// Changes of counts, one entry per batch.
    #[serde(rename = "d", default, skip_serializing_if = "Vec::is_empty")]
    pub deltas: Vec<BatchDelta>,
    /// Of a planner's mark: the tag that (the first of) its devices run before.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub old_tag: Option<Tag>,
    /// Of a planner's mark: devices whose own time zone is not known.
    #[serde(rename = "z", default, skip_serializing_if = "Zones::is_none")]
    pub zones: Zones,
    /// Outcomes, in the one order that there is.
    #[serde(rename = "o", default, skip_serializing_if = "Vec::is_empty")]
    pub outcomes: Vec<PageOutcome>,
    /// What devices of an unpinned rollout pulled, each content once.
    #[serde(rename = "p", default, skip_serializing_if = "Vec::is_empty")]
    pub pulled: Vec<Digest>,
}

/// What a page adds to a batch's counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchDelta {
    /// From 1.
    #[serde(rename = "b")]
    pub batch: u32,
    /// May be negative.
    #[serde(rename = "k")]
    pub counts: Counts,
}

/// One device's outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageOutcome {
    /// The batch that the device counts in.
    #[serde(rename = "b")]
    pub batch: u32,
    /// What it is.
    #[serde(rename = "o")]
    pub outcome: Outcome,
    /// Server time.
    #[serde(rename = "t", with = "ms")]
    pub at: Timestamp,
    /// The digest that a healthy device of an unpinned rollout runs.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

impl Page {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.outcomes.is_empty() && self.pulled.is_empty() && self.deltas.iter().all(|delta| delta.counts.is_empty())
    }

    /// Adds the page to batches' counts.
    pub fn count_into(&self, batches: &mut [crate::rollout::Batch]) {
        for delta in &self.deltas {
            if let Some(batch) = batches.get_mut((delta.batch as usize).wrapping_sub(1)) {
                batch.counts.merge(&delta.counts);
            }
        }
    }
}
