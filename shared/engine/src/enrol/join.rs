//! A device that came late, or that another policy selects now, joins what is rolled out, behind everyone planned.

use std::sync::Arc;

use jiff::Timestamp;
use tidegate_domain::context::{RolloutContext, RolloutContexts};
use tidegate_domain::device::Device;
use tidegate_domain::head::Head;
use tidegate_domain::image::Repository;
use tidegate_domain::pin::Pin;
use tidegate_domain::planning::{LATECOMER, Placed, place};
use tidegate_domain::policy::{WrittenPolicy, winner};
use tidegate_domain::rollout::Status;

use super::images;
use crate::create::TRIES;
use crate::entities::device_images::DeviceImage;
use crate::entities::{devices, heads, policies};
use crate::error::EngineError;
use crate::memory::{Age, RolloutMemory};
use crate::plan::{image, owns};
use crate::ports::{Freshness, Ports, WriteError};

/// A device reported services of these repositories that it was not known to run: planners learn of it, and it joins
/// what is rolled out there. The device is the stored one.
pub async fn adopt(
    ports: &Ports,
    device: &Device,
    repositories: &[Repository],
    now: Timestamp,
) -> Result<Device, EngineError> {
    let writes = images(device, repositories);
    if !writes.is_empty() {
        ports.store.write(&writes).await?;
    }
    join(ports, device.clone(), repositories, true, now).await
}

/// Gives the device its place in the rollouts of these repositories. A `fresh` one rests on what was promoted.
pub(super) async fn join(
    ports: &Ports,
    mut device: Device,
    repositories: &[Repository],
    fresh: bool,
    now: Timestamp,
) -> Result<Device, EngineError> {
    if repositories.is_empty() {
        return Ok(device);
    }
    let policies = policies::all(&*ports.store).await?;
    for repository in repositories {
        device = join_one(ports, device, repository, &policies, fresh, now).await?;
    }
    Ok(device)
}

async fn join_one(
    ports: &Ports,
    mut device: Device,
    repository: &Repository,
    policies: &[WrittenPolicy],
    fresh: bool,
    now: Timestamp,
) -> Result<Device, EngineError> {
    let store = &*ports.store;
    for _ in 0..TRIES {
        let memory = RolloutMemory::default();
        let mut best: Option<(Head, Arc<RolloutContext>)> = None;
        for head in heads::of_repository(store, repository).await? {
            let Some(id) = &head.rollout else { continue };
            let Some(known) = memory.one(store, id, Age::Fresh, now).await? else { continue };
            let newer = best.as_ref().is_none_or(|(_, best)| best.rollout.generation < known.rollout.generation);
            if newer && takes(&head, &known, policies, &device) {
                best = Some((head, known));
            }
        }
        let Some((head, known)) = best else { return Ok(device) };
        let rollout = Some(&*known).filter(|known| open_to_latecomers(&head, known));
        let old = memory.knowledge(store, device.rollout_ids(), Age::Remembered, now).await?;
        let Some(next) = joined(&device, &head, rollout, &old, fresh, now) else { return Ok(device) };
        match store.write(&[devices::save(&next)]).await {
            Ok(()) => return Ok(next),
            Err(WriteError::Refused(_) | WriteError::Conflict) => {
                let stored = devices::get(store, device.device_uuid, Freshness::Consistent).await?;
                device = stored.ok_or(EngineError::NotFound("device"))?;
            }
            Err(WriteError::Store(error)) => return Err(error.into()),
        }
    }
    Err(EngineError::Contended { what: "the device" })
}

/// Whether the head's policy owns the device for the image, and its rollout is for such devices.
fn takes(head: &Head, known: &RolloutContext, policies: &[WrittenPolicy], device: &Device) -> bool {
    owns(&head.policy_id, policies, &image(&known.rollout), &user(device))
        && known.plan.policy.selector.selects(&device.fleet_id, &device.tags)
}

/// Whether a rollout that the device takes part in is for it still. A rollout whose policy was deleted goes on by the copy
/// that it has, for whom no other policy selects.
pub(super) fn is_for(known: &RolloutContext, policies: &[WrittenPolicy], device: &Device) -> bool {
    let policy = &known.rollout.policy_id;
    let image = image(&known.rollout);
    let nobody_else = || winner(policies, &image, &device.fleet_id, &device.tags).is_none();
    known.plan.policy.selector.selects(&device.fleet_id, &device.tags)
        && (owns(policy, policies, &image, &user(device))
            || nobody_else() && policies.iter().all(|other| other.id != *policy))
}

fn user(device: &Device) -> DeviceImage {
    DeviceImage { device_uuid: device.device_uuid, fleet_id: device.fleet_id.clone(), tags: device.tags.clone() }
}

/// A live rollout takes whoever comes; one that completed does while what it proved is what counts.
fn open_to_latecomers(head: &Head, known: &RolloutContext) -> bool {
    let rollout = &known.rollout;
    let promoted = head.promoted.as_ref().is_some_and(|promoted| promoted.rollout_id == rollout.rollout_id);
    rollout.status.live() || rollout.status == Status::Completed && promoted
}

/// The device's next revision, with a place in the rollout if there is one; `None` where nothing changes.
fn joined(
    device: &Device,
    head: &Head,
    rollout: Option<&RolloutContext>,
    old: &RolloutContexts,
    fresh: bool,
    now: Timestamp,
) -> Option<Device> {
    let placed = rollout.map(|known| {
        // In the last batch; a planner that still lists the device gives it a place of its own.
        let place_of_latecomers = (LATECOMER, known.rollout.batches.len().max(1) as u32);
        place(device, known, place_of_latecomers, old, now)
    });
    let assigned = match placed {
        Some(Placed::Assigned(placed)) => Some(placed.0),
        Some(Placed::Known(_) | Placed::Skipped(_)) | None => None,
    };
    let rests_on = head.promoted.as_ref().filter(|_| fresh).map(|promoted| &promoted.pin);
    rest(assigned, device, &head.repository, rests_on)
}

/// Lets the device rest on what was promoted, where that is not what it came with.
fn rest(assigned: Option<Device>, device: &Device, repository: &Repository, pin: Option<&Pin>) -> Option<Device> {
    let Some(pin) = pin else { return assigned };
    let track = device.tracks.get(repository)?;
    let surely_the_same = |idle: &Pin| idle == pin || idle.digest.is_some() && idle.same_image(pin);
    if track.idle().is_some_and(surely_the_same) || track.current.is_some() {
        return assigned;
    }
    let mut next = assigned.unwrap_or_else(|| device.next_revision());
    next.tracks.entry(repository.clone()).or_default().resting = Some(pin.clone());
    Some(next)
}
