//! A rollout's rows, shard by shard.

use serde::{Deserialize, Serialize};
use tidegate_domain::ids::RolloutId;
use tidegate_domain::row::Row;

use super::Listed;
use crate::entities::rows;
use crate::error::EngineError;
use crate::ports::Store;

/// What a list of rows is narrowed to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RowFilter {
    /// The status as it is shown.
    pub status: Option<String>,
    /// The batch, from 1.
    pub batch: Option<u32>,
}

/// Behind this device of this shard.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RowsCursor {
    /// The shard.
    pub(super) shard: u32,
    /// The last sort key looked at.
    pub(super) after: Option<String>,
}

impl RowsCursor {
    /// Where a page goes on that ended within a shard, or with it.
    pub(super) fn behind(shard: u32, after: Option<String>) -> Option<Self> {
        match after {
            Some(after) => Some(Self { shard, after: Some(after) }),
            None => (shard + 1 < rows::SHARDS).then_some(Self { shard: shard + 1, after: None }),
        }
    }
}

/// A page of a rollout's rows. It looks at no more than `limit` rows.
pub async fn rows(
    store: &dyn Store,
    rollout: &RolloutId,
    filter: &RowFilter,
    cursor: Option<RowsCursor>,
    limit: u32,
) -> Result<Listed<Row, RowsCursor>, EngineError> {
    let (mut items, mut looked) = (Vec::new(), 0);
    let mut at = Some(cursor.unwrap_or_default());
    while let Some(RowsCursor { shard, after }) = at.clone().filter(|_| looked < limit) {
        let (found, next) = rows::page(store, rollout, shard, after, Some(limit - looked)).await?;
        looked += found.len() as u32;
        items.extend(found.into_iter().filter(|row| {
            filter.status.as_deref().is_none_or(|status| status == row.class.status())
                && filter.batch.is_none_or(|batch| batch == row.batch)
        }));
        at = RowsCursor::behind(shard, next);
    }
    Ok(Listed { items, next: at })
}
