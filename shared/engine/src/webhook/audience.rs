//! How many devices a push is for, under each policy.

use std::collections::BTreeMap;

use tidegate_domain::ids::PolicyId;
use tidegate_domain::image::Repository;
use tidegate_domain::policy::Contest;

use super::told::DeliveryOutcome;
use crate::entities::device_images::{self, DeviceImage};
use crate::error::EngineError;
use crate::ports::Store;

/// Devices of each of the 16 shards that an answer looks at: some three thousand of them are counted exactly. More would
/// take a function with a seventh of a processor longer than a registry waits.
const OF_SHARD: u32 = 200;

/// Who runs a repository.
pub(super) struct Audience {
    devices: Vec<DeviceImage>,
    /// Those that were not looked at.
    others: u32,
}

/// The devices that a policy has for a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Affected {
    /// So many of those that were looked at.
    counted: u32,
    /// It may have these, too.
    others: u32,
}

impl Audience {
    pub(super) async fn read(store: &dyn Store, repository: &Repository) -> Result<Self, EngineError> {
        let (devices, others) = device_images::some(store, repository, OF_SHARD).await?;
        Ok(Self { devices, others })
    }

    /// The devices that each policy wins. Each device is looked at once.
    pub(super) fn counts(&self, contest: &Contest<'_>) -> BTreeMap<PolicyId, u32> {
        let mut counts: BTreeMap<&PolicyId, u32> = BTreeMap::new();
        for device in &self.devices {
            if let Some(winner) = contest.winner(&device.fleet_id, &device.tags) {
                *counts.entry(&winner.id).or_default() += 1;
            }
        }
        counts.into_iter().map(|(id, count)| (id.clone(), count)).collect()
    }

    /// What a policy with this count has.
    pub(super) fn affected(&self, counted: u32) -> Affected {
        Affected { counted, others: self.others }
    }
}

impl Affected {
    /// Whether the push is for nobody.
    pub(super) fn is_nobody(self) -> bool {
        self.counted + self.others == 0
    }

    /// Says it: exactly where everybody was looked at, else how many it is at most.
    pub(super) fn told(self, told: DeliveryOutcome) -> DeliveryOutcome {
        match self.others {
            0 => DeliveryOutcome { affected_devices: Some(self.counted), ..told },
            others => DeliveryOutcome {
                affected_devices: None,
                affected_devices_at_most: Some(self.counted + others),
                ..told
            },
        }
    }

    /// Those that were counted.
    pub(super) const fn counted(self) -> u32 {
        self.counted
    }
}
