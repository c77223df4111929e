//! The recorder: brings rows up to their devices' revisions, and counts what changed in the rollout's journal, in one
//! transaction. Whatever a row's revision has already is dropped, so a repeat counts nothing twice.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;
use jiff::Timestamp;
use tidegate_domain::assignment::LogEntry;
use tidegate_domain::device::Device;
use tidegate_domain::ids::{DeviceUuid, RolloutId};
use tidegate_domain::journal::Page;
use tidegate_domain::pin::Pin;
use tidegate_domain::row::Row;

use crate::create::TRIES;
use crate::entities::{journal, retention, rollouts, rows};
use crate::error::EngineError;
use crate::ports::{Freshness, Job, Ports, Store, Write, WriteError};

/// Rows in one transaction, beside the journal's page: a transaction has at most 100 items.
const ROWS_AT_ONCE: usize = 99;

/// Seconds by which the step is nudged later, so that several pages are one step.
const NUDGE_SECONDS: u32 = 1;

/// One device's revisions that concern one rollout, oldest first.
#[derive(Debug, Clone)]
struct Revisions {
    device: DeviceUuid,
    old: Option<Pin>,
    writes: Vec<(u64, Vec<LogEntry>)>,
}

/// Records the new images of devices' items, in the order of their stream.
pub async fn record(ports: &Ports, images: &[Device], now: Timestamp) -> Result<(), EngineError> {
    let mut nudges = BTreeSet::new();
    for (rollout_id, devices) in by_rollout(images) {
        for chunk in devices.chunks(ROWS_AT_ONCE) {
            if record_chunk(&*ports.store, &rollout_id, chunk, now).await? {
                nudges.insert(rollout_id.clone());
            }
        }
    }
    let jobs: Vec<Job> = nudges.into_iter().map(|rollout_id| Job::Step { rollout_id }).collect();
    if !jobs.is_empty() {
        // The sweep steps live rollouts anyway; one that ended and has a device settling late needs this nudge.
        ports.queues.send(&jobs, NUDGE_SECONDS).await?;
    }
    Ok(())
}

fn by_rollout(images: &[Device]) -> BTreeMap<RolloutId, Vec<Revisions>> {
    let mut all: BTreeMap<RolloutId, Vec<Revisions>> = BTreeMap::new();
    for device in images {
        let ids: BTreeSet<&RolloutId> = device.log.iter().map(|entry| &entry.rollout_id).collect();
        for id in ids {
            let entries: Vec<LogEntry> = device.log.iter().filter(|entry| entry.rollout_id == *id).cloned().collect();
            let devices = all.entry(id.clone()).or_default();
            match devices.iter_mut().find(|revisions| revisions.device == device.device_uuid) {
                Some(revisions) => revisions.writes.push((device.rev, entries)),
                None => devices.push(Revisions {
                    device: device.device_uuid,
                    old: device
                        .assignment(id)
                        .and_then(|(repository, _)| device.tracks.get(repository)?.baseline.clone()),
                    writes: vec![(device.rev, entries)],
                }),
            }
        }
    }
    all
}

/// Records some devices' revisions in one rollout. Says whether the step is to know: a page was written, or everything
/// was recorded before and perhaps nobody told the step.
async fn record_chunk(
    store: &dyn Store,
    id: &RolloutId,
    devices: &[Revisions],
    now: Timestamp,
) -> Result<bool, EngineError> {
    let mut over = None;
    for _ in 0..TRIES {
        let stored = try_join_all(devices.iter().map(|revisions| rows::get(store, id, revisions.device))).await?;
        if over.is_none() && stored.iter().any(Option::is_none) {
            let rollout = rollouts::get(store, id, Freshness::Eventual).await?;
            over = Some(rollout.is_some_and(|rollout| retention::is_long_over(&rollout, now)));
        }
        let mut page = Page::default();
        let (mut counted, mut alone) = (Vec::new(), Vec::new());
        for (revisions, row) in devices.iter().zip(stored) {
            // A row that expired was counted long ago; a device that comes back from a drawer makes no second one.
            if row.is_none() && over == Some(true) {
                continue;
            }
            let Some((write, changes)) = bring_up(revisions, row, &mut page) else { continue };
            if changes { counted.push(write) } else { alone.push(write) }
        }
        let nothing_new = counted.is_empty() && alone.is_empty();
        // A row whose counting did not change needs no transaction: half the price.
        let alone = try_join_all(alone.iter().map(|write| store_row(store, write)));
        let all_alone = alone.await?.into_iter().all(|stored| stored);
        let counted_stored = counted.is_empty() || store_page(store, id, &counted, &page).await?;
        if all_alone && counted_stored {
            return Ok(!counted.is_empty() || nothing_new);
        }
    }
    Err(EngineError::Contended { what: "the rollout's journal" })
}

/// The row after the device's revisions, as a write; whether the journal must count it. `None` where nothing is new.
fn bring_up(revisions: &Revisions, stored: Option<Row>, page: &mut Page) -> Option<(Write, bool)> {
    let read = stored.as_ref().map(|row| row.rev);
    let (mut row, mut changes) = match stored {
        Some(row) => (row, false),
        None => {
            let first = revisions.writes.first()?.1.first()?;
            let row = Row::joined(first, revisions.device, revisions.old.clone());
            row.counted().add_to(page);
            (row, true)
        }
    };
    let mut news = read.is_none();
    for (rev, entries) in &revisions.writes {
        let Some(change) = row.apply(*rev, entries) else { continue };
        news = true;
        changes |= !change.is_empty();
        change.add_to(page);
    }
    let write = match read {
        Some(read) => rows::save(&row, read),
        None => rows::create(&row),
    };
    news.then_some((write, changes))
}

async fn store_row(store: &dyn Store, write: &Write) -> Result<bool, EngineError> {
    match store.write(std::slice::from_ref(write)).await {
        Ok(()) => Ok(true),
        Err(WriteError::Refused(_) | WriteError::Conflict) => Ok(false),
        Err(WriteError::Store(error)) => Err(error.into()),
    }
}

async fn store_page(store: &dyn Store, id: &RolloutId, rows: &[Write], page: &Page) -> Result<bool, EngineError> {
    let number = journal::last(store, id).await? + 1;
    let mut writes = rows.to_vec();
    writes.push(journal::append(id, number, page));
    match store.write(&writes).await {
        Ok(()) => Ok(true),
        Err(WriteError::Refused(_) | WriteError::Conflict) => Ok(false),
        Err(WriteError::Store(error)) => Err(error.into()),
    }
}
