//! Devices come, change and go.
//!
//! A device registers first and reads the heads of its images afterwards; a planner creates its rollout first and lists
//! the devices afterwards. So one of the two always sees the other.

mod join;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use subtle::ConstantTimeEq;
use tidegate_domain::context::RolloutContexts;
use tidegate_domain::device::{Device, Service, Track};
use tidegate_domain::event::DeviceEvent;
use tidegate_domain::ids::DeviceUuid;
use tidegate_domain::image::{ImageRef, Repository};
use tidegate_domain::pin::Pin;

use crate::create::TRIES;
use crate::entities::device_images::{self, DeviceImage};
use crate::entities::events::{self, Event};
use crate::entities::{devices, policies};
use crate::error::EngineError;
use crate::memory::{Age, RolloutMemory};
use crate::poll::Shown;
use crate::ports::{Freshness, Ports, Write, WriteError};

pub use join::adopt;

/// How long an operator's permission to enrol again lasts, in hours.
const REENROL_HOURS: i64 = 24;

/// A device that wants to be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newcomer {
    /// Its identity.
    pub device_uuid: DeviceUuid,
    /// What people call it.
    pub name: Option<String>,
    /// Its fleet.
    pub fleet_id: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// IANA name of its zone.
    pub timezone: Option<String>,
    /// Such as `linux/arm64/v8`.
    pub platform: Option<String>,
    /// What runs on it, by service name.
    pub services: BTreeMap<String, ImageRef>,
    /// Hash of the token that it is to get.
    pub token_hash: String,
    /// Hash of the token that it has, where it shows one.
    pub current_token_hash: Option<String>,
    /// The fleets that its provisioning key may enrol into; `None` is every fleet.
    pub fleets: Option<BTreeSet<String>>,
}

/// Why a device was not enrolled.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// Its uuid is known, and nothing allows it a new token.
    #[error("this uuid is enrolled already")]
    AlreadyEnrolled,
    /// The provisioning key is bound to other fleets.
    #[error("this provisioning key may not enrol into the fleet {0:?}")]
    WrongFleet(String),
    /// It could not be done.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Enrols a device, or gives one that is known a new token where that is allowed.
pub async fn enrol(ports: &Ports, newcomer: &Newcomer, now: Timestamp) -> Result<Device, EnrolError> {
    for _ in 0..TRIES {
        let known = devices::get(&*ports.store, newcomer.device_uuid, Freshness::Consistent).await?;
        let fleet =
            known.as_ref().filter(|known| known.deleted_at.is_none()).map_or(&newcomer.fleet_id, |k| &k.fleet_id);
        if newcomer.fleets.as_ref().is_some_and(|fleets| !fleets.contains(fleet)) {
            return Err(EnrolError::WrongFleet(fleet.clone()));
        }
        let (device, mut writes) = match &known {
            None => {
                let device = newcomer.device(0, now);
                let write = devices::create(&device);
                (device, vec![write])
            }
            Some(known) => {
                let device = newcomer.again(known, now).ok_or(EnrolError::AlreadyEnrolled)?;
                let mut writes = vec![devices::save(&device)];
                if known.deleted_at.is_some() {
                    // A living device's is told with the first use of its new token.
                    writes.push(events::put(&audit(DeviceEvent::Reenrolled.name(), &device, now)));
                }
                (device, writes)
            }
        };
        let repositories = repositories(&device);
        writes.extend(images(&device, &repositories));
        match ports.store.write(&writes).await {
            Ok(()) => return Ok(join::join(ports, device, &repositories, true, now).await?),
            Err(WriteError::Refused(_) | WriteError::Conflict) => {}
            Err(WriteError::Store(error)) => return Err(EngineError::from(error).into()),
        }
    }
    Err(EngineError::Contended { what: "the device" }.into())
}

/// Which of a device's tokens has this hash. Takes the same time whichever it is.
pub fn shown(device: &Device, hash: &str) -> Shown {
    let same = |stored: &str| bool::from(stored.as_bytes().ct_eq(hash.as_bytes()));
    let current = same(&device.token_hash);
    let next = device.next_token_hash.as_deref().is_some_and(same);
    match (current, next) {
        (_, true) => Shown::Next,
        (true, false) => Shown::Current,
        (false, false) => Shown::Wrong,
    }
}

impl Newcomer {
    /// As a device that nothing is known of but what it tells.
    fn device(&self, rev: u64, now: Timestamp) -> Device {
        let mut device = Device {
            device_uuid: self.device_uuid,
            rev,
            name: self.name.clone(),
            fleet_id: self.fleet_id.clone(),
            tags: self.tags.clone(),
            timezone: self.timezone.clone(),
            platform: self.platform.clone(),
            token_hash: self.token_hash.clone(),
            next_token_hash: None,
            reenrol_until: None,
            services: BTreeMap::new(),
            tracks: BTreeMap::new(),
            enrolled_at: now,
            last_seen: now,
            deleted_at: None,
            log: Vec::new(),
        };
        self.add_services(&mut device);
        device
    }

    /// Its next revision where it is known and may have a new token. It keeps its name, fleet, tags and assignments:
    /// those are the operator's. A deleted one starts anew.
    fn again(&self, known: &Device, now: Timestamp) -> Option<Device> {
        let allowed = known.reenrol_until.is_some_and(|until| now < until);
        if known.deleted_at.is_some() {
            return allowed.then(|| self.device(known.rev + 1, now));
        }
        let proven = self.current_token_hash.as_deref().is_some_and(|hash| shown(known, hash) != Shown::Wrong);
        if !allowed && !proven {
            return None;
        }
        let mut device = Device { reenrol_until: None, ..known.next_revision() };
        device.next_token_hash = Some(self.token_hash.clone());
        device.timezone = self.timezone.clone().or(device.timezone);
        device.platform = self.platform.clone().or(device.platform);
        self.add_services(&mut device);
        Some(device)
    }

    /// Adds the services that the server does not know, with their image as the baseline.
    fn add_services(&self, device: &mut Device) {
        for (name, image) in &self.services {
            let repository = image.repository.clone();
            let new = Service { repository: repository.clone(), running: None };
            device.services.entry(name.clone()).or_insert(new);
            let track: &mut Track = device.tracks.entry(repository).or_default();
            track.baseline.get_or_insert_with(|| Pin { tag: image.tag.clone(), digest: image.digest.clone() });
        }
    }
}

/// An operator lets a device enrol again: once, within a day. Also one that was deleted.
pub async fn allow_reenrolment(ports: &Ports, uuid: DeviceUuid, now: Timestamp) -> Result<Device, EngineError> {
    let until = now.saturating_add(SignedDuration::from_hours(REENROL_HOURS)).unwrap_or(Timestamp::MAX);
    change(ports, uuid, Reach::DeletedToo, now, |device, _| {
        device.reenrol_until = Some(until);
        vec![events::put(&audit("device.reenrolment_allowed", device, now))]
    })
    .await
}

/// What an operator makes of a value that need not be there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Edit {
    /// Nothing.
    #[default]
    Stays,
    /// It is taken away.
    Removed,
    /// It becomes this.
    Set(String),
}

impl Edit {
    fn on(&self, value: &mut Option<String>) {
        match self {
            Self::Stays => {}
            Self::Removed => *value = None,
            Self::Set(text) => *value = Some(text.clone()),
        }
    }
}

/// What an operator changes of a device; what is `None` stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Patch {
    /// What people call it.
    pub name: Edit,
    /// Its fleet.
    pub fleet_id: Option<String>,
    /// Its tags, all of them.
    pub tags: Option<BTreeMap<String, String>>,
    /// IANA name of its zone.
    pub timezone: Edit,
}

/// Changes a device. Where its fleet or tags change, its part in rollouts that are not for it any more ends, and it joins
/// what the policy that selects it now rolls out.
pub async fn patch(ports: &Ports, uuid: DeviceUuid, patch: &Patch, now: Timestamp) -> Result<Device, EngineError> {
    let moves = patch.fleet_id.is_some() || patch.tags.is_some();
    let policies = if moves { policies::all(&*ports.store).await? } else { Vec::new() };
    let device = change(ports, uuid, Reach::Living, now, |device, known| {
        patch.name.on(&mut device.name);
        patch.timezone.on(&mut device.timezone);
        if let Some(fleet_id) = &patch.fleet_id {
            device.fleet_id.clone_from(fleet_id);
        }
        if let Some(tags) = &patch.tags {
            device.tags.clone_from(tags);
        }
        if moves {
            device.leave(known, |device, rollout| join::is_for(rollout, &policies, device), now);
        }
        images(device, &repositories(device))
    })
    .await?;
    let repositories = repositories(&device);
    join::join(ports, device, &repositories, false, now).await
}

/// Deletes a device: its item stays, to answer its last token. Nobody waits for it any more.
pub async fn delete(ports: &Ports, uuid: DeviceUuid, now: Timestamp) -> Result<Device, EngineError> {
    change(ports, uuid, Reach::Living, now, |device, known| {
        device.deleted_at = Some(now);
        device.reenrol_until = None;
        device.end(known, now);
        let mut writes = vec![events::put(&audit("device.deleted", device, now))];
        writes.extend(repositories(device).iter().map(|repository| device_images::delete(repository, uuid)));
        writes
    })
    .await
}

/// Which devices a change is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Those that are not deleted; a deleted one is not there.
    Living,
    /// Every one.
    DeletedToo,
}

/// Changes a device, in one transaction with what `edit` adds. `edit` gets the device's rollouts as they are now.
async fn change(
    ports: &Ports,
    uuid: DeviceUuid,
    reach: Reach,
    now: Timestamp,
    edit: impl Fn(&mut Device, &RolloutContexts) -> Vec<Write>,
) -> Result<Device, EngineError> {
    let memory = RolloutMemory::default();
    for _ in 0..TRIES {
        let stored = devices::get(&*ports.store, uuid, Freshness::Consistent).await?;
        let stored = stored.filter(|stored| stored.deleted_at.is_none() || reach == Reach::DeletedToo);
        let mut device = stored.ok_or(EngineError::NotFound("device"))?.next_revision();
        let known = memory.knowledge(&*ports.store, device.rollout_ids(), Age::Fresh, now).await?;
        let also = edit(&mut device, &known);
        let writes: Vec<Write> = std::iter::once(devices::save(&device)).chain(also).collect();
        match ports.store.write(&writes).await {
            Ok(()) => return Ok(device),
            Err(WriteError::Refused(_) | WriteError::Conflict) => {}
            Err(WriteError::Store(error)) => return Err(error.into()),
        }
    }
    Err(EngineError::Contended { what: "the device" })
}

fn audit(name: &str, device: &Device, now: Timestamp) -> Event {
    Event::audit(name, now, &format!("{}-{}", device.device_uuid, device.rev))
        .with("device_uuid", device.device_uuid.to_string())
        .with("fleet_id", device.fleet_id.as_str())
}

/// The repositories of a device's services.
fn repositories(device: &Device) -> Vec<Repository> {
    let all: BTreeSet<&Repository> = device.services.values().map(|service| &service.repository).collect();
    all.into_iter().cloned().collect()
}

/// The writes by which planners learn that the device runs these repositories.
pub fn images(device: &Device, repositories: &[Repository]) -> Vec<Write> {
    let image =
        DeviceImage { device_uuid: device.device_uuid, fleet_id: device.fleet_id.clone(), tags: device.tags.clone() };
    repositories.iter().map(|repository| device_images::put(repository, &image)).collect()
}
