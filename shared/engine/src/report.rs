//! A device's reports: one conditional write on its own item; the recorder does the rest.

use std::collections::BTreeSet;

use jiff::Timestamp;
use tidegate_domain::device::Device;
use tidegate_domain::ids::DeviceUuid;
use tidegate_domain::image::Repository;
use tidegate_domain::report::{Reports, Verdict, report};
use tidegate_domain::target::target_state;

use crate::create::TRIES;
use crate::enrol::images;
use crate::entities::devices;
use crate::error::EngineError;
use crate::memory::{Age, RolloutMemory};
use crate::poll::{Shown, Snapshot, revisions, take_new_token};
use crate::ports::{Freshness, Ports, WriteError};

/// The answer to a body of reports.
#[derive(Debug, Clone, PartialEq)]
pub enum Accepted {
    /// Not this device's token, or no such device.
    Unauthorized,
    /// The device was deleted.
    Gone,
    /// Taken.
    Reports {
        /// One per report, in the order of the body.
        verdicts: Vec<Verdict>,
        /// The device as it is now.
        device: Box<Device>,
        /// Repositories that the device was not known to run.
        adopted: Vec<Repository>,
        /// What the device has seen now.
        seen: Snapshot,
    },
}

/// Takes a body of reports.
pub async fn accept(
    ports: &Ports,
    memory: &RolloutMemory,
    uuid: DeviceUuid,
    shown: impl Fn(&Device) -> Shown + Send + Sync,
    body: &Reports,
    now: Timestamp,
) -> Result<Accepted, EngineError> {
    let store = &*ports.store;
    for _ in 0..TRIES {
        let Some(mut device) = devices::get(store, uuid, Freshness::Consistent).await? else {
            return Ok(Accepted::Unauthorized);
        };
        match shown(&device) {
            Shown::Wrong => return Ok(Accepted::Unauthorized),
            _ if device.deleted_at.is_some() => return Ok(Accepted::Gone),
            Shown::Next => device = take_new_token(ports, device, now).await?,
            Shown::Current => {}
        }
        let known = memory.knowledge(store, device.rollout_ids(), Age::Remembered, now).await?;
        let reported = report(&device, body, &known, now);
        let before = repositories(&device);
        if let Some(next) = reported.device {
            // Planners learn of a new repository in the same transaction: a repeat of this report would not tell it.
            let new: Vec<Repository> = repositories(&next).difference(&before).cloned().collect();
            let mut writes = vec![devices::save(&next)];
            writes.extend(images(&next, &new));
            match store.write(&writes).await {
                Ok(()) => device = next,
                Err(WriteError::Refused(_) | WriteError::Conflict) => continue,
                Err(WriteError::Store(error)) => return Err(error.into()),
            }
        }
        let adopted = repositories(&device).difference(&before).cloned().collect();
        let hash = target_state(&device, &known, now).hash();
        let seen = Snapshot { hash, device: device.rev, rollouts: revisions(&known) };
        return Ok(Accepted::Reports { verdicts: reported.verdicts, device: Box::new(device), adopted, seen });
    }
    Err(EngineError::Contended { what: "the device" })
}

fn repositories(device: &Device) -> BTreeSet<Repository> {
    device.services.values().map(|service| service.repository.clone()).collect()
}
