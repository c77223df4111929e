//! Rollouts that a function keeps between calls, for at most a few seconds by the caller's clock.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tidegate_domain::context::{RolloutContext, RolloutContexts};
use tidegate_domain::ids::RolloutId;
use tidegate_domain::rollout::Status;
use tidegate_domain::step::MEMORY_SECONDS;

use crate::entities::{plans, rollouts};
use crate::error::EngineError;
use crate::ports::{Freshness, Store};

/// Most rollouts that are kept.
const KEPT: usize = 1_000;

/// The memory of one function instance.
#[derive(Debug, Default)]
pub struct RolloutMemory {
    kept: Mutex<BTreeMap<RolloutId, (Timestamp, Arc<RolloutContext>)>>,
}

/// How old a copy may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    /// A few seconds.
    Remembered,
    /// Read now.
    Fresh,
}

impl RolloutMemory {
    /// These rollouts, each no older than `age` allows. One that does not exist is left out.
    pub async fn knowledge<'a>(
        &self,
        store: &dyn Store,
        ids: impl Iterator<Item = &'a RolloutId>,
        age: Age,
        now: Timestamp,
    ) -> Result<RolloutContexts, EngineError> {
        let mut knowledge = RolloutContexts::new();
        for id in ids {
            if knowledge.contains_key(id) {
                continue;
            }
            if let Some(known) = self.one(store, id, age, now).await? {
                knowledge.insert(id.clone(), known);
            }
        }
        Ok(knowledge)
    }

    /// One rollout, no older than `age` allows.
    pub async fn one(
        &self,
        store: &dyn Store,
        id: &RolloutId,
        age: Age,
        now: Timestamp,
    ) -> Result<Option<Arc<RolloutContext>>, EngineError> {
        let kept = self.lock().get(id).cloned();
        if let Some((at, known)) = &kept
            && age == Age::Remembered
            // A clock that went back makes a copy of unknown age.
            && (SignedDuration::ZERO..SignedDuration::from_secs(MEMORY_SECONDS)).contains(&now.duration_since(*at))
        {
            return Ok(Some(Arc::clone(known)));
        }
        let Some(rollout) = rollouts::get(store, id, Freshness::Consistent).await? else { return Ok(None) };
        // What stands beside a rollout is final once it is planned.
        let plan = match kept.filter(|(_, known)| known.rollout.status != Status::Pending) {
            Some((_, known)) => known.plan.clone(),
            None => match plans::plan(store, id).await? {
                Some(plan) => plan,
                None => return Ok(None),
            },
        };
        let known = Arc::new(RolloutContext { rollout, plan });
        let mut kept = self.lock();
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(id.clone(), (now, Arc::clone(&known)));
        Ok(Some(known))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RolloutId, (Timestamp, Arc<RolloutContext>)>> {
        // A map that a panic left behind is still a map of copies.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
