//! `image.*` events and the audit trail.

use jiff::Timestamp;
use jiff::fmt::serde::timestamp::millisecond::required as ms;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tidegate_domain::ids::RolloutId;

use super::codec;
use crate::error::EngineError;
use crate::ports::{Condition, Item, Query, Store, Table, Write};

/// Where events that belong to no rollout are kept.
pub const AUDIT: &str = "audit";

/// One event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// A rollout's id, or [`AUDIT`].
    pub stream: String,
    /// Ordered by time within the stream; made from what caused it, so that a repeat is the same event.
    pub event_id: String,
    /// Its full name.
    pub name: String,
    /// When it happened.
    #[serde(with = "ms")]
    pub at: Timestamp,
    /// What else there is to say.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub detail: Map<String, Value>,
}

impl Event {
    /// An event of a rollout; `cause` is unique within its millisecond and the same for a repeat.
    pub fn of_rollout(rollout: &RolloutId, name: &str, at: Timestamp, cause: &str) -> Self {
        Self::new(rollout.as_str(), name, at, cause)
    }

    /// An event of the audit trail.
    pub fn audit(name: &str, at: Timestamp, cause: &str) -> Self {
        Self::new(AUDIT, name, at, cause)
    }

    fn new(stream: &str, name: &str, at: Timestamp, cause: &str) -> Self {
        Self {
            stream: stream.to_owned(),
            event_id: format!("{:013}-{cause}", at.as_millisecond()),
            name: name.to_owned(),
            at,
            detail: Map::new(),
        }
    }

    /// With what else there is to say.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        let value = value.into();
        if !value.is_null() {
            self.detail.insert(name.to_owned(), value);
        }
        self
    }
}

/// Stores an event.
pub fn put(event: &Event) -> Write {
    Write::Put { table: Table::Events, item: codec::write(event, []), condition: Condition::Always }
}

/// Reads an event's item, as the store or its stream gives it.
pub fn parse(item: Item) -> Result<Event, EngineError> {
    codec::read(Table::Events, item)
}

/// A page of a stream's events, in order.
pub async fn page(
    store: &dyn Store,
    stream: &str,
    after: Option<String>,
    limit: Option<u32>,
) -> Result<(Vec<Event>, Option<String>), EngineError> {
    let query = Query { after, limit, ..Query::partition(Table::Events, stream) };
    let page = store.query(&query).await?;
    Ok((page.items.into_iter().map(parse).collect::<Result<_, _>>()?, page.next))
}
