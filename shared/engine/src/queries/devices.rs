//! Devices, in no order.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidegate_domain::counts::Class;
use tidegate_domain::device::Device;

use super::{ImageFilter, Listed};
use crate::entities::devices;
use crate::error::EngineError;
use crate::ports::{Store, Table};

/// How a device stands, over all its images: the first of these that one of them is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceStatus {
    /// An update, or the way back, failed.
    Failed,
    /// On its way to another image, or back.
    Updating,
    /// A lock on the device holds an update.
    Blocked,
    /// Has a place in a rollout, and was offered nothing yet.
    Pending,
    /// Was not seen when its turn came.
    Deferred,
    /// Back on its old image.
    RolledBack,
    /// Nothing to do.
    Idle,
}

impl DeviceStatus {
    /// Every status.
    pub const ALL: [Self; 7] =
        [Self::Failed, Self::Updating, Self::Blocked, Self::Pending, Self::Deferred, Self::RolledBack, Self::Idle];

    /// Its name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Updating => "updating",
            Self::Blocked => "blocked",
            Self::Pending => "pending",
            Self::Deferred => "deferred",
            Self::RolledBack => "rolled_back",
            Self::Idle => "idle",
        }
    }

    const fn of(class: Class) -> Self {
        match class {
            Class::Failed | Class::Unchanged | Class::Stuck => Self::Failed,
            Class::Updating | Class::Reverting => Self::Updating,
            Class::Blocked => Self::Blocked,
            Class::Pending => Self::Pending,
            Class::Deferred | Class::NotSeen => Self::Deferred,
            Class::RolledBack => Self::RolledBack,
            Class::Healthy | Class::Skipped => Self::Idle,
        }
    }
}

/// How a device stands, by its own item alone.
pub fn device_status(device: &Device) -> DeviceStatus {
    let assignments = device.tracks.values().filter_map(|track| track.current.as_ref());
    assignments.map(|a| DeviceStatus::of(a.progress.class())).min().unwrap_or(DeviceStatus::Idle)
}

/// What a list of devices is narrowed to. Deleted devices are in none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeviceFilter {
    /// Of this fleet.
    pub fleet_id: Option<String>,
    /// With all of these tags.
    pub tags: BTreeMap<String, String>,
    /// With a service of this image; its tag is the one that runs.
    pub image: Option<ImageFilter>,
    /// Standing so.
    pub status: Option<DeviceStatus>,
}

impl DeviceFilter {
    fn meets(&self, device: &Device) -> bool {
        device.deleted_at.is_none()
            && self.fleet_id.as_ref().is_none_or(|fleet| *fleet == device.fleet_id)
            && self.tags.iter().all(|(key, value)| device.tags.get(key) == Some(value))
            && self.image.as_ref().is_none_or(|image| runs(device, image))
            && self.status.is_none_or(|status| status == device_status(device))
    }
}

fn runs(device: &Device, image: &ImageFilter) -> bool {
    device.services.values().any(|service| {
        let running = service.running.as_ref().and_then(|running| running.tag.as_ref());
        let told = device.tracks.get(&service.repository).and_then(|track| track.baseline.as_ref()?.tag.as_ref());
        image.meets(&service.repository, running.or(told))
    })
}

/// Behind this device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DevicesCursor {
    after: String,
}

/// A page of devices; eventual. It looks at no more than `limit` devices.
pub async fn devices(
    store: &dyn Store,
    filter: &DeviceFilter,
    cursor: Option<DevicesCursor>,
    limit: u32,
) -> Result<Listed<Device, DevicesCursor>, EngineError> {
    let after = cursor.map(|cursor| cursor.after);
    let page = store.scan(Table::Devices, after.as_deref(), Some(limit)).await?;
    let found = page.items.into_iter().map(devices::parse).collect::<Result<Vec<_>, _>>()?;
    let items = found.into_iter().filter(|device| filter.meets(device)).collect();
    Ok(Listed { items, next: page.next.map(|after| DevicesCursor { after }) })
}
