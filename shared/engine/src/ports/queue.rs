//! The queues between functions: at least once, in no order.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tidegate_domain::ids::RolloutId;

/// The two queues of the template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Queue {
    /// Nudges of the rollout step.
    Step,
    /// Planning pages, deadline checks, registry look-ups, what is left of large deliveries.
    Batch,
}

/// A message. Every one may arrive twice, late or never; none carries a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "job", rename_all = "snake_case")]
pub enum Job {
    /// Look at this rollout now.
    Step {
        /// Which.
        rollout_id: RolloutId,
    },
    /// Ask the registry which digest the rollout's tag means.
    Resolve {
        /// Which.
        rollout_id: RolloutId,
    },
    /// Freeze the order of the rollout's devices.
    Plan {
        /// Which.
        rollout_id: RolloutId,
    },
    /// Assign the devices of one frozen page.
    PlanPage {
        /// Which.
        rollout_id: RolloutId,
        /// From 0.
        page: u32,
    },
    /// Look through one shard of the rollout's rows for devices that are late.
    CheckDeadlines {
        /// Which.
        rollout_id: RolloutId,
        /// From 0.
        shard: u32,
    },
    /// Write a part of a live rollout's details once more, so that they do not expire.
    Keep {
        /// Which.
        rollout_id: RolloutId,
        /// From 0.
        part: u32,
        /// From behind this key on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<String>,
    },
    /// Go on with what is left of a delivery, from where it stands.
    Deliver {
        /// Where the delivery came from.
        source: String,
        /// Names what is left of it.
        delivery_id: String,
    },
}

impl Job {
    /// The queue that serves this kind.
    pub const fn queue(&self) -> Queue {
        match self {
            Self::Step { .. } => Queue::Step,
            Self::Resolve { .. }
            | Self::Plan { .. }
            | Self::PlanPage { .. }
            | Self::CheckDeadlines { .. }
            | Self::Keep { .. }
            | Self::Deliver { .. } => Queue::Batch,
        }
    }
}

/// A message was not, or perhaps not, accepted; sending it again is harmless.
#[derive(Debug, thiserror::Error)]
#[error("the queue did not accept the message")]
pub struct QueueError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// Both queues.
#[async_trait]
pub trait Queues: Send + Sync {
    /// Sends each job to its queue, to be delivered no sooner than `delay_seconds` (at most 900) from now.
    async fn send(&self, jobs: &[Job], delay_seconds: u32) -> Result<(), QueueError>;
}
