//! A whole rollout in which every device is healthy, and where its units go.

use std::sync::atomic::Ordering;

use tidegate_domain::ids::{DeviceUuid, RolloutId};
use tidegate_domain::planning;
use tidegate_domain::rollout::Status;
use tidegate_domain::strategy::Phase;
use tidegate_engine::ports::{Table, Units};

use crate::error::CapacityError;
use crate::fleet::{Fleet, Work};
use crate::requests::{AFTER, BEFORE};
use crate::tables::Place;

/// More rounds than a rollout of three batches can take.
const ROUNDS: usize = 100;

/// What a rollout came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Healthy {
    /// Devices in it.
    pub devices: u32,
    /// What each part cost, all devices together, in the order in which they come.
    pub parts: Vec<(&'static str, Units)>,
    /// Requests that the devices made.
    pub requests: u64,
    /// The largest items.
    pub largest: Sizes,
}

/// Sizes of items in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Sizes {
    /// Of a device.
    pub device: usize,
    /// Of a rollout.
    pub rollout: usize,
    /// Of a device's row in a rollout.
    pub row: usize,
}

impl Healthy {
    /// Everything, from the registry's delivery to the last step.
    pub fn total(&self) -> Units {
        self.parts.iter().fold(Units::default(), |sum, (_, units)| sum + *units)
    }

    /// Write units of the whole, by device.
    pub fn write_units_per_device(&self) -> f64 {
        self.total().writes / f64::from(self.devices)
    }

    /// Requests by device.
    pub fn requests_per_device(&self) -> f64 {
        self.requests as f64 / f64::from(self.devices)
    }
}

/// Takes a fleet of this size from a push to the rollout's end. The devices of a batch arrive together, so that their
/// reports share stream batches and pages of the journal as they do in a large fleet.
pub async fn healthy_rollout(place: Place, size: u32) -> Result<Healthy, CapacityError> {
    let mut fleet = Fleet::enrolled(place, size).await?;
    let (pushed, creation) = fleet.cost(fleet.push()).await;
    let rollout_id = pushed?;
    fleet.settle().await?;
    let order = planning::order(&rollout_id, fleet.devices.clone());
    let (mut parts, mut updated, mut bytes) = ([Units::default(); 5], 0, 0);
    for _ in 0..ROUNDS {
        let rollout = fleet.rollout(&rollout_id).await?;
        bytes = bytes.max(fleet.rollout_bytes(&rollout_id).await?);
        if rollout.status == Status::Completed {
            fleet.sweep().await?;
            let [offer, progress, swap, end, after] = parts;
            return Ok(Healthy {
                devices: size,
                parts: vec![
                    ("creation", creation),
                    ("resolving", fleet.cost_of(Work::Resolve)),
                    ("planning", fleet.cost_of(Work::Plan)),
                    ("offer", offer),
                    ("report before the swap", progress),
                    ("question before the swap", swap),
                    ("final report", end),
                    ("poll after", after),
                    ("looking for late devices", fleet.cost_of(Work::Deadlines)),
                    ("steps", fleet.cost_of(Work::Step)),
                ],
                requests: fleet.requests.load(Ordering::Relaxed),
                largest: Sizes {
                    device: fleet.largest(Table::Devices),
                    rollout: bytes,
                    row: fleet.largest(Table::DeviceRollouts),
                },
            });
        }
        let open = &order[updated..rollout.open_to as usize];
        if open.is_empty() {
            if !fleet.skip_to_next() {
                return Err(CapacityError::Unexpected { wanted: "the next batch", what: format!("{rollout:?}") });
            }
            fleet.settle().await?;
            continue;
        }
        for (part, units) in parts.iter_mut().zip(update(&mut fleet, open, &rollout_id).await?) {
            *part += units;
        }
        updated = rollout.open_to as usize;
    }
    Err(CapacityError::Unexpected { wanted: "a completed rollout", what: "it goes on".to_owned() })
}

/// Takes some devices from the offer to one poll after their last report: what each of the five requests cost, the
/// recorder's part included.
pub(crate) async fn update(
    fleet: &mut Fleet,
    devices: &[DeviceUuid],
    rollout_id: &RolloutId,
) -> Result<[Units; 5], CapacityError> {
    let mut costs = [Units::default(); 5];
    for (n, cost) in costs.iter_mut().enumerate() {
        let asked: &Fleet = fleet;
        let requests = asked.each(devices, |device| request(asked, n, device, rollout_id));
        let (done, own) = asked.cost(requests).await;
        done?;
        *cost = own + fleet.record().await?;
        fleet.advance(1);
        fleet.settle().await?;
    }
    Ok(costs)
}

/// The `n`th request of a device, from 0.
async fn request(fleet: &Fleet, n: usize, device: DeviceUuid, rollout_id: &RolloutId) -> Result<(), CapacityError> {
    match n {
        0 => fleet.told(device, Phase::Download).await,
        1 => fleet.reports(device, rollout_id, &BEFORE).await,
        2 => fleet.told(device, Phase::Swap).await,
        3 => fleet.reports(device, rollout_id, &AFTER).await,
        _ => fleet.poll(device, &[]).await.map(drop),
    }
}
