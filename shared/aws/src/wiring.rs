//! Which ports a function has. A function names those that it uses, so that the others' code is not in its program.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use tidegate_domain::ids::RolloutId;
use tidegate_domain::image::{ImageRef, Repository};
use tidegate_engine::ports::{
    Bus, BusEntry, Freshness, Item, Job, Key, Meter, Page, Ports, Query, QueueError, Queues, Registry, ResolveError,
    Resolved, Scheduler, Store, StoreError, Table, Write, WriteError,
};

use crate::bus::EventBridgeBus;
use crate::config::Config;
use crate::entropy::SystemEntropy;
use crate::queues::SqsQueues;
use crate::registry::HttpRegistry;
use crate::scheduler::EventBridgeScheduler;
use crate::sdk::Sdk;
use crate::secrets::Secrets;
use crate::store::DynamoStore;
use crate::tables::TableNames;

/// What ports are made of.
pub(crate) struct Parts<'a> {
    pub(crate) sdk: &'a Sdk,
    pub(crate) config: &'a Config,
    pub(crate) tables: &'a TableNames,
    pub(crate) secrets: Option<&'a Arc<Secrets>>,
}

/// Makes a port. None of them connects, or builds a client, before it is used.
type Make<P> = fn(&Parts<'_>) -> Arc<P>;

/// Makes the store, and what counts its reads and writes.
type MakeStore = fn(&Parts<'_>) -> (Arc<dyn Store>, Arc<Meter>);

/// The ports of a function.
#[derive(Clone, Copy)]
pub struct Wiring {
    store: MakeStore,
    queues: Make<dyn Queues>,
    scheduler: Make<dyn Scheduler>,
    bus: Make<dyn Bus>,
    registry: Make<dyn Registry>,
}

impl Wiring {
    /// No port but randomness. The others refuse whatever is asked of them, as the function's role would.
    pub const NONE: Self = Self {
        store: |_| (Arc::new(Absent("store")), Arc::default()),
        queues: |_| Arc::new(Absent("queues")),
        scheduler: |_| Arc::new(Absent("scheduler")),
        bus: |_| Arc::new(Absent("bus")),
        registry: |_| Arc::new(Absent("registry")),
    };

    /// The tables alone.
    pub const STORE: Self = Self {
        store: |parts| {
            let store = DynamoStore::new(parts.sdk, parts.tables.clone());
            let store = store.with_retention(parts.config.retention_days);
            let meter = store.meter();
            (Arc::new(store), meter)
        },
        ..Self::NONE
    };

    /// Every port.
    pub const ALL: Self = Self::STORE.with_queues().with_scheduler().with_bus().with_registry();

    /// And the queues.
    #[must_use]
    pub const fn with_queues(self) -> Self {
        Self {
            queues: |Parts { sdk, config, .. }| {
                Arc::new(SqsQueues::new(&sdk.config, &config.step_queue_url, &config.batch_queue_url))
            },
            ..self
        }
    }

    /// And the scheduler.
    #[must_use]
    pub const fn with_scheduler(self) -> Self {
        Self {
            scheduler: |parts| Arc::new(EventBridgeScheduler::new(&parts.sdk.config, parts.config.schedule.clone())),
            ..self
        }
    }

    /// And the bus.
    #[must_use]
    pub const fn with_bus(self) -> Self {
        Self { bus: |parts| Arc::new(EventBridgeBus::new(&parts.sdk.config, &parts.config.event_bus)), ..self }
    }

    /// And registries, with the access that the stack's secrets give to them.
    #[must_use]
    pub const fn with_registry(self) -> Self {
        Self { registry: |parts| Arc::new(HttpRegistry::of_secrets(parts.secrets.cloned())), ..self }
    }

    pub(crate) fn ports(self, parts: &Parts<'_>) -> (Ports, Arc<Meter>) {
        let (store, meter) = (self.store)(parts);
        let ports = Ports {
            store,
            queues: (self.queues)(parts),
            scheduler: (self.scheduler)(parts),
            bus: (self.bus)(parts),
            registry: (self.registry)(parts),
            entropy: Arc::new(SystemEntropy),
        };
        (ports, meter)
    }
}

/// A port that the function was not given, and the answer to whoever asks it all the same.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("this function's main.rs names no {0}")]
struct Absent(&'static str);

#[async_trait]
impl Store for Absent {
    async fn get(&self, _: &Key, _: Freshness) -> Result<Option<Item>, StoreError> {
        Err(StoreError::Rejected(Box::new(*self)))
    }

    async fn query(&self, _: &Query) -> Result<Page, StoreError> {
        Err(StoreError::Rejected(Box::new(*self)))
    }

    async fn scan(&self, _: Table, _: Option<&str>, _: Option<u32>) -> Result<Page, StoreError> {
        Err(StoreError::Rejected(Box::new(*self)))
    }

    async fn write(&self, _: &[Write]) -> Result<(), WriteError> {
        Err(WriteError::Store(StoreError::Rejected(Box::new(*self))))
    }
}

#[async_trait]
impl Queues for Absent {
    async fn send(&self, _: &[Job], _: u32) -> Result<(), QueueError> {
        Err(QueueError(Box::new(*self)))
    }
}

#[async_trait]
impl Scheduler for Absent {
    async fn step_at(&self, _: &RolloutId, _: Timestamp) -> Result<(), QueueError> {
        Err(QueueError(Box::new(*self)))
    }
}

#[async_trait]
impl Bus for Absent {
    async fn publish(&self, _: &[BusEntry]) -> Result<(), QueueError> {
        Err(QueueError(Box::new(*self)))
    }
}

#[async_trait]
impl Registry for Absent {
    fn may_be_asked(&self, _: &Repository) -> bool {
        false
    }

    async fn resolve(&self, _: &ImageRef) -> Result<Resolved, ResolveError> {
        Err(ResolveError::Unavailable(Box::new(*self)))
    }
}
