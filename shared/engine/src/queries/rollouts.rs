//! Rollouts, newest first.

use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use tidegate_domain::image::{Repository, Tag};
use tidegate_domain::rollout::{Rollout, Status};

use super::Listed;
use crate::entities::rollouts;
use crate::error::EngineError;
use crate::ports::{Freshness, Store};

/// An image that a list is narrowed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFilter {
    /// The repository.
    pub repository: Repository,
    /// The tag; `None` is any.
    pub tag: Option<Tag>,
}

impl ImageFilter {
    /// Whether this tag of this repository is meant.
    pub fn meets(&self, repository: &Repository, tag: Option<&Tag>) -> bool {
        self.repository == *repository && self.tag.as_ref().is_none_or(|wanted| Some(wanted) == tag)
    }
}

/// What a list of rollouts is narrowed to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RolloutFilter {
    /// Where they stand.
    pub status: Option<Status>,
    /// What they update.
    pub image: Option<ImageFilter>,
}

/// Behind this rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutsCursor {
    after: String,
}

/// A page of rollouts. Their counts include the journal's newest pages.
pub async fn rollouts(
    store: &dyn Store,
    filter: &RolloutFilter,
    cursor: Option<RolloutsCursor>,
    limit: u32,
) -> Result<Listed<Rollout, RolloutsCursor>, EngineError> {
    let (ids, next) = rollouts::newest(store, cursor.map(|cursor| cursor.after), limit).await?;
    let found = ids.iter().map(|id| rollouts::get(store, id, Freshness::Consistent));
    let wanted = try_join_all(found).await?.into_iter().flatten().filter(|rollout| {
        filter.status.is_none_or(|status| status == rollout.status)
            && filter.image.as_ref().is_none_or(|image| image.meets(&rollout.repository, rollout.target.tag.as_ref()))
    });
    let mut wanted: Vec<Rollout> = wanted.collect();
    // Ids of one millisecond are in no order; the generation is that of creation, within a repository.
    wanted.sort_by(|a, b| {
        let order = |rollout: &Rollout| (rollout.created_at, rollout.generation);
        order(b).cmp(&order(a)).then_with(|| b.rollout_id.cmp(&a.rollout_id))
    });
    let items = try_join_all(wanted.iter().map(|rollout| crate::rollouts::folded(store, rollout))).await?;
    Ok(Listed { items, next: next.map(|after| RolloutsCursor { after }) })
}
