//! Who runs a repository: what planning and policy matching read, so that they read no devices.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use tidegate_domain::ids::DeviceUuid;
use tidegate_domain::image::Repository;

use super::codec;
use crate::error::EngineError;
use crate::ports::{Condition, Freshness, Key, Query, Source, Store, Table, Write};

/// Shards per repository.
pub const SHARDS: u32 = 16;

/// Shards that are read at a time where all of them are.
const SHARDS_AT_ONCE: usize = 4;

/// One device's use of one repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceImage {
    /// The device.
    pub device_uuid: DeviceUuid,
    /// Its fleet.
    pub fleet_id: String,
    /// Its tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

fn partition(repository: &Repository, shard: u32) -> String {
    format!("{repository}#{shard:02}")
}

/// The key of one device's use of a repository.
pub fn key(repository: &Repository, device: DeviceUuid) -> Key {
    let shard = codec::shard_of(device, SHARDS);
    Key::composite(Table::DeviceImages, partition(repository, shard), device.to_string())
}

/// Stores it, whatever is there.
pub fn put(repository: &Repository, image: &DeviceImage) -> Write {
    let shard = partition(repository, codec::shard_of(image.device_uuid, SHARDS));
    Write::Put {
        table: Table::DeviceImages,
        item: codec::write(image, [("shard", shard.into())]),
        condition: Condition::Always,
    }
}

/// Removes it.
pub fn delete(repository: &Repository, device: DeviceUuid) -> Write {
    Write::Delete { key: key(repository, device), condition: Condition::Always }
}

/// One shard of a repository's devices, a page at a time; consistent.
pub async fn page(
    store: &dyn Store,
    repository: &Repository,
    shard: u32,
    after: Option<String>,
    limit: Option<u32>,
) -> Result<(Vec<DeviceImage>, Option<String>), EngineError> {
    let query = Query {
        source: Source::Table(Table::DeviceImages),
        pk: partition(repository, shard),
        after,
        prefix: None,
        limit,
        descending: false,
        freshness: Freshness::Consistent,
    };
    let page = store.query(&query).await?;
    let items = page.items.into_iter().map(|item| codec::read(Table::DeviceImages, item)).collect::<Result<_, _>>()?;
    Ok((items, page.next))
}

/// At most so many devices of each shard of a repository, and how many there are beside them.
pub async fn some(
    store: &dyn Store,
    repository: &Repository,
    of_shard: u32,
) -> Result<(Vec<DeviceImage>, u32), EngineError> {
    let shards = (0..SHARDS).map(|shard| async move {
        let (devices, mut after) = page(store, repository, shard, None, Some(of_shard)).await?;
        let mut others = 0;
        while after.is_some() {
            let query = Query { after, ..Query::partition(Table::DeviceImages, partition(repository, shard)) };
            let (counted, next) = store.count(&Query { freshness: Freshness::Eventual, ..query }).await?;
            others += counted;
            after = next;
        }
        Ok::<_, EngineError>((devices, others))
    });
    let shards = futures::future::try_join_all(shards).await?;
    let others = shards.iter().map(|(_, others)| others).sum();
    Ok((shards.into_iter().flat_map(|(devices, _)| devices).collect(), others))
}

/// What is made of every device of a repository, shard by shard: no more than some pages are held at a time.
pub async fn each<T: Send>(
    store: &dyn Store,
    repository: &Repository,
    of: &(dyn Fn(DeviceImage) -> Option<T> + Send + Sync),
) -> Result<Vec<T>, EngineError> {
    let shards = (0..SHARDS).map(|shard| async move {
        let (mut made, mut after) = (Vec::new(), None);
        loop {
            let (items, next) = page(store, repository, shard, after, None).await?;
            made.extend(items.into_iter().filter_map(of));
            if next.is_none() {
                return Ok::<_, EngineError>(made);
            }
            after = next;
        }
    });
    let made: Vec<Vec<T>> = stream::iter(shards).buffered(SHARDS_AT_ONCE).try_collect().await?;
    Ok(made.into_iter().flatten().collect())
}

/// Every device of a repository.
pub async fn all(store: &dyn Store, repository: &Repository) -> Result<Vec<DeviceImage>, EngineError> {
    let shards = (0..SHARDS).map(|shard| async move {
        let (mut devices, mut after) = (Vec::new(), None);
        loop {
            let (items, next) = page(store, repository, shard, after, None).await?;
            devices.extend(items);
            if next.is_none() {
                return Ok::<_, EngineError>(devices);
            }
            after = next;
        }
    });
    Ok(futures::future::try_join_all(shards).await?.into_iter().flatten().collect())
}
