//! The tables that are measured: in memory, or on a DynamoDB in this process.

mod dynamodb;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use tidegate_engine::ports::{Change, Meter, Store, Table};
use tidegate_testkit::memory::MemoryStore;

use self::dynamodb::DynamoDb;
use crate::error::CapacityError;

/// Records in one invocation, as the template has it for the recorder.
const STREAM_BATCH: usize = 99;

/// Where the tables are. Both count alike: the contract tests hold them to that, and so does every report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In memory: thousands of devices in a second.
    Memory,
    /// On `dynoxide-rs`, over HTTP and the SDK: it reports the units of each call as DynamoDB does.
    DynamoDb,
}

/// Empty tables and their streams.
pub(crate) enum Tables {
    Memory { store: Arc<MemoryStore>, streams: Mutex<BTreeMap<Table, VecDeque<Change>>> },
    DynamoDb(Box<DynamoDb>),
}

impl Tables {
    pub(crate) async fn new(place: Place) -> Result<Self, CapacityError> {
        Ok(match place {
            Place::Memory => Self::Memory { store: Arc::default(), streams: Mutex::default() },
            Place::DynamoDb => Self::DynamoDb(Box::new(DynamoDb::start().await?)),
        })
    }

    /// As the engine takes them.
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Memory { store, .. } => Arc::<MemoryStore>::clone(store),
            Self::DynamoDb(database) => Arc::new(database.store.clone()),
        }
    }

    /// What the calls have cost.
    pub(crate) fn meter(&self) -> Arc<Meter> {
        match self {
            Self::Memory { store, .. } => store.meter(),
            Self::DynamoDb(database) => database.store.meter(),
        }
    }

    /// The next changes of a table's stream, as one invocation of a function gets them; empty where there are none.
    pub(crate) async fn next(&self, table: Table) -> Result<Vec<Change>, CapacityError> {
        match self {
            Self::Memory { store, streams } => {
                let mut streams = streams.lock().unwrap_or_else(PoisonError::into_inner);
                for record in store.take_stream() {
                    let change = Change { key: record.key, old: record.old, new: record.new };
                    streams.entry(record.table).or_default().push_back(change);
                }
                let Some(stream) = streams.get_mut(&table) else { return Ok(Vec::new()) };
                let batch = stream.len().min(STREAM_BATCH);
                Ok(stream.drain(..batch).collect())
            }
            Self::DynamoDb(database) => database.next(table, STREAM_BATCH).await,
        }
    }
}
