//! What is stored, read past every fault.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate_domain::device::Device;
use tidegate_domain::head::Head;
use tidegate_domain::ids::{PolicyId, RolloutId};
use tidegate_domain::journal::Page;
use tidegate_domain::policy::{Policy, WrittenPolicy};
use tidegate_domain::rollout::Rollout;
use tidegate_domain::row::Row;
use tidegate_engine::entities::remainders::Remainder;
use tidegate_engine::entities::{devices, policies, rows};
use tidegate_engine::ports::{Item, Key, Table};
use tidegate_engine::settings::Settings;

use crate::memory::MemoryStore;

/// Every rollout as it is stored, oldest first.
pub(in crate::simulation) fn rollouts(store: &MemoryStore) -> Vec<Rollout> {
    let items = store.peek_all(Table::Rollouts);
    items.iter().filter(|item| item.contains_key("status")).map(|item| from(item)).collect()
}

/// What is left of deliveries, or was.
pub(in crate::simulation) fn remainders(store: &MemoryStore) -> Vec<Remainder> {
    let items = store.peek_all(Table::Rollouts);
    items.iter().filter(|item| item.contains_key("notices")).map(|item| from(item)).collect()
}

/// What cannot be read must not pass for what is not there: an oracle that sees nothing finds nothing.
fn from<T: serde::de::DeserializeOwned>(item: &Item) -> T {
    serde_json::from_value(serde_json::Value::Object(item.clone())).expect("what was stored can be read")
}

/// Every policy as it is stored.
pub(in crate::simulation) fn stored_policies(store: &MemoryStore) -> BTreeMap<PolicyId, WrittenPolicy> {
    let items = store.peek_all(Table::Policies);
    let all = items.iter().filter(|item| item.contains_key("revision"));
    let all = all.map(|item| policies::parse((**item).clone()).expect("a policy that was stored can be read"));
    all.map(|policy| (policy.id.clone(), policy)).collect()
}

/// Every head.
pub(super) fn heads(store: &MemoryStore) -> Vec<Head> {
    let items = store.peek_all(Table::Images);
    items.iter().filter(|item| item.contains_key("policy_id")).map(|item| from(item)).collect()
}

/// What stands beside a rollout.
fn plan_of(store: &MemoryStore, id: &RolloutId) -> Option<Arc<Item>> {
    store.peek(&Key::simple(Table::Rollouts, format!("{id}#plan")))
}

/// Whether a person has a digest tried again.
pub(super) fn is_retry(store: &MemoryStore, id: &RolloutId) -> bool {
    plan_of(store, id).is_some_and(|plan| plan.get("retry").and_then(serde_json::Value::as_bool) == Some(true))
}

pub(in crate::simulation) fn all_rows(store: &MemoryStore) -> Vec<Row> {
    let items = store.peek_all(Table::DeviceRollouts);
    items.iter().map(|item| rows::parse((**item).clone()).expect("a row that was stored can be read")).collect()
}

pub(super) fn all_devices(store: &MemoryStore) -> Vec<Device> {
    let items = store.peek_all(Table::Devices);
    items.iter().map(|item| devices::parse((**item).clone()).expect("a device that was stored can be read")).collect()
}

/// The head of the rollout's image and policy.
pub(super) fn head(store: &MemoryStore, rollout: &Rollout) -> Option<Head> {
    heads(store).into_iter().find(|head| head.repository == rollout.repository && head.policy_id == rollout.policy_id)
}

/// The policy as it was frozen with the rollout.
pub(super) fn policy(store: &MemoryStore, id: &RolloutId) -> Option<Policy> {
    let policy = plan_of(store, id)?.get("policy")?.clone();
    Some(serde_json::from_value(policy).expect("a policy that was stored can be read"))
}

/// Every page of a rollout's journal, by number.
pub(super) fn pages(store: &MemoryStore, id: &RolloutId) -> BTreeMap<u32, Page> {
    let items = store.peek_all(Table::RolloutJournal);
    let own = items.iter().filter(|item| item.get("rollout_id").and_then(|v| v.as_str()) == Some(id.as_str()));
    own.filter_map(|item| {
        let number = item.get("n")?.as_str()?.strip_prefix("page#")?.parse().ok()?;
        Some((number, from(item)))
    })
    .collect()
}

/// A policy with every value filled in, as it is written in this revision; `None` where it is another one now, or gone.
pub(super) fn effective(store: &MemoryStore, id: &PolicyId, revision: u64) -> Option<Policy> {
    let written = stored_policies(store).remove(id).filter(|policy| policy.revision == revision)?;
    Some(written.effective(&Settings::default().policy_defaults).policy)
}
