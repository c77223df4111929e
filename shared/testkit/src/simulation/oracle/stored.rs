//! What is stored, read past every fault.

use std::collections::BTreeMap;

use tidegate_domain::device::Device;
use tidegate_domain::head::Head;
use tidegate_domain::ids::RolloutId;
use tidegate_domain::journal::Page;
use tidegate_domain::policy::Policy;
use tidegate_domain::rollout::Rollout;
use tidegate_domain::row::Row;
use tidegate_engine::entities::{devices, rows};
use tidegate_engine::ports::{Item, Table};

use crate::memory::MemoryStore;

/// Every rollout as it is stored, oldest first.
pub(in crate::simulation) fn rollouts(store: &MemoryStore) -> Vec<Rollout> {
    let items = store.peek_all(Table::Rollouts);
    let own = items.iter().filter(|item| item.contains_key("status"));
    own.filter_map(|item| from(item)).collect()
}

fn from<T: serde::de::DeserializeOwned>(item: &Item) -> Option<T> {
    serde_json::from_value(serde_json::Value::Object(item.clone())).ok()
}

pub(in crate::simulation) fn all_rows(store: &MemoryStore) -> Vec<Row> {
    store.peek_all(Table::DeviceRollouts).iter().filter_map(|item| rows::parse((**item).clone()).ok()).collect()
}

pub(super) fn all_devices(store: &MemoryStore) -> Vec<Device> {
    store.peek_all(Table::Devices).iter().filter_map(|item| devices::parse((**item).clone()).ok()).collect()
}

/// What was frozen with the rollout.
fn plan(store: &MemoryStore, id: &RolloutId) -> Option<Item> {
    let key = format!("{id}#plan");
    let items = store.peek_all(Table::Rollouts);
    let plan = items.iter().find(|item| item.get("rollout_id").and_then(|v| v.as_str()) == Some(key.as_str()));
    plan.map(|item| (**item).clone())
}

/// The policy as it was frozen with the rollout.
pub(super) fn policy(store: &MemoryStore, id: &RolloutId) -> Option<Policy> {
    serde_json::from_value(plan(store, id)?.get("policy")?.clone()).ok()
}

/// Whether a person asked for the rollout although its digest was kept out.
pub(super) fn retried(store: &MemoryStore, id: &RolloutId) -> bool {
    plan(store, id).is_some_and(|plan| plan.get("retry").and_then(serde_json::Value::as_bool) == Some(true))
}

/// The head of the rollout's image and policy.
pub(super) fn head(store: &MemoryStore, rollout: &Rollout) -> Option<Head> {
    let sort = format!("policy#{}", rollout.policy_id);
    let items = store.peek_all(Table::Images);
    let own = |item: &&std::sync::Arc<Item>| {
        let text = |name: &str| item.get(name).and_then(|v| v.as_str());
        text("repository") == Some(rollout.repository.as_str()) && text("item") == Some(sort.as_str())
    };
    items.iter().find(own).and_then(|item| from(item))
}

/// Every page of a rollout's journal, by number.
pub(super) fn pages(store: &MemoryStore, id: &RolloutId) -> BTreeMap<u32, Page> {
    let items = store.peek_all(Table::RolloutJournal);
    let own = items.iter().filter(|item| item.get("rollout_id").and_then(|v| v.as_str()) == Some(id.as_str()));
    own.filter_map(|item| {
        let number = item.get("n")?.as_str()?.strip_prefix("page#")?.parse().ok()?;
        Some((number, from(item)?))
    })
    .collect()
}
