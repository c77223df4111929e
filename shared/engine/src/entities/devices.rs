//! A device's own item.

use tidegate_domain::device::Device;
use tidegate_domain::ids::DeviceUuid;

use super::codec;
use crate::error::EngineError;
use crate::ports::{Condition, Freshness, Item, Key, Store, Table, Write};

/// The key of a device.
pub fn key(device: DeviceUuid) -> Key {
    Key::simple(Table::Devices, device.to_string())
}

/// Reads a device.
pub async fn get(store: &dyn Store, device: DeviceUuid, freshness: Freshness) -> Result<Option<Device>, EngineError> {
    store.get(&key(device), freshness).await?.map(parse).transpose()
}

/// Reads a device's item, as the store or its stream gives it.
pub fn parse(item: Item) -> Result<Device, EngineError> {
    codec::read(Table::Devices, item)
}

/// Stores a new device; refused where one has its uuid.
pub fn create(device: &Device) -> Write {
    Write::Put { table: Table::Devices, item: codec::write(device, []), condition: Condition::Absent }
}

/// Stores a device's next revision; refused where the stored one is not the one before it.
pub fn save(device: &Device) -> Write {
    Write::Put {
        table: Table::Devices,
        item: codec::write(device, []),
        condition: Condition::Equals("rev", (device.rev - 1).into()),
    }
}
