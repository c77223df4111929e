//! What stands beside a rollout, each written once: its policy's snapshot, what the registry said, the frozen order.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidegate_domain::context::Plan;
use tidegate_domain::ids::{DeviceUuid, RolloutId};
use tidegate_domain::image::Digest;
use tidegate_domain::planning::PAGE_SIZE;
use tidegate_domain::policy::Policy;
use tidegate_domain::strategy::{Stages, compile};

use super::codec;
use crate::error::EngineError;
use crate::ports::{Condition, Freshness, Item, Key, Store, Table, Write};

/// What the registry said of the rollout's tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolved {
    /// The digest; none where it could not be found out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Of a multi-platform image, each platform's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub platforms: BTreeMap<String, Digest>,
    /// Why there is no digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why_not: Option<String>,
    /// How many notices were merged into the rollout before the registry was asked.
    #[serde(default)]
    pub merged: u32,
    /// The registry itself answered, and nobody else: it can say what another tag means.
    #[serde(default)]
    pub asked: bool,
}

/// The frozen order of a rollout's devices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Names the pages.
    pub hash: String,
    /// Devices.
    pub total: u32,
}

impl Order {
    /// Pages that it is stored in.
    pub const fn pages(&self) -> u32 {
        self.total.div_ceil(PAGE_SIZE as u32)
    }
}

#[derive(Serialize, Deserialize)]
struct PlanItem {
    policy: Policy,
    /// Absent where an earlier version wrote the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stages: Option<Stages>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_of: Option<RolloutId>,
    #[serde(default)]
    retry: bool,
}

#[derive(Serialize, Deserialize)]
struct PageItem {
    devices: Vec<DeviceUuid>,
}

fn beside(rollout: &RolloutId, what: &str) -> Key {
    Key::simple(Table::Rollouts, format!("{rollout}#{what}"))
}

fn put_once(key: &Key, entity: &impl Serialize) -> Write {
    let item = codec::write(entity, [("rollout_id", key.pk.clone().into())]);
    Write::Put { table: Table::Rollouts, item, condition: Condition::Absent }
}

/// Stores the policy's snapshot, the stages that it is compiled to and, of a retry, the rollout whose failed devices it is for.
pub fn put_policy(rollout: &RolloutId, policy: &Policy, retry: bool, retry_of: Option<&RolloutId>) -> Write {
    let stages = Some(compile(policy));
    put_once(&beside(rollout, "plan"), &PlanItem { policy: policy.clone(), stages, retry_of: retry_of.cloned(), retry })
}

/// The rollout whose failed devices this one is for.
pub async fn retry_of(store: &dyn Store, rollout: &RolloutId) -> Result<Option<RolloutId>, EngineError> {
    let item = store.get(&beside(rollout, "plan"), Freshness::Consistent).await?;
    let item: Option<PlanItem> = item.map(|item| codec::read(Table::Rollouts, item)).transpose()?;
    Ok(item.and_then(|item| item.retry_of))
}

/// Stores what the registry said; the first answer since the last notice stays.
pub fn put_resolved(rollout: &RolloutId, resolved: &Resolved) -> Write {
    let key = beside(rollout, "resolved");
    let item = codec::write(resolved, [("rollout_id", key.pk.into())]);
    let condition = match resolved.merged {
        0 => Condition::Absent,
        merged => Condition::Any(vec![Condition::Missing("merged"), Condition::Below("merged", merged.into())]),
    };
    Write::Put { table: Table::Rollouts, item, condition }
}

/// Freezes the order; the first one stays.
pub fn put_order(rollout: &RolloutId, order: &Order) -> Write {
    put_once(&beside(rollout, "order"), order)
}

/// Whether the item is a page of an order.
pub fn is_page(item: &Item) -> bool {
    item.get("rollout_id").and_then(Value::as_str).is_some_and(|id| id.contains("#page#"))
}

fn page_key(rollout: &RolloutId, hash: &str, page: u32) -> Key {
    beside(rollout, &format!("page#{hash}#{page:06}"))
}

/// Stores one page of an order. Its name tells its content, so that storing it twice is the same.
pub fn put_page(rollout: &RolloutId, hash: &str, page: u32, devices: &[DeviceUuid]) -> Write {
    let key = page_key(rollout, hash, page);
    let item = codec::write(&PageItem { devices: devices.to_vec() }, [("rollout_id", key.pk.into())]);
    Write::Put { table: Table::Rollouts, item, condition: Condition::Always }
}

/// The devices of one page, in order.
pub async fn page(
    store: &dyn Store,
    rollout: &RolloutId,
    order: &Order,
    page: u32,
) -> Result<Option<Vec<DeviceUuid>>, EngineError> {
    let item = store.get(&page_key(rollout, &order.hash, page), Freshness::Consistent).await?;
    let item: Option<PageItem> = item.map(|item| codec::read(Table::Rollouts, item)).transpose()?;
    Ok(item.map(|item| item.devices))
}

/// What the registry said.
pub async fn resolved(store: &dyn Store, rollout: &RolloutId) -> Result<Option<Resolved>, EngineError> {
    let item = store.get(&beside(rollout, "resolved"), Freshness::Consistent).await?;
    item.map(|item| codec::read(Table::Rollouts, item)).transpose()
}

/// The frozen order.
pub async fn order(store: &dyn Store, rollout: &RolloutId) -> Result<Option<Order>, EngineError> {
    let item = store.get(&beside(rollout, "order"), Freshness::Consistent).await?;
    item.map(|item| codec::read(Table::Rollouts, item)).transpose()
}

/// What stands beside a rollout while it is stepped.
#[derive(Debug, Clone, PartialEq)]
pub struct Beside {
    /// The policy's snapshot with the platforms, as far as they are known.
    pub plan: Plan,
    /// A person asked for this rollout although its digest is kept out, or proven already.
    pub retry: bool,
    /// What the registry said.
    pub resolved: Option<Resolved>,
}

/// What stands beside a rollout; `None` where there is no plan.
pub async fn get(store: &dyn Store, rollout: &RolloutId) -> Result<Option<Beside>, EngineError> {
    let Some(item) = store.get(&beside(rollout, "plan"), Freshness::Consistent).await? else { return Ok(None) };
    let PlanItem { policy, stages, retry, .. } = codec::read(Table::Rollouts, item)?;
    let resolved = resolved(store, rollout).await?;
    let platforms = resolved.as_ref().map(|resolved| resolved.platforms.clone()).unwrap_or_default();
    let stages = stages.unwrap_or_else(|| compile(&policy));
    Ok(Some(Beside { plan: Plan { policy, platforms, stages }, retry, resolved }))
}

/// The policy's snapshot with the platforms, as far as they are known.
pub async fn plan(store: &dyn Store, rollout: &RolloutId) -> Result<Option<Plan>, EngineError> {
    Ok(get(store, rollout).await?.map(|beside| beside.plan))
}
