//! Keeping what was answered: by the sender's ids for repeats, and by the tag.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::BoxFuture;
use futures::{StreamExt, stream};

use super::intake::{Fresh, Intake};
use super::told::DeliveryOutcome;
use crate::entities::deliveries::{self, Delivered};
use crate::entities::events::{self, Event};
use crate::entities::remainders::Part;
use crate::entities::tags::{self, TagNotice};
use crate::error::EngineError;
use crate::ports::{Key, Write, WriteError};

/// Writes in one transaction, and single ones at a time where it was refused.
const AT_ONCE: usize = 100;
const SINGLES_AT_ONCE: usize = 16;

/// Entries of an answer that its repeats get: an item holds 400 KB.
const ENTRIES_KEPT: usize = 500;

impl Intake<'_> {
    /// Keeps the answers, and what else there is to say.
    pub(super) async fn remember(
        &self,
        fresh: &[Fresh<'_>],
        told: &[Vec<DeliveryOutcome>],
        parts: &BTreeMap<usize, Part>,
        events: &[Event],
    ) -> Result<(), EngineError> {
        let mut writes: Vec<Write> = events.iter().map(events::put).collect();
        for fresh in fresh.iter().filter(|_| !self.replay) {
            writes.extend(self.tag(fresh));
            let kept = told[fresh.n].iter().take(ENTRIES_KEPT);
            let answer = kept.filter_map(|told| serde_json::to_value(told).ok()).collect();
            let (taken_at, notice) = (Some(self.now), Some(fresh.notice.clone()));
            let (remainder, sender) = (parts.get(&fresh.n).cloned(), Some(self.sender.to_owned()));
            let delivered = Delivered { answer, remainder, taken_at, notice, sender };
            let keys = fresh.marks.iter();
            writes.extend(keys.map(|key| deliveries::put(self.source, key, &delivered, self.now)));
        }
        self.store(writes).await
    }

    /// Stores these, each by itself where some of them are refused.
    pub(super) async fn store(&self, mut writes: Vec<Write>) -> Result<(), EngineError> {
        let mut seen = BTreeSet::new();
        writes.retain(|write| match write {
            Write::Put { table, item, .. } => seen.insert(Key::of(*table, item)),
            Write::Update { .. } | Write::Delete { .. } | Write::Check { .. } => true,
        });
        for writes in writes.chunks(AT_ONCE) {
            match self.ports.store.write(writes).await {
                Ok(()) => {}
                Err(WriteError::Refused(_) | WriteError::Conflict) => self.one_by_one(writes).await?,
                Err(WriteError::Store(error)) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// A twin was faster, or a newer push: its answer stays, and the others are kept.
    async fn one_by_one(&self, writes: &[Write]) -> Result<(), EngineError> {
        let mut work: Vec<BoxFuture<'_, Result<(), WriteError>>> = Vec::new();
        for write in writes {
            work.push(self.ports.store.write(std::slice::from_ref(write)));
        }
        let mut done = stream::iter(work).buffer_unordered(SINGLES_AT_ONCE);
        while let Some(written) = done.next().await {
            match written {
                Ok(()) | Err(WriteError::Refused(_) | WriteError::Conflict) => {}
                Err(WriteError::Store(error)) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// What the tag was last told of, where this is not older.
    fn tag(&self, fresh: &Fresh<'_>) -> Option<Write> {
        let at = fresh.news.happened_at;
        if fresh.tag_heard.as_ref().is_some_and(|heard| at.is_some() && at < heard.happened_at) {
            return None;
        }
        let notice = fresh.notice;
        let sender = Some(self.sender.to_owned());
        let last = TagNotice { digest: notice.digest.clone(), event_time: at, accepted_at: self.now, sender };
        Some(tags::put(&notice.repository, &notice.tag, &last))
    }
}
