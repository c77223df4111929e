//! What the engine needs of the world: a store, queues, a scheduler, a bus, a registry, randomness. Adapters live in
//! `shared/aws` and `shared/testkit`.

mod bus;
mod entropy;
mod meter;
mod queue;
mod registry;
mod schedule;
mod store;
mod stream;

use std::sync::Arc;

pub use bus::{Bus, BusEntry};
pub use entropy::Entropy;
pub use meter::{Meter, Units};
pub use queue::{Job, Queue, QueueError, Queues};
pub use registry::{Registry, ResolveError, Resolved};
pub use schedule::Scheduler;
pub use store::{
    Condition, Freshness, Index, Item, Key, Page, Query, Source, Store, StoreError, Table, Write, WriteError,
};
pub use stream::Change;

/// Every port, as a handler holds them.
#[derive(Clone)]
pub struct Ports {
    /// The tables.
    pub store: Arc<dyn Store>,
    /// The step and batch queues.
    pub queues: Arc<dyn Queues>,
    /// Wake-ups later than a queue's longest delay.
    pub scheduler: Arc<dyn Scheduler>,
    /// Where events are published.
    pub bus: Arc<dyn Bus>,
    /// Tag to digest.
    pub registry: Arc<dyn Registry>,
    /// Ids, seeds, tokens.
    pub entropy: Arc<dyn Entropy>,
}
