//! How queries and scans walk the tables: range, order, limits, and which version of an item they see.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use tidegate_engine::ports::{Index, Item, Page, Query, Table};

use super::capacity::item_bytes;
use super::state::{Partition, Record, State, Stored, View, entry};

/// DynamoDB's limit of one page: 1 MB.
const PAGE_MAX_BYTES: usize = 1024 * 1024;

/// A page and how many bytes were read for it.
#[derive(Debug, Default)]
pub(super) struct Filled {
    pub(super) page: Page,
    pub(super) bytes: usize,
}

/// Why a read can never succeed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadRead {
    #[error("{0} has no sort key to select by")]
    NoSortKey(&'static str),
    #[error("{0} has a sort key and is never scanned")]
    SortKey(&'static str),
    #[error("a page has at least one item")]
    NoLimit,
}

/// A page of one partition of a table.
pub(super) fn table_page(table: Table, partition: &Partition, query: &Query, view: View) -> Result<Filled, BadRead> {
    if table.key_attributes().1.is_none() && (query.after.is_some() || query.prefix.is_some()) {
        return Err(BadRead::NoSortKey(table.name()));
    }
    let records = in_range(partition, query).enumerate();
    fill(query.limit, records.filter_map(|(i, (sk, record))| Some((sk, record.seen(view, i as u64)?))))
}

/// How many items a page has, where it ends, and how many bytes were read for it.
#[derive(Debug, Default)]
pub(super) struct Counted {
    pub(super) items: u32,
    pub(super) next: Option<String>,
    pub(super) bytes: usize,
}

/// What [`table_page`] would read, counted.
pub(super) fn table_count(table: Table, partition: &Partition, query: &Query, view: View) -> Result<Counted, BadRead> {
    if table.key_attributes().1.is_none() && (query.after.is_some() || query.prefix.is_some()) {
        return Err(BadRead::NoSortKey(table.name()));
    }
    let mut counted = Counted::default();
    for (i, (sk, record)) in in_range(partition, query).enumerate() {
        let Some(stored) = record.seen(view, i as u64) else { continue };
        counted.items += 1;
        counted.bytes += stored.bytes;
        if query.limit.is_some_and(|limit| counted.items >= limit) || counted.bytes >= PAGE_MAX_BYTES {
            counted.next = Some(sk.clone());
            break;
        }
    }
    Ok(counted)
}

/// A page of one partition of an index.
pub(super) fn index_page(index: Index, state: &State, query: &Query, view: View) -> Result<Filled, BadRead> {
    let entries = match view {
        View::Current => {
            state.entries(index, &query.pk).into_iter().flatten().map(|sk| stored(index, &query.pk, sk)).collect()
        }
        View::Stale { .. } => stale_entries(index, state, &query.pk, view),
    };
    fill(query.limit, in_range(&entries, query))
}

/// A page of a whole table.
pub(super) fn scan_page(
    table: Table,
    partitions: &BTreeMap<String, Partition>,
    after: Option<&str>,
    limit: Option<u32>,
    view: View,
) -> Result<Filled, BadRead> {
    if table.key_attributes().1.is_some() {
        return Err(BadRead::SortKey(table.name()));
    }
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    let partitions = partitions.range::<str, _>((from, Bound::Unbounded));
    let records = partitions.filter_map(|(pk, partition)| Some((pk, partition.values().next()?))).enumerate();
    fill(limit, records.filter_map(|(i, (pk, record))| Some((pk, record.seen(view, i as u64)?))))
}

/// A lagging index: what it would hold if every rollout were some versions old.
fn stale_entries(index: Index, state: &State, pk: &str, view: View) -> BTreeMap<String, Stored> {
    let records = state.partitions(index.table()).values().flat_map(Partition::values).enumerate();
    let seen = records.filter_map(|(i, record): (_, &Record)| record.seen(view, i as u64));
    let entries = seen.filter_map(|version| entry(index, Some(&version.item)));
    entries.filter(|(of, _)| *of == pk).map(|(_, sk)| stored(index, pk, sk)).collect()
}

/// An index's item: its keys only.
fn stored(index: Index, pk: &str, sk: &str) -> (String, Stored) {
    let (pk_name, sk_name) = index.key_attributes();
    let item = Item::from_iter([(pk_name.to_owned(), pk.into()), (sk_name.to_owned(), sk.into())]);
    (sk.to_owned(), Stored { bytes: item_bytes(&item), item: Arc::new(item) })
}

/// Takes items until a limit is reached; DynamoDB then says where to go on, even if nothing follows.
fn fill<'a>(limit: Option<u32>, found: impl Iterator<Item = (&'a String, &'a Stored)>) -> Result<Filled, BadRead> {
    if limit == Some(0) {
        return Err(BadRead::NoLimit);
    }
    let mut filled = Filled::default();
    for (key, stored) in found {
        filled.bytes += stored.bytes;
        filled.page.items.push(stored.item.as_ref().clone());
        let full = limit.is_some_and(|limit| filled.page.items.len() >= limit as usize);
        if full || filled.bytes >= PAGE_MAX_BYTES {
            filled.page.next = Some(key.clone());
            break;
        }
    }
    Ok(filled)
}

/// The part of a partition that a query asks for, in its order.
fn in_range<'a, V>(
    partition: &'a BTreeMap<String, V>,
    query: &'a Query,
) -> Box<dyn Iterator<Item = (&'a String, &'a V)> + 'a> {
    let prefix = query.prefix.as_deref().unwrap_or("");
    let after = query.after.as_deref();
    if query.descending {
        if after.is_some_and(|after| after <= prefix) {
            return Box::new(std::iter::empty());
        }
        let to = after.map_or(Bound::Unbounded, Bound::Excluded);
        let range = partition.range::<str, _>((Bound::Included(prefix), to));
        Box::new(range.rev().skip_while(move |(sk, _)| !sk.starts_with(prefix)))
    } else {
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            Some(_) | None => Bound::Included(prefix),
        };
        let range = partition.range::<str, _>((from, Bound::Unbounded));
        Box::new(range.take_while(move |(sk, _)| sk.starts_with(prefix)))
    }
}
