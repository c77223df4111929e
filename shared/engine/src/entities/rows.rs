//! A device's row in a rollout.

use tidegate_domain::ids::{DeviceUuid, RolloutId};
use tidegate_domain::row::Row;

use super::codec;
use crate::error::EngineError;
use crate::ports::{Condition, Freshness, Item, Key, Query, Store, Table, Write};

/// Shards per rollout.
pub const SHARDS: u32 = 16;

fn partition(rollout: &RolloutId, shard: u32) -> String {
    format!("{rollout}#{shard:02}")
}

fn partition_of(rollout: &RolloutId, device: DeviceUuid) -> String {
    partition(rollout, codec::shard_of(device, SHARDS))
}

/// The key of a device's row.
pub fn key(rollout: &RolloutId, device: DeviceUuid) -> Key {
    Key::composite(Table::DeviceRollouts, partition_of(rollout, device), device.to_string())
}

fn item(row: &Row) -> Item {
    codec::write(row, [("shard", partition_of(&row.rollout_id, row.device_uuid).into())])
}

/// Reads a row; consistent.
pub async fn get(store: &dyn Store, rollout: &RolloutId, device: DeviceUuid) -> Result<Option<Row>, EngineError> {
    store.get(&key(rollout, device), Freshness::Consistent).await?.map(parse).transpose()
}

/// Reads a row's item, as the store or its stream gives it.
pub fn parse(item: Item) -> Result<Row, EngineError> {
    codec::read(Table::DeviceRollouts, item)
}

/// Stores a row that is not there yet.
pub fn create(row: &Row) -> Write {
    Write::Put { table: Table::DeviceRollouts, item: item(row), condition: Condition::Absent }
}

/// Stores a row, on the condition that the stored one includes just the device revision `read`.
pub fn save(row: &Row, read: u64) -> Write {
    Write::Put { table: Table::DeviceRollouts, item: item(row), condition: Condition::Equals("rev", read.into()) }
}

/// One shard of a rollout's rows, a page at a time; consistent.
pub async fn page(
    store: &dyn Store,
    rollout: &RolloutId,
    shard: u32,
    after: Option<String>,
    limit: Option<u32>,
) -> Result<(Vec<Row>, Option<String>), EngineError> {
    let query = Query { after, limit, ..Query::partition(Table::DeviceRollouts, partition(rollout, shard)) };
    let page = store.query(&query).await?;
    Ok((page.items.into_iter().map(parse).collect::<Result<_, _>>()?, page.next))
}
