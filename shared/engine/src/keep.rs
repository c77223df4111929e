//! Writing a live rollout's details once more, as they are: each write moves on when they expire.

use futures::{StreamExt, TryStreamExt, stream};
use tidegate_domain::ids::RolloutId;

use crate::entities::{plans, rows};
use crate::error::EngineError;
use crate::ports::{Condition, Job, Ports, Query, Store, Table, Write, WriteError};

/// Items in one message's work: some seconds.
const ITEMS: u32 = 1_000;
/// Writes at once.
const AT_ONCE: usize = 16;

/// The parts of a rollout's details: its shards of rows, then its journal, its events, and the pages of its plan.
const JOURNAL: u32 = rows::SHARDS;
const EVENTS: u32 = rows::SHARDS + 1;
const PLAN: u32 = rows::SHARDS + 2;

/// The messages that have everything of a rollout kept.
pub fn jobs(rollout_id: &RolloutId) -> impl Iterator<Item = Job> {
    (0..=PLAN).map(|part| Job::Keep { rollout_id: rollout_id.clone(), part, after: None })
}

/// Keeps one part, from behind `after` on; what does not fit follows in another message.
pub async fn keep(ports: &Ports, rollout_id: &RolloutId, part: u32, after: Option<&str>) -> Result<(), EngineError> {
    let store = &*ports.store;
    let next = match part {
        JOURNAL => same(store, Table::RolloutJournal, rollout_id, after).await?,
        EVENTS => same(store, Table::Events, rollout_id, after).await?,
        PLAN => plan(store, rollout_id).await?,
        shard => shard_of_rows(store, rollout_id, shard, after).await?,
    };
    let Some(after) = next else { return Ok(()) };
    let rest = Job::Keep { rollout_id: rollout_id.clone(), part, after: Some(after) };
    Ok(ports.queues.send(&[rest], 0).await?)
}

/// Rows change while they are kept: one that did was written, and so kept, by that.
async fn shard_of_rows(
    store: &dyn Store,
    rollout_id: &RolloutId,
    shard: u32,
    after: Option<&str>,
) -> Result<Option<String>, EngineError> {
    let (found, next) = rows::page(store, rollout_id, shard, after.map(str::to_owned), Some(ITEMS)).await?;
    write_all(store, found.iter().map(|row| rows::save(row, row.rev))).await?;
    Ok(next)
}

/// Pages of the journal and events are written once and never change: what was read is what is there.
async fn same(
    store: &dyn Store,
    table: Table,
    rollout_id: &RolloutId,
    after: Option<&str>,
) -> Result<Option<String>, EngineError> {
    let after = after.map(str::to_owned);
    let query = Query { after, limit: Some(ITEMS), ..Query::partition(table, rollout_id.as_str()) };
    let found = store.query(&query).await?;
    let writes = found.items.into_iter().map(|item| Write::Put { table, item, condition: Condition::Always });
    write_all(store, writes).await?;
    Ok(found.next)
}

async fn plan(store: &dyn Store, rollout_id: &RolloutId) -> Result<Option<String>, EngineError> {
    let Some(order) = plans::order(store, rollout_id).await? else { return Ok(None) };
    for page in 0..order.pages() {
        if let Some(devices) = plans::page(store, rollout_id, &order, page).await? {
            write_all(store, [plans::put_page(rollout_id, &order.hash, page, &devices)]).await?;
        }
    }
    Ok(None)
}

async fn write_all(store: &dyn Store, writes: impl IntoIterator<Item = Write>) -> Result<(), EngineError> {
    let each = writes.into_iter().map(|write| async move {
        match store.write(&[write]).await {
            Ok(()) | Err(WriteError::Refused(_) | WriteError::Conflict) => Ok(()),
            Err(WriteError::Store(error)) => Err(EngineError::from(error)),
        }
    });
    stream::iter(each).buffer_unordered(AT_ONCE).try_collect().await
}
