//! Planning: who takes part, in which order, and each device's place.

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::assignment::{Assignment, Progress, Reason};
use crate::context::{RolloutContext, RolloutContexts};
use crate::counts::Class;
use crate::device::{Device, Track, holds, is_taken_from};
use crate::ids::{DeviceUuid, RolloutId};
use crate::image::Digest;
use crate::pin::Pin;
use crate::policy::OnDrift;
use crate::rollout::Rollout;
use crate::row::Row;
use crate::window::ZoneSource;

/// The position of a device that no plan has: behind everyone planned.
pub const LATECOMER: u32 = u32::MAX;

/// Devices per page of the plan: what one message plans.
pub const PAGE_SIZE: usize = 1_000;

/// The order of a plan: by a hash of the rollout (the seed) and the device, so that no device is always the canary.
pub fn order(rollout_id: &RolloutId, mut devices: Vec<DeviceUuid>) -> Vec<DeviceUuid> {
    devices.sort_by_cached_key(|device| {
        let mut hash = Sha256::new();
        hash.update(rollout_id.as_str().as_bytes());
        hash.update(device.0.as_bytes());
        let key: [u8; 32] = hash.finalize().into();
        (key, *device)
    });
    devices.dedup();
    devices
}

/// A name for an order, so that pages of two plannings never mix.
pub fn order_hash(order: &[DeviceUuid]) -> String {
    let mut hash = Sha256::new();
    for device in order {
        hash.update(device.0.as_bytes());
    }
    hex::encode(&hash.finalize()[..8])
}

/// What planning means for one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placed {
    /// The item to store, and then the row.
    Assigned(Box<(Device, Row)>),
    /// The device has this place, or one in a newer rollout, already; the row to store if it is not there.
    Known(Row),
    /// The device takes no part; only a row is to be stored.
    Skipped(Row),
}

/// Gives a device its place in a rollout. `old` are the rollouts that the device knows.
pub fn place(
    device: &Device,
    new: &RolloutContext,
    (position, batch): (u32, u32),
    old: &RolloutContexts,
    now: Timestamp,
) -> Placed {
    let rollout = &new.rollout;
    let repository = &rollout.repository;
    let track = device.tracks.get(repository).cloned().unwrap_or_default();
    let zone = known_zone(device, new);
    let row = |class, reason: Option<Reason>, old| {
        let reason = reason.or_else(|| zone.clone().filter(|_| class == Class::Pending));
        let id = rollout.rollout_id.clone();
        Row::planned(id, device.device_uuid, (position, batch), (class, reason), old, now)
    };
    if let Some(moved) = planned_after_all(device, rollout, (position, batch)) {
        return Placed::Assigned(Box::new((moved, row(Class::Pending, None, track.baseline))));
    }
    if let Some(back) = comes_back(device, new, (position, batch), now) {
        return Placed::Assigned(Box::new((back, row(Class::Pending, None, track.baseline))));
    }
    // Where its write went through before and its row perhaps did not, the row is as that write would have made it.
    if let Some(place) = track.assignment(&rollout.rollout_id) {
        let (class, reason) = stands(place);
        return Placed::Known(row(class, reason, track.baseline));
    }
    if track.generation() > rollout.generation && !has_left_for(&track, rollout, old) {
        return if newest_of_another(&track, rollout, old).is_some() {
            Placed::Skipped(row(Class::Skipped, Some(Reason::TakenOver), track.baseline))
        } else {
            Placed::Known(row(Class::Pending, None, track.baseline))
        };
    }
    let again = track.generation() > rollout.generation;
    if let Some(reason) = unfit(device, new) {
        return Placed::Skipped(row(Class::Skipped, Some(reason), track.baseline));
    }
    let mut next = device.next_revision();
    let ran = device.certain_digest(repository).cloned();
    let mut assignment = Assignment::new(rollout.rollout_id.clone(), rollout.generation, position, batch);
    let slot = next.tracks.entry(repository.clone()).or_default();
    let current = slot.current.as_ref().and_then(|current| old.get(&current.rollout_id)).cloned();
    let busy = slot.current.as_ref().zip(current.as_ref()).is_some_and(|(current, known)| holds(current, known));
    if busy {
        // Who waited behind the swap is told where that was in another policy's rollout.
        if let Some(mut waited) = slot.next.replace(assignment)
            && old.get(&waited.rollout_id).is_some_and(|known| is_taken_from(&waited, known, &rollout.policy_id))
        {
            next.log.push(waited.leaves(Reason::TakenOver, now));
        }
        let row = row(Class::Pending, None, slot.baseline.clone());
        return Placed::Assigned(Box::new((next, row)));
    }
    next.log = slot.replace(assignment.clone(), &rollout.policy_id, current.as_deref(), ran.as_ref(), now);
    if new.plan.policy.on_drift == OnDrift::Adopt && slot.drifted.take_if(|_| ran.is_some()).is_some() {
        slot.baseline = Some(Pin { tag: device.running_tag(repository).cloned(), digest: ran.clone() });
        slot.resting = None;
    }
    let there = ran.filter(|ran| new.is_target(ran, device.platform.as_deref()));
    if let Some(reason) = passed_over(slot, current.as_deref(), there.as_ref(), new) {
        assignment.progress = Progress::Skipped { reason };
    }
    let (class, reason) = stands(&assignment);
    if again {
        // It may have a row there from before it was moved away.
        next.log.push(assignment.scheduled(now));
    }
    slot.current = Some(assignment);
    let row = row(class, reason, slot.baseline.clone());
    Placed::Assigned(Box::new((next, row)))
}

/// What is to be said of a device whose window is in its own time zone, which it did not tell.
fn known_zone(device: &Device, new: &RolloutContext) -> Option<Reason> {
    match new.plan.policy.window.as_ref()?.zone_for(device.timezone.as_deref()) {
        ZoneSource::Policy(_) | ZoneSource::Device(_) => None,
        ZoneSource::Fallback(_) => Some(Reason::FallbackTimezone),
        ZoneSource::Missing => Some(Reason::NoTimezone),
    }
}

/// How planning counts a place.
fn stands(place: &Assignment) -> (Class, Option<Reason>) {
    match &place.progress {
        Progress::Skipped { reason: reason @ (Reason::UpToDate | Reason::Pinned) } => {
            (Class::Skipped, Some(reason.clone()))
        }
        _ => (Class::Pending, None),
    }
}

/// Why a device that could take part is left where it is. Its place says so, rather than its row alone: a planning that
/// is repeated finds what was decided, whatever runs by then.
///
/// One that runs the rollout's content already (`there`) *and rests on it* is passed over, and follows the rollout all the
/// same. Where something else should run, it is what should run until its turn, which finds out what runs then.
fn passed_over(
    track: &Track,
    old: Option<&RolloutContext>,
    there: Option<&Digest>,
    new: &RolloutContext,
) -> Option<Reason> {
    let drifted = track.drifted.is_some();
    let Some(runs) = there else {
        return (drifted && new.plan.policy.on_drift == OnDrift::Hold).then_some(Reason::Pinned);
    };
    let astray = old.is_some_and(|old| {
        let rests_on_it = track.idle().is_some_and(|idle| idle.same_image(&old.rollout.target));
        // Devices of one unpinned rollout may have had different contents: who had another goes to what it was pinned to.
        old.rollout.target.digest.is_some() && old.is_target(runs, None) != rests_on_it
    });
    (!drifted && !astray).then_some(Reason::UpToDate)
}

/// A device that came between the rollout's creation and its planning has a latecomer's place: it gets a planned one.
fn planned_after_all(device: &Device, rollout: &Rollout, (position, batch): (u32, u32)) -> Option<Device> {
    let mut next = device.next_revision();
    let track = next.tracks.get_mut(&rollout.repository)?;
    let places = [&mut track.current, &mut track.next].into_iter().flatten();
    let place = places.into_iter().find(|place| place.rollout_id == rollout.rollout_id)?;
    let came_late = place.position == LATECOMER && position != LATECOMER;
    if !came_late || place.progress != Progress::Waiting {
        return None;
    }
    (place.position, place.batch) = (position, batch);
    Some(next)
}

/// A device that was moved away, and back: it takes part again, behind everyone planned. Its attempts do not start anew.
fn comes_back(device: &Device, new: &RolloutContext, (position, batch): (u32, u32), now: Timestamp) -> Option<Device> {
    let rollout = &new.rollout;
    let mut next = device.next_revision();
    let track = next.tracks.get_mut(&rollout.repository)?;
    let places = [&mut track.current, &mut track.next].into_iter().flatten();
    let place = places.into_iter().find(|place| place.rollout_id == rollout.rollout_id)?;
    let left = place.progress == Progress::Skipped { reason: Reason::Removed };
    // A planner finds whom it placed; coming back is a matter of joining.
    if !left || position != LATECOMER || !rollout.status.live() || unfit(device, new).is_some() {
        return None;
    }
    (place.position, place.batch, place.offered_at) = (position, batch, None);
    place.progress = Progress::Waiting;
    next.log.push(place.scheduled(now));
    Some(next)
}

/// The newest place of a device, where its rollout is known and another policy's.
fn newest_of_another<'a>(track: &'a Track, rollout: &Rollout, old: &RolloutContexts) -> Option<&'a Assignment> {
    let newest = track.next.as_ref().or(track.current.as_ref())?;
    old.get(&newest.rollout_id).is_some_and(|known| known.rollout.policy_id != rollout.policy_id).then_some(newest)
}

/// A device that was moved out of a newer rollout of another policy is free for what its policy rolls out now, though
/// that is older.
fn has_left_for(track: &Track, rollout: &Rollout, old: &RolloutContexts) -> bool {
    let left = Progress::Skipped { reason: Reason::Removed };
    track.next.is_none() && newest_of_another(track, rollout, old).is_some_and(|newest| newest.progress == left)
}

fn unfit(device: &Device, new: &RolloutContext) -> Option<Reason> {
    if device.deleted_at.is_some()
        || device.services_of(&new.rollout.repository).next().is_none()
        || !new.plan.policy.selector.selects(&device.fleet_id, &device.tags)
    {
        return Some(Reason::Removed);
    }
    new.not_applicable(device.platform.as_deref()).then_some(Reason::NotApplicable)
}

#[cfg(test)]
mod tests;
