//! A rollout's own item.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tidegate_domain::ids::RolloutId;
use tidegate_domain::rollout::{Rollout, Status};

use super::{codec, remainders};
use crate::error::EngineError;
use crate::ports::{Condition, Freshness, Index, Item, Key, Query, Source, Store, Table, Write};

/// The one value of the `live` attribute, and of the `list` attribute.
pub(super) const LIVE: &str = "1";
const LIST: &str = "all";

/// The key of a rollout.
pub fn key(rollout: &RolloutId) -> Key {
    Key::simple(Table::Rollouts, rollout.as_str())
}

/// Reads a rollout.
pub async fn get(store: &dyn Store, rollout: &RolloutId, freshness: Freshness) -> Result<Option<Rollout>, EngineError> {
    let item = store.get(&key(rollout), freshness).await?;
    item.map(|item| codec::read(Table::Rollouts, item)).transpose()
}

/// Those of these rollouts that there are, by their ids; consistent.
pub async fn get_many(
    store: &dyn Store,
    ids: &BTreeSet<&RolloutId>,
) -> Result<BTreeMap<RolloutId, Rollout>, EngineError> {
    let keys: Vec<Key> = ids.iter().map(|id| key(id)).collect();
    let items = store.get_many(&keys, Freshness::Consistent).await?;
    let found = items.into_iter().flatten().map(|item| codec::read::<Rollout>(Table::Rollouts, item));
    found.map(|found| found.map(|rollout| (rollout.rollout_id.clone(), rollout))).collect()
}

fn item(rollout: &Rollout) -> Item {
    codec::write(rollout, [("list", LIST.into())])
}

/// Stores a new rollout.
pub fn create(rollout: &Rollout) -> Write {
    let live = Rollout { live: Some(LIVE.to_owned()), ..rollout.clone() };
    Write::Put { table: Table::Rollouts, item: item(&live), condition: Condition::Absent }
}

/// Stores a rollout that ends as it is created: there is nothing to step.
pub fn create_ended(rollout: &Rollout) -> Write {
    Write::Put { table: Table::Rollouts, item: item(rollout), condition: Condition::Absent }
}

/// Stores what a step made of the rollout that it read; refused where anyone else wrote it since.
pub fn save_step(next: &Rollout) -> Write {
    let read = next.revision - 1;
    Write::Put { table: Table::Rollouts, item: item(next), condition: Condition::Equals("revision", read.into()) }
}

/// Stores what a command made of a rollout: the attributes that it changed and one more revision, on the condition of
/// the old status alone, so that a step can never make it lose.
pub fn save_command(old: &Rollout, next: &Rollout) -> Write {
    let (old_item, next_item) = (item(old), item(next));
    let owned = COMMANDS_WRITE.iter().copied().filter(|name| old_item.get(*name) != next_item.get(*name));
    let (mut set, mut remove) = (Vec::new(), Vec::new());
    for name in owned {
        match next_item.get(name) {
            Some(value) => set.push((name, value.clone())),
            None => remove.push(name),
        }
    }
    Write::Update {
        key: key(&old.rollout_id),
        set,
        add: vec![("revision", 1)],
        remove,
        condition: Condition::Equals("status", old.status.name().into()),
    }
}

/// The attributes that a command may change.
const COMMANDS_WRITE: [&str; 15] = [
    "status",
    "resume_to",
    "command_at",
    "resumed_at",
    "judged_from",
    "skip_batch",
    "rollback",
    "reason",
    "decided",
    "completed_at",
    "asked_at",
    "wake_at",
    "check_at",
    "live",
    "target",
];

/// A newer image takes the rollout's place, on the condition that it is still in this status.
pub fn supersede(old: &Rollout, reason: &str, now: jiff::Timestamp) -> Write {
    let next = Rollout {
        status: Status::Superseded,
        reason: Some(reason.to_owned()),
        completed_at: Some(now),
        command_at: Some(now),
        resume_to: None,
        decided: None,
        check_at: None,
        live: Some(LIVE.to_owned()),
        ..old.clone()
    };
    save_command(old, &next)
}

/// Holds while the rollout has this status.
pub fn still(rollout: &Rollout, status: Status) -> Write {
    Write::Check { key: key(&rollout.rollout_id), condition: Condition::Equals("status", status.name().into()) }
}

/// What the sweep looks after.
#[derive(Debug, Default)]
pub struct Live {
    /// Rollouts that are not done with.
    pub rollouts: Vec<RolloutId>,
    /// What is left of deliveries: each one's source and name.
    pub remainders: Vec<(String, String)>,
}

/// A page of what the sweep looks after; eventual.
pub async fn live(store: &dyn Store, after: Option<String>) -> Result<(Live, Option<String>), EngineError> {
    let (ids, next) = ids(store, Index::LiveRollouts, LIVE, after, None).await?;
    let mut live = Live::default();
    for id in ids {
        match remainders::name(id.as_str()) {
            Some((source, delivery_id)) => live.remainders.push((source.to_owned(), delivery_id.to_owned())),
            None => live.rollouts.push(id),
        }
    }
    Ok((live, next))
}

/// A page of all rollouts, newest first; eventual.
pub async fn newest(
    store: &dyn Store,
    after: Option<String>,
    limit: u32,
) -> Result<(Vec<RolloutId>, Option<String>), EngineError> {
    ids(store, Index::RolloutsByTime, LIST, after, Some(limit)).await
}

async fn ids(
    store: &dyn Store,
    index: Index,
    pk: &str,
    after: Option<String>,
    limit: Option<u32>,
) -> Result<(Vec<RolloutId>, Option<String>), EngineError> {
    let query = Query {
        source: Source::Index(index),
        pk: pk.to_owned(),
        after,
        prefix: None,
        limit,
        descending: index == Index::RolloutsByTime,
        freshness: Freshness::Eventual,
    };
    let page = store.query(&query).await?;
    let id = |item: &Item| item.get("rollout_id").and_then(Value::as_str).map(RolloutId::trusted);
    Ok((page.items.iter().filter_map(id).collect(), page.next))
}
