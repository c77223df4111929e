//! Planning, the only work that grows with the fleet: the order is frozen once, then assigned page by page.

use std::collections::BTreeSet;

use futures::{StreamExt, stream};
use jiff::Timestamp;
use tidegate_domain::assignment::Reason;
use tidegate_domain::context::RolloutContext;
use tidegate_domain::counts::Counts;
use tidegate_domain::ids::{DeviceUuid, PolicyId, RolloutId};
use tidegate_domain::image::ImageRef;
use tidegate_domain::journal::{BatchDelta, Page};
use tidegate_domain::planning::{self, PAGE_SIZE, Placed, place};
use tidegate_domain::policy::{Contest, WrittenPolicy, winner};
use tidegate_domain::rollout::{Rollout, Status};
use tidegate_domain::row::Row;

use crate::create::TRIES;
use crate::entities::device_images::{self, DeviceImage};
use crate::entities::{devices, journal, plans, policies, rollouts, rows};
use crate::error::EngineError;
use crate::memory::{Age, RolloutMemory};
use crate::ports::{Freshness, Job, Ports, Store, WriteError};

/// Devices that are assigned at the same time.
const AT_ONCE: usize = 16;

/// Attempts at one device within one message.
const ATTEMPTS: u32 = 4;

/// The id of the policy that stands in where no policy selects a device.
pub const DEFAULT_POLICY: &str = "default";

/// Whether this policy is the one that owns the device for the image.
pub(crate) fn owns(policy: &PolicyId, all: &[WrittenPolicy], image: &ImageRef, device: &DeviceImage) -> bool {
    match winner(all, image, &device.fleet_id, &device.tags) {
        Some(winner) => winner.id == *policy,
        None => policy.as_str() == DEFAULT_POLICY,
    }
}

/// The image that a rollout's policy was matched against.
pub(crate) fn image(rollout: &Rollout) -> ImageRef {
    ImageRef {
        repository: rollout.repository.clone(),
        tag: rollout.target.tag.clone(),
        digest: rollout.target.digest.clone(),
    }
}

/// Freezes the order of a rollout's devices: pages first, then the order that names them.
pub async fn freeze(ports: &Ports, rollout_id: &RolloutId) -> Result<(), EngineError> {
    let store = &*ports.store;
    let Some(rollout) = rollouts::get(store, rollout_id, Freshness::Consistent).await? else { return Ok(()) };
    let Some(plan) = plans::plan(store, rollout_id).await? else { return Ok(()) };
    if rollout.status == Status::Pending && plans::order(store, rollout_id).await?.is_none() {
        let policies = policies::about(store, &[&rollout.repository]).await?;
        let failed = failed_before(store, rollout_id).await?;
        let contest = Contest::over(&policies, &image(&rollout));
        let owns = |device: &DeviceImage| match contest.winner(&device.fleet_id, &device.tags) {
            Some(winner) => winner.id == rollout.policy_id,
            None => rollout.policy_id.as_str() == DEFAULT_POLICY,
        };
        let takes_part = |device: DeviceImage| {
            let takes_part = plan.policy.selector.selects(&device.fleet_id, &device.tags)
                && owns(&device)
                && failed.as_ref().is_none_or(|failed| failed.contains(&device.device_uuid));
            takes_part.then_some(device.device_uuid)
        };
        let selected = device_images::each(store, &rollout.repository, &takes_part).await?;
        let order = planning::order(rollout_id, selected);
        let hash = planning::order_hash(&order);
        for (page, devices) in (0..).zip(order.chunks(PAGE_SIZE)) {
            store.write(&[plans::put_page(rollout_id, &hash, page, devices)]).await?;
        }
        let frozen = plans::Order { hash, total: order.len() as u32 };
        match store.write(&[plans::put_order(rollout_id, &frozen)]).await {
            Ok(()) | Err(WriteError::Refused(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    nudge(ports, rollout_id).await
}

async fn nudge(ports: &Ports, rollout_id: &RolloutId) -> Result<(), EngineError> {
    Ok(ports.queues.send(&[Job::Step { rollout_id: rollout_id.clone() }], 0).await?)
}

/// Of a retry, the devices that failed before.
async fn failed_before(store: &dyn Store, id: &RolloutId) -> Result<Option<BTreeSet<DeviceUuid>>, EngineError> {
    let Some(before) = plans::retry_of(store, id).await? else { return Ok(None) };
    let mut failed = BTreeSet::new();
    for shard in 0..rows::SHARDS {
        let mut after = None;
        loop {
            let (rows, next) = rows::page(store, &before, shard, after, None).await?;
            failed.extend(rows.iter().filter(|row| row.ever_failed()).map(|row| row.device_uuid));
            if next.is_none() {
                break;
            }
            after = next;
        }
    }
    Ok(Some(failed))
}

/// Assigns the devices of one page. Safe to repeat, and to run beside itself.
pub async fn assign_page(
    ports: &Ports,
    memory: &RolloutMemory,
    rollout_id: &RolloutId,
    page: u32,
    now: Timestamp,
) -> Result<(), EngineError> {
    let store = &*ports.store;
    let Some(rollout) = rollouts::get(store, rollout_id, Freshness::Consistent).await? else { return Ok(()) };
    let (Some(plan), Some(order)) = (plans::plan(store, rollout_id).await?, plans::order(store, rollout_id).await?)
    else {
        return Ok(());
    };
    if rollout.status != Status::Pending {
        return Ok(());
    }
    let Some(devices) = plans::page(store, rollout_id, &order, page).await? else { return Ok(()) };
    let boundaries = plan.stages.boundaries(order.total);
    let new = RolloutContext { rollout, plan };
    let first = page * PAGE_SIZE as u32;
    let placed: Vec<Result<Row, EngineError>> = stream::iter((first..).zip(devices))
        .map(|(position, device)| {
            let batch = boundaries.iter().filter(|end| **end <= position).count() as u32 + 1;
            let (new, memory) = (&new, memory);
            async move { assign_surely(store, memory, device, new, (position, batch), now).await }
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    // One device's failure holds back none of the others; the page is done when all are.
    let placed: Vec<Row> = placed.into_iter().collect::<Result<_, _>>()?;
    match store.write(&[journal::mark(rollout_id, page, &counted(&placed))]).await {
        Ok(()) | Err(WriteError::Refused(_)) => {}
        Err(error) => return Err(error.into()),
    }
    nudge(ports, rollout_id).await
}

/// The rows as planning counted them; what the recorder made is counted in the journal.
fn counted(rows: &[Row]) -> Page {
    let old_tag = rows.iter().find_map(|row| row.old.as_ref()?.tag.clone());
    let mut page = Page { old_tag, ..Page::default() };
    for row in rows {
        let Some((batch, class)) = row.planned else { continue };
        match row.reason {
            Some(Reason::NoTimezone) => page.zones.missing += 1,
            Some(Reason::FallbackTimezone) => page.zones.fallback += 1,
            _ => {}
        }
        match page.deltas.iter_mut().find(|delta| delta.batch == batch) {
            Some(delta) => delta.counts.add(class, 1),
            None => {
                let mut counts = Counts::default();
                counts.add(class, 1);
                page.deltas.push(BatchDelta { batch, counts });
            }
        }
    }
    page
}

/// Assigns one device, once more where something did not answer: a page of a thousand must not start again for it.
async fn assign_surely(
    store: &dyn Store,
    memory: &RolloutMemory,
    device: DeviceUuid,
    new: &RolloutContext,
    place_in_order: (u32, u32),
    now: Timestamp,
) -> Result<Row, EngineError> {
    let mut last = None;
    for _ in 0..ATTEMPTS {
        match assign(store, memory, device, new, place_in_order, now).await {
            Ok(row) => return Ok(row),
            Err(error) if error.retryable() => last = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(last.unwrap_or(EngineError::Contended { what: "a device" }))
}

/// Assigns one device and writes its row; answers with the row as it is stored.
async fn assign(
    store: &dyn Store,
    memory: &RolloutMemory,
    device: DeviceUuid,
    new: &RolloutContext,
    place_in_order: (u32, u32),
    now: Timestamp,
) -> Result<Row, EngineError> {
    for _ in 0..TRIES {
        let row = match devices::get(store, device, Freshness::Consistent).await? {
            None => gone(device, new, place_in_order, now),
            Some(found) => {
                let old = memory.knowledge(store, found.rollout_ids(), Age::Fresh, now).await?;
                match place(&found, new, place_in_order, &old, now) {
                    Placed::Known(row) | Placed::Skipped(row) => row,
                    Placed::Assigned(assigned) => {
                        let (next, row) = *assigned;
                        match store.write(&[devices::save(&next)]).await {
                            Ok(()) => row,
                            Err(WriteError::Refused(_) | WriteError::Conflict) => continue,
                            Err(WriteError::Store(error)) => return Err(error.into()),
                        }
                    }
                }
            }
        };
        return match store.write(&[rows::create(&row)]).await {
            Ok(()) => Ok(row),
            Err(WriteError::Refused(_)) => {
                let stored = rows::get(store, &row.rollout_id, device).await?;
                stored.ok_or(EngineError::Contended { what: "a row" })
            }
            Err(error) => Err(error.into()),
        };
    }
    Err(EngineError::Contended { what: "a device" })
}

/// The row of a device whose item is gone.
fn gone(device: DeviceUuid, new: &RolloutContext, place_in_order: (u32, u32), now: Timestamp) -> Row {
    use tidegate_domain::counts::Class;
    let id = new.rollout.rollout_id.clone();
    Row::planned(id, device, place_in_order, (Class::Skipped, Some(Reason::Removed)), None, now)
}
