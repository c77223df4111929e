//! Items to and from types.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tidegate_domain::ids::DeviceUuid;

use crate::error::EngineError;
use crate::ports::{Item, Table};

/// Reads an item as what its table holds; attributes that the type does not know are ignored.
pub fn read<T: DeserializeOwned>(table: Table, item: Item) -> Result<T, EngineError> {
    serde_json::from_value(Value::Object(item)).map_err(|source| EngineError::Corrupt { table: table.name(), source })
}

/// An item of the entity and further attributes (its key).
pub fn write<T: Serialize>(entity: &T, attributes: impl IntoIterator<Item = (&'static str, Value)>) -> Item {
    let Ok(Value::Object(mut item)) = serde_json::to_value(entity) else {
        // Every entity is a struct of plain data: anything else is a bug that the first test of it meets.
        unreachable!("an entity is an object")
    };
    for (name, value) in attributes {
        item.insert(name.to_owned(), value);
    }
    item
}

/// The shard of a device among `shards`: both uuid versions that occur end in random bits.
pub fn shard_of(device: DeviceUuid, shards: u32) -> u32 {
    u32::from(device.0.as_bytes()[15]) % shards
}
