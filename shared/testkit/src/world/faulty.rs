//! The memory adapters behind the gate.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use tidegate_domain::ids::RolloutId;
use tidegate_domain::image::{ImageRef, Repository};
use tidegate_engine::ports::{
    Bus, BusEntry, Entropy, Freshness, Item, Job, Key, Page, Ports, Query, QueueError, Queues, Registry, ResolveError,
    Resolved, Scheduler, Store, StoreError, Table, Write, WriteError,
};

use super::call::Call;
use super::gate::{Decision, Gate};
use crate::memory::{MemoryBus, MemoryPorts, MemoryQueues, MemoryRegistry, MemoryScheduler, MemoryStore};

/// A port whose calls wait at a gate.
#[derive(Debug)]
pub struct Faulty<P> {
    inner: Arc<P>,
    gate: Arc<Gate>,
}

impl<P> Faulty<P> {
    /// Puts a gate before a port.
    pub fn new(inner: Arc<P>, gate: Arc<Gate>) -> Self {
        Self { inner, gate }
    }
}

impl<P> Clone for Faulty<P> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), gate: Arc::clone(&self.gate) }
    }
}

/// The failure that a driver decided on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the simulation let this call fail")]
pub struct Injected;

fn unavailable() -> StoreError {
    StoreError::Unavailable(Box::new(Injected))
}

fn lost() -> QueueError {
    QueueError(Box::new(Injected))
}

#[async_trait]
impl Store for Faulty<MemoryStore> {
    async fn get(&self, key: &Key, freshness: Freshness) -> Result<Option<Item>, StoreError> {
        match self.gate.pass(Call::Get { key: key.clone(), freshness }).await {
            Decision::Stale { seed } if freshness == Freshness::Eventual => self.inner.get_stale(key, seed),
            Decision::Proceed | Decision::Stale { .. } | Decision::ShortPage { .. } => {
                self.inner.get(key, freshness).await
            }
            Decision::FailBefore | Decision::FailAfter | Decision::FailHalfway | Decision::Conflict => {
                Err(unavailable())
            }
        }
    }

    async fn query(&self, query: &Query) -> Result<Page, StoreError> {
        let call = Call::Query(query.clone());
        let may_be_stale = call.may_be_stale();
        match self.gate.pass(call).await {
            Decision::Stale { seed } if may_be_stale => self.inner.query_stale(query, seed),
            Decision::ShortPage { items } => {
                self.inner.query(&Query { limit: Some(shorter(query.limit, items)), ..query.clone() }).await
            }
            Decision::Proceed | Decision::Stale { .. } => self.inner.query(query).await,
            Decision::FailBefore | Decision::FailAfter | Decision::FailHalfway | Decision::Conflict => {
                Err(unavailable())
            }
        }
    }

    async fn scan(&self, table: Table, after: Option<&str>, limit: Option<u32>) -> Result<Page, StoreError> {
        match self.gate.pass(Call::Scan { table }).await {
            Decision::Stale { seed } => self.inner.scan_stale(table, after, limit, seed),
            Decision::ShortPage { items } => self.inner.scan(table, after, Some(shorter(limit, items))).await,
            Decision::Proceed => self.inner.scan(table, after, limit).await,
            Decision::FailBefore | Decision::FailAfter | Decision::FailHalfway | Decision::Conflict => {
                Err(unavailable())
            }
        }
    }

    async fn write(&self, writes: &[Write]) -> Result<(), WriteError> {
        match self.gate.pass(Call::of_writes(writes)).await {
            Decision::Proceed | Decision::Stale { .. } | Decision::ShortPage { .. } => self.inner.write(writes).await,
            Decision::FailBefore | Decision::FailHalfway => Err(unavailable().into()),
            Decision::FailAfter => {
                // Whoever gets no answer does not learn of a refusal either.
                let _unheard = self.inner.write(writes).await;
                Err(unavailable().into())
            }
            Decision::Conflict => Err(WriteError::Conflict),
        }
    }
}

fn shorter(limit: Option<u32>, items: u32) -> u32 {
    let items = items.max(1);
    limit.map_or(items, |limit| limit.min(items))
}

#[async_trait]
impl Queues for Faulty<MemoryQueues> {
    async fn send(&self, jobs: &[Job], delay_seconds: u32) -> Result<(), QueueError> {
        let decision = self.gate.pass(Call::Send { jobs: jobs.to_vec(), delay_seconds }).await;
        self.inner.send(&jobs[..reached(decision, jobs.len())], delay_seconds).await?;
        answered(decision)
    }
}

#[async_trait]
impl Scheduler for Faulty<MemoryScheduler> {
    async fn step_at(&self, rollout_id: &RolloutId, at: Timestamp) -> Result<(), QueueError> {
        let decision = self.gate.pass(Call::StepAt { rollout_id: rollout_id.clone(), at }).await;
        if reached(decision, 1) == 1 {
            self.inner.step_at(rollout_id, at).await?;
        }
        answered(decision)
    }
}

#[async_trait]
impl Bus for Faulty<MemoryBus> {
    async fn publish(&self, entries: &[BusEntry]) -> Result<(), QueueError> {
        let names = entries.iter().map(|entry| entry.name.clone()).collect();
        let decision = self.gate.pass(Call::Publish { names }).await;
        self.inner.publish(&entries[..reached(decision, entries.len())]).await?;
        answered(decision)
    }
}

/// How many of a call's effects happen.
fn reached(decision: Decision, effects: usize) -> usize {
    match decision {
        Decision::Proceed | Decision::FailAfter | Decision::Stale { .. } | Decision::ShortPage { .. } => effects,
        Decision::FailHalfway => effects / 2,
        Decision::FailBefore | Decision::Conflict => 0,
    }
}

fn answered(decision: Decision) -> Result<(), QueueError> {
    match decision {
        Decision::Proceed | Decision::Stale { .. } | Decision::ShortPage { .. } => Ok(()),
        Decision::FailBefore | Decision::FailAfter | Decision::FailHalfway | Decision::Conflict => Err(lost()),
    }
}

#[async_trait]
impl Registry for Faulty<MemoryRegistry> {
    fn may_be_asked(&self, repository: &Repository) -> bool {
        self.inner.may_be_asked(repository)
    }

    async fn resolve(&self, image: &ImageRef) -> Result<Resolved, ResolveError> {
        match self.gate.pass(Call::Resolve { image: image.clone() }).await {
            Decision::Proceed | Decision::Stale { .. } | Decision::ShortPage { .. } => self.inner.resolve(image).await,
            Decision::FailBefore | Decision::FailAfter | Decision::FailHalfway | Decision::Conflict => {
                Err(ResolveError::Unavailable(Box::new(Injected)))
            }
        }
    }
}

/// The ports of a world, every call of a driver's task waiting at the gate.
pub fn gated(memory: &MemoryPorts, gate: &Arc<Gate>, entropy: Arc<dyn Entropy>) -> Ports {
    Ports {
        store: Arc::new(Faulty::new(Arc::clone(&memory.store), Arc::clone(gate))),
        queues: Arc::new(Faulty::new(Arc::clone(&memory.queues), Arc::clone(gate))),
        scheduler: Arc::new(Faulty::new(Arc::clone(&memory.scheduler), Arc::clone(gate))),
        bus: Arc::new(Faulty::new(Arc::clone(&memory.bus), Arc::clone(gate))),
        registry: Arc::new(Faulty::new(Arc::clone(&memory.registry), Arc::clone(gate))),
        entropy,
    }
}
