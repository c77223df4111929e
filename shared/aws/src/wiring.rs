//! Which ports a function has. A function names those that it uses, so that the others' code is not in its program.

use std::sync::Arc;

use async_trait::async_trait;
use aws_types::SdkConfig;
use jiff::Timestamp;
use tidegate_domain::ids::RolloutId;
use tidegate_domain::image::{ImageRef, Repository};
use tidegate_engine::ports::{Bus, BusEntry, Job, QueueError, Queues, Registry, ResolveError, Resolved, Scheduler};

use crate::bus::EventBridgeBus;
use crate::config::Config;
use crate::queues::SqsQueues;
use crate::registry::HttpRegistry;
use crate::scheduler::EventBridgeScheduler;

/// Makes a port. None of them connects, or builds a client, before it is used.
pub type Make<P> = fn(&SdkConfig, &Config) -> Arc<P>;

/// The ports of a function beside the store, which every one has.
#[derive(Clone, Copy)]
pub struct Wiring {
    /// The step and batch queues.
    pub queues: Make<dyn Queues>,
    /// Wake-ups later than a queue's longest delay.
    pub scheduler: Make<dyn Scheduler>,
    /// Where events are published.
    pub bus: Make<dyn Bus>,
    /// Tag to digest.
    pub registry: Make<dyn Registry>,
}

impl Wiring {
    /// The store alone. Another port refuses whatever is asked of it, as the function's role would.
    pub const STORE: Self = Self {
        queues: |_, _| Arc::new(Absent("queues")),
        scheduler: |_, _| Arc::new(Absent("scheduler")),
        bus: |_, _| Arc::new(Absent("bus")),
        registry: |_, _| Arc::new(Absent("registry")),
    };

    /// Every port.
    pub const ALL: Self = Self::STORE.with_queues().with_scheduler().with_bus().with_registry();

    /// And the queues.
    #[must_use]
    pub const fn with_queues(self) -> Self {
        Self {
            queues: |sdk, config| Arc::new(SqsQueues::new(sdk, &config.step_queue_url, &config.batch_queue_url)),
            ..self
        }
    }

    /// And the scheduler.
    #[must_use]
    pub const fn with_scheduler(self) -> Self {
        Self { scheduler: |sdk, config| Arc::new(EventBridgeScheduler::new(sdk, config.schedule.clone())), ..self }
    }

    /// And the bus.
    #[must_use]
    pub const fn with_bus(self) -> Self {
        Self { bus: |sdk, config| Arc::new(EventBridgeBus::new(sdk, &config.event_bus)), ..self }
    }

    /// And registries.
    #[must_use]
    pub const fn with_registry(self) -> Self {
        Self { registry: |_, config| Arc::new(HttpRegistry::new(config.registries.clone())), ..self }
    }
}

/// A port that the function was not given, and the answer to whoever asks it all the same.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("this function's main.rs names no {0}")]
struct Absent(&'static str);

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
