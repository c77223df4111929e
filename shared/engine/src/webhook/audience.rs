//! How many devices a push is for, under each policy.

use std::collections::BTreeMap;

use tidegate_domain::ids::PolicyId;
use tidegate_domain::image::Repository;
use tidegate_domain::policy::Contest;

use crate::entities::device_images::{self, DeviceImage};
use crate::error::EngineError;
use crate::ports::Store;

/// Who runs a repository.
pub(super) struct Audience {
    devices: Vec<DeviceImage>,
}

impl Audience {
    pub(super) async fn read(store: &dyn Store, repository: &Repository) -> Result<Self, EngineError> {
        Ok(Self { devices: device_images::all(store, repository).await? })
    }

    /// The devices that each policy wins. Each device is looked at once.
    pub(super) fn counts(&self, contest: &Contest<'_>) -> BTreeMap<PolicyId, u32> {
        let mut counts = BTreeMap::new();
        for device in &self.devices {
            if let Some(winner) = contest.winner(&device.fleet_id, &device.tags) {
                *counts.entry(winner.id.clone()).or_default() += 1;
            }
        }
        counts
    }
}
