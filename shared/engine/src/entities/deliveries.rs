//! Webhook deliveries: what came before, and what was answered.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::fmt::serde::timestamp::millisecond::optional as ms_opt;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidegate_domain::webhook::PushNotice;

use super::codec;
use super::remainders::Part;
use crate::error::EngineError;
use crate::ports::{Condition, Freshness, Key, Store, Table, Write};

/// How long a delivery is remembered, in seconds: longer than any registry's retry (webhooks rule 9).
pub(super) const KEPT_SECONDS: i64 = 8 * 86_400;

/// A delivery that was answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delivered {
    /// The entries of the first answer.
    pub answer: Vec<Value>,
    /// What is told by now of those that were accepted only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remainder: Option<Part>,
    /// When it was taken.
    #[serde(with = "ms_opt", default, skip_serializing_if = "Option::is_none")]
    pub taken_at: Option<Timestamp>,
    /// What it told, so that it can be replayed; a mark of one policy's rollout has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<PushNotice>,
    /// Who sent it: a source and its kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
}

fn key(source: &str, id: &str) -> Key {
    Key::simple(Table::Deliveries, format!("{source}#{id}"))
}

/// The first answer to a delivery, if there was one.
pub async fn get(store: &dyn Store, source: &str, id: &str) -> Result<Option<Delivered>, EngineError> {
    let item = store.get(&key(source, id), Freshness::Consistent).await?;
    item.map(|item| codec::read(Table::Deliveries, item)).transpose()
}

/// The first answers to those of these deliveries that were answered, by their ids.
pub async fn get_many(
    store: &dyn Store,
    source: &str,
    ids: &[&str],
) -> Result<BTreeMap<String, Delivered>, EngineError> {
    let keys: Vec<Key> = ids.iter().map(|id| key(source, id)).collect();
    let items = store.get_many(&keys, Freshness::Consistent).await?;
    let known = ids.iter().zip(items).filter_map(|(id, item)| Some((*id, item?)));
    known.map(|(id, item)| Ok((id.to_owned(), codec::read(Table::Deliveries, item)?))).collect()
}

/// Stores the first answer to a delivery; refused where there is one.
pub fn put(source: &str, id: &str, delivered: &Delivered, now: Timestamp) -> Write {
    let attributes = [("delivery", key(source, id).pk.into()), ("expires_at", (now.as_second() + KEPT_SECONDS).into())];
    Write::Put { table: Table::Deliveries, item: codec::write(delivered, attributes), condition: Condition::Absent }
}
