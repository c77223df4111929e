//! The tables, indexes and streams of a memory store, behind its lock.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde_json::Value;
use tidegate_engine::ports::{Index, Item, Key, Table};

use super::stream::StreamRecord;

/// How many older versions of an item stale reads can be served from.
const VERSIONS: usize = 4;

/// One version of an item.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) item: Arc<Item>,
    pub(super) bytes: usize,
}

#[derive(Debug)]
struct Older {
    version: Option<Stored>,
    replaced_at_ms: i64,
}

/// One item's current version and the last ones before it. A removed item keeps its record.
#[derive(Debug, Default)]
pub(super) struct Record {
    current: Option<Stored>,
    older: VecDeque<Older>,
}

/// Which versions a read sees.
#[derive(Debug, Clone, Copy)]
pub(super) enum View {
    /// The newest.
    Current,
    /// Of each item one that was current after `since_ms`, chosen by `seed`.
    Stale { seed: u64, since_ms: i64 },
}

impl Record {
    /// The version that a read sees; `ordinal` tells the items of one read apart.
    pub(super) fn seen(&self, view: View, ordinal: u64) -> Option<&Stored> {
        let View::Stale { seed, since_ms } = view else { return self.current.as_ref() };
        let servable = self.older.iter().take_while(|older| older.replaced_at_ms >= since_ms).count();
        // The first item of a stale read is always an old one, so that asking for staleness has an effect.
        let choices = if ordinal == 0 { servable } else { servable + 1 };
        if choices == 0 {
            return self.current.as_ref();
        }
        let back = mixed(seed.wrapping_add(ordinal)) as usize % choices + usize::from(ordinal == 0);
        match back.checked_sub(1) {
            None => self.current.as_ref(),
            Some(older) => self.older[older].version.as_ref(),
        }
    }

    fn replace(&mut self, new: Option<Stored>, now_ms: i64) {
        let version = std::mem::replace(&mut self.current, new);
        self.older.push_front(Older { version, replaced_at_ms: now_ms });
        self.older.truncate(VERSIONS);
    }
}

/// The finaliser of `SplitMix64`: spreads neighbouring seeds.
fn mixed(seed: u64) -> u64 {
    let z = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A partition: records by sort key (the empty text where the table has none).
pub(super) type Partition = BTreeMap<String, Record>;

#[derive(Debug, Default)]
pub(super) struct State {
    tables: [BTreeMap<String, Partition>; Table::ALL.len()],
    indexes: [BTreeMap<String, BTreeSet<String>>; Index::ALL.len()],
    pub(super) stream: VecDeque<StreamRecord>,
    sequence: u64,
    pub(super) now_ms: i64,
}

impl State {
    pub(super) fn partitions(&self, table: Table) -> &BTreeMap<String, Partition> {
        &self.tables[table as usize]
    }

    /// The sort keys of an index's partition.
    pub(super) fn entries(&self, index: Index, pk: &str) -> Option<&BTreeSet<String>> {
        self.indexes[index as usize].get(pk)
    }

    pub(super) fn record(&self, key: &Key) -> Option<&Record> {
        self.partitions(key.table).get(&key.pk)?.get(key.sk.as_deref().unwrap_or(""))
    }

    pub(super) fn current(&self, key: &Key) -> Option<&Stored> {
        self.record(key)?.current.as_ref()
    }

    /// Makes `new` the item's current version, with its index entries and its stream record. Returns how many index
    /// entries were put or removed.
    pub(super) fn replace(&mut self, key: Key, new: Option<Stored>) -> u32 {
        let old = self.current(&key).map(|stored| Arc::clone(&stored.item));
        if old.as_deref() == new.as_ref().map(|stored| stored.item.as_ref()) {
            return 0;
        }
        let moved = self.reindex(key.table, old.as_deref(), new.as_ref().map(|stored| stored.item.as_ref()));
        if key.table.streamed() {
            self.sequence += 1;
            let new = new.as_ref().map(|stored| Arc::clone(&stored.item));
            self.stream.push_back(StreamRecord {
                table: key.table,
                key: key.clone(),
                sequence: self.sequence,
                old,
                new,
            });
        }
        let now_ms = self.now_ms;
        let partition = self.tables[key.table as usize].entry(key.pk).or_default();
        partition.entry(key.sk.unwrap_or_default()).or_default().replace(new, now_ms);
        moved
    }

    fn reindex(&mut self, table: Table, old: Option<&Item>, new: Option<&Item>) -> u32 {
        let mut moved = 0;
        for index in Index::ALL.into_iter().filter(|index| index.table() == table) {
            let (before, after) = (entry(index, old), entry(index, new));
            if before == after {
                continue;
            }
            let entries = &mut self.indexes[index as usize];
            if let Some((pk, sk)) = before {
                moved += 1;
                if entries.get_mut(pk).is_some_and(|sks| sks.remove(sk) && sks.is_empty()) {
                    entries.remove(pk);
                }
            }
            if let Some((pk, sk)) = after {
                moved += 1;
                entries.entry(pk.to_owned()).or_default().insert(sk.to_owned());
            }
        }
        moved
    }
}

/// Where the item stands in a sparse index, if it does.
pub(super) fn entry(index: Index, item: Option<&Item>) -> Option<(&str, &str)> {
    let item = item?;
    let (pk, sk) = index.key_attributes();
    let text = |name: &str| item.get(name).and_then(Value::as_str);
    text(pk).zip(text(sk))
}
