//! A device's poll: its target state, and the write that must stand before a new one is told.

use jiff::Timestamp;
use tidegate_domain::context::RolloutContexts;
use tidegate_domain::device::Device;
use tidegate_domain::ids::DeviceUuid;
use tidegate_domain::pace::{Pace, poll_after};
use tidegate_domain::poll::poll;
use tidegate_domain::target::{TargetState, target_state};

use crate::entities::devices;
use crate::entities::events::{self, Event};
use crate::error::EngineError;
use crate::memory::{Age, RolloutMemory};
use crate::ports::{Freshness, Ports, Write, WriteError};

/// How often an offer is tried before the old target is answered.
const TRIES: u32 = 3;

/// What a device has seen: the parts of an ETag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Hash of the target state.
    pub hash: String,
    /// Revision of the device's item.
    pub device: u64,
    /// Sum of the revisions of the rollouts that it pointed to.
    pub rollouts: u64,
}

/// Whose token a caller showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// The device's.
    Current,
    /// That of its re-enrolment, which becomes the device's with this use.
    Next,
    /// Neither.
    Wrong,
}

/// The answer to a poll.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Not this device's token, or no such device.
    Unauthorized,
    /// The device was deleted.
    Gone,
    /// The device's target state.
    Target {
        /// What it should run.
        state: Box<TargetState>,
        /// What it then has seen.
        seen: Snapshot,
        /// Seconds until its next poll.
        poll_after: u32,
    },
}

/// Answers a poll. `known_to_device` are the values of its If-None-Match.
pub async fn answer(
    ports: &Ports,
    memory: &RolloutMemory,
    pace: Pace,
    uuid: DeviceUuid,
    shown: impl Fn(&Device) -> Shown + Send + Sync,
    known_to_device: &[Snapshot],
    now: Timestamp,
) -> Result<Answer, EngineError> {
    let store = &*ports.store;
    let newest = known_to_device.iter().map(|seen| seen.device).max().unwrap_or(0);
    let mut device = devices::get(store, uuid, Freshness::Eventual).await?;
    if device.as_ref().is_none_or(|device| device.rev < newest || shown(device) != Shown::Current) {
        device = devices::get(store, uuid, Freshness::Consistent).await?;
    }
    let Some(mut device) = device else { return Ok(Answer::Unauthorized) };
    match shown(&device) {
        Shown::Wrong => return Ok(Answer::Unauthorized),
        _ if device.deleted_at.is_some() => return Ok(Answer::Gone),
        Shown::Next => device = take_new_token(ports, device, now).await?,
        Shown::Current => {}
    }
    let mut known = memory.knowledge(store, device.rollout_ids(), Age::Remembered, now).await?;
    let stale = |known: &RolloutContexts| {
        known_to_device.iter().any(|seen| seen.device == device.rev && seen.rollouts > revisions(known))
    };
    if stale(&known) {
        known = memory.knowledge(store, device.rollout_ids(), Age::Fresh, now).await?;
    }
    let mut told = device;
    for _ in 0..TRIES {
        if poll(&told, &known, now).is_none() {
            break;
        }
        // Once more, from what is true now: the offer is made on this, not on memory.
        if let Some(found) = devices::get(store, uuid, Freshness::Consistent).await? {
            told = found;
        }
        known = memory.knowledge(store, told.rollout_ids(), Age::Fresh, now).await?;
        let Some(next) = poll(&told, &known, now) else { break };
        match store.write(&[devices::save(&next)]).await {
            Ok(()) => {
                told = next;
                break;
            }
            Err(WriteError::Refused(_) | WriteError::Conflict) => {}
            Err(WriteError::Store(error)) => return Err(error.into()),
        }
    }
    let state = target_state(&told, &known, now);
    let seen = Snapshot { hash: state.hash(), device: told.rev, rollouts: revisions(&known) };
    let poll_after = poll_after(&told, &known, pace, ports.entropy.u128() as u64, now);
    Ok(Answer::Target { state: Box::new(state), seen, poll_after })
}

/// The sum of the revisions of every rollout pointed to.
pub fn revisions(known: &RolloutContexts) -> u64 {
    known.values().map(|known| known.rollout.revision).sum()
}

/// The first use of a re-enrolment's token ends the old one.
pub async fn take_new_token(ports: &Ports, device: Device, now: Timestamp) -> Result<Device, EngineError> {
    let Some(hash) = device.next_token_hash.clone() else { return Ok(device) };
    let next = Device { token_hash: hash, next_token_hash: None, ..device.next_revision() };
    let name = tidegate_domain::event::DeviceEvent::Reenrolled.name();
    let event = Event::audit(name, now, &format!("{}-{}", device.device_uuid, next.rev))
        .with("device_uuid", device.device_uuid.to_string());
    let writes: [Write; 2] = [devices::save(&next), events::put(&event)];
    ports.store.write(&writes).await?;
    Ok(next)
}
