//! Who has a policy's name, and whose it was last.
//!
//! A record stands under each name. Deleting a policy leaves its id and last revision there, so that what is created
//! again under that name is the same policy: its heads, and with them the live rollout, what was promoted and what is
//! kept out, are found by its id. Renaming a policy takes its id along and leaves nothing.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidegate_domain::ids::PolicyId;
use tidegate_domain::policy::WrittenPolicy;

use super::codec;
use crate::error::EngineError;
use crate::ports::{Condition, Freshness, Item, Key, Store, Table, Write};

/// What the keys of names begin with; no id does.
const NAMES: &str = "name#";

/// What stands under a name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameRecord {
    /// The policy that has the name now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_id: Option<PolicyId>,
    /// The policy that was deleted under this name last, and was not created again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_id: Option<PolicyId>,
    /// Its last revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_revision: Option<u64>,
}

impl NameRecord {
    /// The policy that is created again where one is created under this name, and its last revision.
    pub fn left(&self) -> Option<(&PolicyId, u64)> {
        self.left_id.as_ref().zip(self.left_revision)
    }

    fn without_owner(&self) -> Self {
        Self { policy_id: None, ..self.clone() }
    }
}

/// The key of a name's record.
pub fn key(name: &str) -> Key {
    Key::simple(Table::Policies, format!("{NAMES}{name}"))
}

/// Whether an item of the policies' table is a name's record.
pub(super) fn is_name(item: &Item) -> bool {
    item.get("id").and_then(Value::as_str).is_some_and(|id| id.starts_with(NAMES))
}

/// Reads what stands under a name; consistent. An empty record where nothing does.
pub async fn get(store: &dyn Store, name: &str) -> Result<NameRecord, EngineError> {
    let item = store.get(&key(name), Freshness::Consistent).await?;
    item.map_or_else(|| Ok(NameRecord::default()), |item| codec::read(Table::Policies, item))
}

fn put(name: &str, record: &NameRecord, condition: Condition) -> Write {
    Write::Put { table: Table::Policies, item: codec::write(record, [("id", key(name).pk.into())]), condition }
}

/// Holds while nobody has the name and the record is the one that was read.
fn still_free(read: &NameRecord) -> Condition {
    match read.left() {
        None => Condition::Absent,
        Some((id, revision)) => Condition::All(vec![
            Condition::Missing("policy_id"),
            Condition::Equals("left_id", id.as_str().into()),
            Condition::Equals("left_revision", revision.into()),
        ]),
    }
}

/// A new policy takes its name, and with it what was left there; refused where that is no longer what was `read`.
pub fn take(policy: &WrittenPolicy, read: &NameRecord) -> Write {
    let record = NameRecord { policy_id: Some(policy.id.clone()), ..NameRecord::default() };
    put(&policy.name, &record, still_free(read))
}

/// A renamed policy takes another name. What was left there stays, and is found again once the name is free.
pub fn take_renamed(policy: &WrittenPolicy, read: &NameRecord) -> Write {
    let record = NameRecord { policy_id: Some(policy.id.clone()), ..read.clone() };
    put(&policy.name, &record, still_free(read))
}

/// A renamed policy leaves its name; `read` stands under it. Refused where another policy has it.
pub fn leave(policy: &WrittenPolicy, read: &NameRecord) -> Write {
    let condition = owned_by(policy);
    match read.left() {
        None => Write::Delete { key: key(&policy.name), condition },
        Some(_) => put(&policy.name, &read.without_owner(), condition),
    }
}

/// A policy is deleted, and its id stays with its name. Refused where another policy has it.
pub fn keep(policy: &WrittenPolicy) -> Write {
    let record = NameRecord { policy_id: None, left_id: Some(policy.id.clone()), left_revision: Some(policy.revision) };
    put(&policy.name, &record, owned_by(policy))
}

fn owned_by(policy: &WrittenPolicy) -> Condition {
    Condition::Equals("policy_id", policy.id.as_str().into())
}
