//! What was last heard of a tag: stale notices are told by it. Kept for a while only.

use jiff::Timestamp;
use jiff::fmt::serde::timestamp::millisecond::{optional as ms_opt, required as ms};
use serde::{Deserialize, Serialize};
use tidegate_domain::image::{Digest, Repository, Tag};
use tidegate_domain::news::News;

use super::codec;
use crate::error::EngineError;
use crate::ports::{Condition, Freshness, Key, Store, Table, Write};

/// How long a tag's item is kept after its last notice, in seconds: longer than any registry's retry.
const KEPT_SECONDS: i64 = 30 * 86_400;

/// The last accepted notice of a tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagNotice {
    /// The digest that it told, if it told one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// When the registry says that it happened.
    #[serde(with = "ms_opt", default, skip_serializing_if = "Option::is_none")]
    pub event_time: Option<Timestamp>,
    /// When it was accepted.
    #[serde(with = "ms")]
    pub accepted_at: Timestamp,
    /// Who told it: a source and its kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
}

impl TagNotice {
    /// As what a later notice is compared with.
    pub fn heard(&self) -> News {
        let sender = Some(self.sender.clone().unwrap_or_default());
        News { happened_at: self.event_time, sender, ..News::unknown(self.accepted_at) }
    }
}

/// The key of a tag's last notice.
pub fn key(repository: &Repository, tag: &Tag) -> Key {
    Key::composite(Table::Images, repository.as_str(), format!("tag#{}", tag.as_str()))
}

/// Reads a tag's last notice.
pub async fn get(store: &dyn Store, repository: &Repository, tag: &Tag) -> Result<Option<TagNotice>, EngineError> {
    let item = store.get(&key(repository, tag), Freshness::Consistent).await?;
    item.map(|item| codec::read(Table::Images, item)).transpose()
}

/// The last notices of these tags, in their order.
pub async fn get_many(store: &dyn Store, names: &[(&Repository, &Tag)]) -> Result<Vec<Option<TagNotice>>, EngineError> {
    let keys: Vec<Key> = names.iter().map(|(repository, tag)| key(repository, tag)).collect();
    let items = store.get_many(&keys, Freshness::Consistent).await?;
    items.into_iter().map(|item| item.map(|item| codec::read(Table::Images, item)).transpose()).collect()
}

/// Stores a tag's last notice. The condition keeps an older one from replacing a newer.
pub fn put(repository: &Repository, tag: &Tag, notice: &TagNotice) -> Write {
    let attributes = [
        ("repository", repository.as_str().into()),
        ("item", format!("tag#{}", tag.as_str()).into()),
        ("expires_at", (notice.accepted_at.as_second() + KEPT_SECONDS).into()),
    ];
    let condition = match notice.event_time {
        None => Condition::Always,
        Some(at) => Condition::Any(vec![
            Condition::Missing("event_time"),
            Condition::Below("event_time", at.as_millisecond() + 1),
        ]),
    };
    Write::Put { table: Table::Images, item: codec::write(notice, attributes), condition }
}
