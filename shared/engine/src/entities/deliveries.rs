//! Webhook deliveries: what came before, and what was answered.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::codec;
use crate::error::EngineError;
use crate::ports::{Condition, Freshness, Key, Store, Table, Write};

/// How long a delivery is remembered, in seconds: longer than any registry's retry (webhooks rule 9).
const KEPT_SECONDS: i64 = 8 * 86_400;

/// A delivery that was answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delivered {
    /// The entries of the first answer.
    pub answer: Vec<Value>,
}

fn key(source: &str, id: &str) -> Key {
    Key::simple(Table::Deliveries, format!("{source}#{id}"))
}

/// The first answer to a delivery, if there was one.
pub async fn get(store: &dyn Store, source: &str, id: &str) -> Result<Option<Delivered>, EngineError> {
    let item = store.get(&key(source, id), Freshness::Consistent).await?;
    item.map(|item| codec::read(Table::Deliveries, item)).transpose()
}

/// Stores the first answer to a delivery; refused where there is one.
pub fn put(source: &str, id: &str, delivered: &Delivered, now: jiff::Timestamp) -> Write {
    let attributes = [("delivery", key(source, id).pk.into()), ("expires_at", (now.as_second() + KEPT_SECONDS).into())];
    Write::Put { table: Table::Deliveries, item: codec::write(delivered, attributes), condition: Condition::Absent }
}
