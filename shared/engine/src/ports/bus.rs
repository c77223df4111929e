//! The event bus: where every event is published, at least once.

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;

use super::QueueError;

/// One event as it goes to the bus.
#[derive(Debug, Clone, PartialEq)]
pub struct BusEntry {
    /// The event's name, such as `image.rollout_started`: the bus's detail type.
    pub name: String,
    /// When it happened.
    pub at: Timestamp,
    /// The event itself; its `event_id` tells repeats apart.
    pub detail: Value,
}

/// The bus.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Publishes all of them, or fails; after a failure some may have gone out.
    async fn publish(&self, entries: &[BusEntry]) -> Result<(), QueueError>;
}
