//! The store: what the engine asks of its tables.
//!
//! The port is as small as DynamoDB's own contract (point reads, one-partition queries, conditional writes and
//! transactions), so that conditions are data and the same entity code runs over every adapter.

use std::fmt;

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Map, Value};

/// One item: attribute names to values. Numbers are integers; binary data does not occur.
pub type Item = Map<String, Value>;

/// The tables of the design; an adapter maps each to a physical name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// A device's own item: identity, assignments, reported state. Streamed.
    Devices,
    /// Who runs a repository, with fleet and tags; sharded.
    DeviceImages,
    /// Policies.
    Policies,
    /// Heads, tags and generation counters per repository.
    Images,
    /// Rollouts, and beside each its plan and pages.
    Rollouts,
    /// The recorder's pages and the planner's markers.
    RolloutJournal,
    /// A device's row in a rollout, with its history; sharded. Streamed.
    DeviceRollouts,
    /// `image.*` events and the audit trail. Streamed.
    Events,
    /// Webhook deliveries and their first answers; expires.
    Deliveries,
}

impl Table {
    /// Every table.
    pub const ALL: [Self; 9] = [
        Self::Devices,
        Self::DeviceImages,
        Self::Policies,
        Self::Images,
        Self::Rollouts,
        Self::RolloutJournal,
        Self::DeviceRollouts,
        Self::Events,
        Self::Deliveries,
    ];

    /// The logical name, also the end of the physical one.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Devices => "devices",
            Self::DeviceImages => "device_images",
            Self::Policies => "policies",
            Self::Images => "images",
            Self::Rollouts => "rollouts",
            Self::RolloutJournal => "rollout_journal",
            Self::DeviceRollouts => "device_rollouts",
            Self::Events => "events",
            Self::Deliveries => "deliveries",
        }
    }

    /// Partition key attribute and, where there is one, sort key attribute. Both are strings in every table.
    pub const fn key_attributes(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Devices => ("device_uuid", None),
            Self::DeviceImages | Self::DeviceRollouts => ("shard", Some("device_uuid")),
            Self::Policies => ("id", None),
            Self::Images => ("repository", Some("item")),
            Self::Rollouts => ("rollout_id", None),
            Self::RolloutJournal => ("rollout_id", Some("n")),
            Self::Events => ("stream", Some("event_id")),
            Self::Deliveries => ("delivery", None),
        }
    }

    /// Whether the table has a stream (new and old images).
    pub const fn streamed(self) -> bool {
        matches!(self, Self::Devices | Self::DeviceRollouts | Self::Events)
    }
}

/// A secondary index, keys only; reads of it are eventually consistent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Index {
    /// Rollouts that the sweep still steps: partition `live` (present only while that holds), sort `rollout_id`.
    LiveRollouts,
    /// All rollouts by creation: partition `list`, sort `rollout_id` (ids are time-ordered).
    RolloutsByTime,
}

impl Index {
    /// Every index.
    pub const ALL: [Self; 2] = [Self::LiveRollouts, Self::RolloutsByTime];

    /// The index's name in the template.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LiveRollouts => "live",
            Self::RolloutsByTime => "by_time",
        }
    }

    /// The table that it indexes.
    pub const fn table(self) -> Table {
        Table::Rollouts
    }

    /// Partition and sort key attributes, both strings.
    pub const fn key_attributes(self) -> (&'static str, &'static str) {
        match self {
            Self::LiveRollouts => ("live", "rollout_id"),
            Self::RolloutsByTime => ("list", "rollout_id"),
        }
    }
}

/// The full primary key of one item.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Where the item lives.
    pub table: Table,
    /// Partition key.
    pub pk: String,
    /// Sort key, present exactly where the table has one.
    pub sk: Option<String>,
}

impl Key {
    /// The key of an item in a table without a sort key.
    pub fn simple(table: Table, pk: impl Into<String>) -> Self {
        Self { table, pk: pk.into(), sk: None }
    }

    /// The key of an item in a table with a sort key.
    pub fn composite(table: Table, pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self { table, pk: pk.into(), sk: Some(sk.into()) }
    }

    /// The key that an item of `table` carries in its own attributes.
    pub fn of(table: Table, item: &Item) -> Option<Self> {
        let (pk, sk) = table.key_attributes();
        let text = |name: &str| item.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            table,
            pk: text(pk)?,
            sk: match sk {
                Some(name) => Some(text(name)?),
                None => None,
            },
        })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.table.name(), self.pk)?;
        self.sk.as_ref().map_or(Ok(()), |sk| write!(f, "/{sk}"))
    }
}

/// How fresh a read must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Half the price; may miss the newest writes.
    Eventual,
    /// Sees every write acknowledged before it.
    Consistent,
}

/// A condition on the item that a write touches, evaluated atomically with it.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// No condition.
    Always,
    /// No item has this key.
    Absent,
    /// An item has this key.
    Present,
    /// The attribute has this value.
    Equals(&'static str, Value),
    /// The attribute has one of these values.
    OneOf(&'static str, Vec<Value>),
    /// The attribute is a number below this one; false where it is missing.
    Below(&'static str, i64),
    /// The attribute does not exist.
    Missing(&'static str),
    /// All hold.
    All(Vec<Condition>),
    /// At least one holds.
    Any(Vec<Condition>),
}

/// One write; several in one call are one transaction.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    /// Replaces or creates the whole item.
    Put {
        /// Where.
        table: Table,
        /// The item, with its key attributes.
        item: Item,
        /// Must hold of the item that is there.
        condition: Condition,
    },
    /// Changes single attributes; creates the item if it is absent and the condition allows that.
    Update {
        /// Which item.
        key: Key,
        /// Attributes to set. Top level only.
        set: Vec<(&'static str, Value)>,
        /// Numbers to add to (a missing one counts as 0). Top level only.
        add: Vec<(&'static str, i64)>,
        /// Attributes to remove. Top level only.
        remove: Vec<&'static str>,
        /// Must hold of the item that is there.
        condition: Condition,
    },
    /// Removes the item.
    Delete {
        /// Which item.
        key: Key,
        /// Must hold of the item that is there.
        condition: Condition,
    },
    /// Writes nothing; only its condition takes part in the transaction.
    Check {
        /// Which item.
        key: Key,
        /// Must hold of it.
        condition: Condition,
    },
}

impl Write {
    /// The table that it touches.
    pub const fn table(&self) -> Table {
        match self {
            Self::Put { table, .. } => *table,
            Self::Update { key, .. } | Self::Delete { key, .. } | Self::Check { key, .. } => key.table,
        }
    }
}

/// Where a query looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A table's own partition.
    Table(Table),
    /// An index's partition.
    Index(Index),
}

/// A query of one partition, in the order of the sort key.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// Table or index.
    pub source: Source,
    /// Partition key value.
    pub pk: String,
    /// Only sort keys greater than this one (or, `descending`, less than it).
    pub after: Option<String>,
    /// Only sort keys that begin with this text; with `after`, those of them behind it.
    pub prefix: Option<String>,
    /// Largest number of items; a page may have fewer and still not be the last.
    pub limit: Option<u32>,
    /// From the greatest sort key down.
    pub descending: bool,
    /// How fresh; an index is always eventual.
    pub freshness: Freshness,
}

impl Query {
    /// A whole partition of a table, ascending, consistent.
    pub fn partition(table: Table, pk: impl Into<String>) -> Self {
        Self {
            source: Source::Table(table),
            pk: pk.into(),
            after: None,
            prefix: None,
            limit: None,
            descending: false,
            freshness: Freshness::Consistent,
        }
    }
}

/// A page of items.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    /// The items, in order. From an index they carry their key attributes only.
    pub items: Vec<Item>,
    /// The last sort key looked at, when there may be more: give it as `after`. Of a scan, the partition key.
    pub next: Option<String>,
}

/// Why a read failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Throttled, timed out, or not reachable: the same call may succeed later.
    #[error("the store did not answer")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The call itself is wrong or not permitted: repeating it cannot help.
    #[error("the store refused the call")]
    Rejected(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Why a write was not made. Every variant but `Store` means that nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A condition did not hold: that of the write at this position in the call.
    #[error("the condition of write {0} did not hold")]
    Refused(usize),
    /// Another transaction held one of the items; repeating the call can help.
    #[error("another transaction was in the way")]
    Conflict,
    /// The outcome may be unknown.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Single reads at a time, where a store cannot read several in one call.
const GETS_AT_ONCE: usize = 16;

/// The tables.
#[async_trait]
pub trait Store: Send + Sync {
    /// One item by its key.
    async fn get(&self, key: &Key, freshness: Freshness) -> Result<Option<Item>, StoreError>;

    /// Several items by their keys, in the order of the keys. Each is read as [`Store::get`] reads it; together they
    /// are no snapshot.
    async fn get_many(&self, keys: &[Key], freshness: Freshness) -> Result<Vec<Option<Item>>, StoreError> {
        let gets = keys.iter().cloned().map(|key| async move { self.get(&key, freshness).await });
        stream::iter(gets).buffered(GETS_AT_ONCE).try_collect().await
    }

    /// A page of one partition.
    async fn query(&self, query: &Query) -> Result<Page, StoreError>;

    /// How many items a query selects, counted where they are: a page's number, and where to go on when there may be
    /// more. It costs what reading them costs, and brings none of them.
    async fn count(&self, query: &Query) -> Result<(u32, Option<String>), StoreError> {
        let page = self.query(query).await?;
        Ok((page.items.len() as u32, page.next))
    }

    /// A page of a whole table without a sort key, in no order, eventually consistent; `after` continues behind that
    /// partition key.
    async fn scan(&self, table: Table, after: Option<&str>, limit: Option<u32>) -> Result<Page, StoreError>;

    /// One conditional write, or up to 100 as one transaction on distinct items. Nothing is written unless every
    /// condition holds.
    async fn write(&self, writes: &[Write]) -> Result<(), WriteError>;
}
