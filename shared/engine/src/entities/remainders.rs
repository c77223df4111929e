//! What is left of a delivery that too many policies match for one answer: its notices, and how far they are.
//!
//! It stands in the table of rollouts: whoever sweeps these finds it there until nothing is left, by the same query.

use jiff::Timestamp;
use jiff::fmt::serde::timestamp::millisecond::required as ms;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidegate_domain::image::Repository;
use tidegate_domain::webhook::PushNotice;

use super::deliveries::KEPT_SECONDS;
use super::{codec, rollouts};
use crate::error::EngineError;
use crate::ports::{Condition, Freshness, Item, Key, Store, Table, Write};

/// What a delivery's part in the names of these begins with; a rollout's id has no such sign.
const PREFIX: &str = "delivery#";

/// Notices that some policies are still to be asked about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Remainder {
    /// Where the delivery came from.
    pub source: String,
    /// Names what is left of it.
    pub delivery_id: String,
    /// The source and its kind.
    pub sender: String,
    /// When the delivery was taken.
    #[serde(with = "ms")]
    pub taken_at: Timestamp,
    /// A person wanted it to be looked at again.
    #[serde(default)]
    pub replay: bool,
    /// Although it is older.
    #[serde(default)]
    pub force: bool,
    /// The notices, of one or several repositories.
    pub notices: Vec<Left>,
    /// Who is asked next; where there is nobody, nothing is left to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Place>,
    /// What became of them so far, for repeats.
    #[serde(default)]
    pub outcomes: Vec<Outcome>,
    /// Grows with every write.
    pub revision: u64,
}

/// One of the notices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Left {
    /// What was told.
    pub notice: PushNotice,
    /// What the marks of its rollouts are named by.
    pub marks: Vec<String>,
}

/// A policy in the order in which they are asked: by repository, and then by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The repository.
    pub repository: Repository,
    /// The policy's name.
    pub policy: String,
}

/// What became of a notice under one policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The notice, by its place among these.
    pub n: usize,
    /// As an answer tells it.
    pub told: Value,
}

/// Where a notice of a delivery stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// In this remainder.
    pub delivery_id: String,
    /// By its place among the notices.
    pub n: usize,
}

fn key(source: &str, delivery_id: &str) -> Key {
    Key::simple(Table::Rollouts, format!("{PREFIX}{source}#{delivery_id}"))
}

/// The source and the name of what this key is of; none where it is a rollout's.
pub fn name(key: &str) -> Option<(&str, &str)> {
    key.strip_prefix(PREFIX)?.split_once('#')
}

/// Reads one. Always consistent.
pub async fn get(store: &dyn Store, source: &str, delivery_id: &str) -> Result<Option<Remainder>, EngineError> {
    let item = store.get(&key(source, delivery_id), Freshness::Consistent).await?;
    item.map(|item| codec::read(Table::Rollouts, item)).transpose()
}

fn item(remainder: &Remainder) -> Item {
    let attributes = [
        ("rollout_id", key(&remainder.source, &remainder.delivery_id).pk.into()),
        ("expires_at", (remainder.taken_at.as_second() + KEPT_SECONDS).into()),
    ];
    let live = remainder.next.is_some().then(|| ("live", rollouts::LIVE.into()));
    codec::write(remainder, attributes.into_iter().chain(live))
}

/// Stores a new one; refused where there is one of this name, whether anything is left of that or not.
pub fn create(remainder: &Remainder) -> Write {
    Write::Put { table: Table::Rollouts, item: item(remainder), condition: Condition::Absent }
}

/// Stores the next revision, on the condition that the stored one is still the one before it.
pub fn save(remainder: &Remainder) -> Write {
    let read = remainder.revision - 1;
    Write::Put { table: Table::Rollouts, item: item(remainder), condition: Condition::Equals("revision", read.into()) }
}
