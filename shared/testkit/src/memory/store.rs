//! The store in memory: DynamoDB's contract without DynamoDB.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use tidegate_engine::ports::{
    Condition, Freshness, Item, Key, Meter, Page, Query, Source, Store, StoreError, Table, Write, WriteError,
};

use super::capacity::{item_bytes, read_units, write_units};
use super::change::{self, After, BadWrite};
use super::condition::holds;
use super::page::{BadRead, Filled, index_page, scan_page, table_count, table_page};
use super::state::{Partition, State, View};
use super::stream::StreamRecord;

/// DynamoDB's limit of one transaction: 4 MB.
const TRANSACTION_MAX_BYTES: usize = 4 * 1024 * 1024;

/// All tables in memory. Eventual reads are current unless a stale one is asked for by name.
#[derive(Debug)]
pub struct MemoryStore {
    state: Mutex<State>,
    meter: Arc<Meter>,
    stale_window_ms: i64,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new(i64::MAX)
    }
}

impl MemoryStore {
    /// An empty store whose stale reads serve versions that were replaced at most `stale_window_ms` ago.
    pub fn new(stale_window_ms: i64) -> Self {
        Self { state: Mutex::default(), meter: Arc::default(), stale_window_ms }
    }

    /// What the calls have cost.
    pub fn meter(&self) -> Arc<Meter> {
        Arc::clone(&self.meter)
    }

    /// Tells the store the time: it decides which old versions a stale read may still serve, nothing else.
    pub fn set_now(&self, now: Timestamp) {
        self.state().now_ms = now.as_millisecond();
    }

    /// The item as it is, without cost: for a test's eyes.
    pub fn peek(&self, key: &Key) -> Option<Arc<Item>> {
        self.state().current(key).map(|stored| Arc::clone(&stored.item))
    }

    /// Every item of a table in the order of its keys, without cost: for a test's eyes.
    pub fn peek_all(&self, table: Table) -> Vec<Arc<Item>> {
        let state = self.state();
        let records = state.partitions(table).values().flat_map(Partition::values);
        records.filter_map(|record| record.seen(View::Current, 0)).map(|stored| Arc::clone(&stored.item)).collect()
    }

    /// Takes all change records, in the order of the writes.
    pub fn take_stream(&self) -> Vec<StreamRecord> {
        self.state().stream.drain(..).collect()
    }

    /// The change records that nobody has taken.
    pub fn peek_stream(&self) -> Vec<StreamRecord> {
        self.state().stream.iter().cloned().collect()
    }

    /// An eventual read that meets a replica which is behind. `seed` chooses how far.
    pub fn get_stale(&self, key: &Key, seed: u64) -> Result<Option<Item>, StoreError> {
        self.read(key, Freshness::Eventual, |state| self.stale(state, seed))
    }

    /// An eventual query that meets a replica which is behind, differently for each item. `seed` chooses how far.
    pub fn query_stale(&self, query: &Query, seed: u64) -> Result<Page, StoreError> {
        self.page(query, |state| self.stale(state, seed))
    }

    /// An eventual scan that meets a replica which is behind, differently for each item. `seed` chooses how far.
    pub fn scan_stale(
        &self,
        table: Table,
        after: Option<&str>,
        limit: Option<u32>,
        seed: u64,
    ) -> Result<Page, StoreError> {
        self.table_scan(table, after, limit, |state| self.stale(state, seed))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stale(&self, state: &State, seed: u64) -> View {
        View::Stale { seed, since_ms: state.now_ms.saturating_sub(self.stale_window_ms) }
    }

    fn read(
        &self,
        key: &Key,
        freshness: Freshness,
        view: impl FnOnce(&State) -> View,
    ) -> Result<Option<Item>, StoreError> {
        change::check_key(key).map_err(rejected)?;
        let state = self.state();
        let stored = state.record(key).and_then(|record| record.seen(view(&state), 0));
        let bytes = stored.map_or(0, |stored| stored.bytes);
        self.meter.read(key.table, read_units(bytes, freshness == Freshness::Consistent));
        Ok(stored.map(|stored| stored.item.as_ref().clone()))
    }

    fn page(&self, query: &Query, view: impl FnOnce(&State) -> View) -> Result<Page, StoreError> {
        let state = self.state();
        let view = view(&state);
        let (table, page) = match query.source {
            Source::Table(table) => {
                (table, state.partitions(table).get(&query.pk).map(|records| table_page(table, records, query, view)))
            }
            Source::Index(index) => (index.table(), Some(index_page(index, &state, query, view))),
        };
        self.charged(table, query.freshness, page.unwrap_or_else(|| Ok(Filled::default())))
    }

    fn table_scan(
        &self,
        table: Table,
        after: Option<&str>,
        limit: Option<u32>,
        view: impl FnOnce(&State) -> View,
    ) -> Result<Page, StoreError> {
        let state = self.state();
        let view = view(&state);
        self.charged(table, Freshness::Eventual, scan_page(table, state.partitions(table), after, limit, view))
    }

    fn charged(&self, table: Table, freshness: Freshness, filled: Result<Filled, BadRead>) -> Result<Page, StoreError> {
        let filled = filled.map_err(rejected)?;
        self.meter.read(table, read_units(filled.bytes, freshness == Freshness::Consistent));
        Ok(filled.page)
    }

    fn write_all(&self, writes: &[Write]) -> Result<(), WriteError> {
        if writes.is_empty() {
            return Ok(());
        }
        let mut state = self.state();
        let transaction = writes.len() > 1 || matches!(writes, [Write::Check { .. }]);
        let factor = if transaction { 2.0 } else { 1.0 };
        let keys = keys_of(writes).map_err(rejected)?;
        let (mut planned, mut refused, mut total) = (Vec::with_capacity(writes.len()), None, 0);
        for (i, (write, key)) in writes.iter().zip(keys).enumerate() {
            let old = state.current(&key);
            let old_bytes = old.map_or(0, |old| old.bytes);
            let old = old.map(|old| old.item.as_ref());
            if refused.is_none() && !holds(condition_of(write), old) {
                refused = Some(i);
            }
            let new_bytes = if refused.is_some() {
                put_bytes(write)
            } else {
                let after = change::after(write, &key, old).map_err(rejected)?;
                let bytes = after.bytes();
                planned.push((key, after));
                bytes
            };
            let bytes = new_bytes.max(old_bytes);
            total += bytes;
            self.meter.write(write.table(), write_units(bytes) * factor);
        }
        if let Some(position) = refused {
            return Err(WriteError::Refused(position));
        }
        if total > TRANSACTION_MAX_BYTES {
            return Err(rejected(BadWrite::TooLarge(total)).into());
        }
        for (key, after) in planned {
            let table = key.table;
            let entries = match after {
                After::Same => 0,
                After::Stored(stored) => state.replace(key, Some(stored)),
                After::Gone => state.replace(key, None),
            };
            if entries > 0 {
                self.meter.write(table, f64::from(entries));
            }
        }
        Ok(())
    }
}

fn keys_of(writes: &[Write]) -> Result<Vec<Key>, BadWrite> {
    if writes.len() > 100 {
        return Err(BadWrite::TooMany(writes.len()));
    }
    let keys = writes.iter().map(change::key_of).collect::<Result<Vec<_>, _>>()?;
    if keys.len() == 1 {
        return Ok(keys);
    }
    let mut distinct = BTreeSet::new();
    match keys.iter().find(|key| !distinct.insert(*key)) {
        Some(twice) => Err(BadWrite::Twice(twice.to_string())),
        None => Ok(keys),
    }
}

fn condition_of(write: &Write) -> &Condition {
    match write {
        Write::Put { condition, .. }
        | Write::Update { condition, .. }
        | Write::Delete { condition, .. }
        | Write::Check { condition, .. } => condition,
    }
}

/// The size of the item that a refused write would have put: it is paid for all the same.
fn put_bytes(write: &Write) -> usize {
    match write {
        Write::Put { item, .. } => item_bytes(item),
        Write::Update { .. } | Write::Delete { .. } | Write::Check { .. } => 0,
    }
}

fn rejected(error: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Rejected(Box::new(error))
}

#[async_trait]
impl Store for MemoryStore {
    async fn get(&self, key: &Key, freshness: Freshness) -> Result<Option<Item>, StoreError> {
        self.read(key, freshness, |_| View::Current)
    }

    async fn query(&self, query: &Query) -> Result<Page, StoreError> {
        self.page(query, |_| View::Current)
    }

    async fn count(&self, query: &Query) -> Result<(u32, Option<String>), StoreError> {
        let state = self.state();
        let Source::Table(table) = query.source else {
            drop(state);
            let page = self.query(query).await?;
            return Ok((page.items.len() as u32, page.next));
        };
        let partition = state.partitions(table).get(&query.pk);
        let counted = partition.map(|partition| table_count(table, partition, query, View::Current)).transpose();
        let counted = counted.map_err(rejected)?.unwrap_or_default();
        self.meter.read(table, read_units(counted.bytes, query.freshness == Freshness::Consistent));
        Ok((counted.items, counted.next))
    }

    async fn scan(&self, table: Table, after: Option<&str>, limit: Option<u32>) -> Result<Page, StoreError> {
        self.table_scan(table, after, limit, |_| View::Current)
    }

    async fn write(&self, writes: &[Write]) -> Result<(), WriteError> {
        self.write_all(writes)
    }
}
