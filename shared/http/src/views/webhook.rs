//! The answer to a delivery.

use serde::Serialize;
use tidegate_engine::webhook::{DeliveryOutcome, Ingested};
use utoipa::ToSchema;

use super::KeptOutView;
use crate::schemas::forms::RolloutId;
use crate::schemas::words::DeliveryStatus;

/// The answer to a delivery. Where it has exactly one entry, that entry's `rollout_id`, `status` and
/// `affected_devices` stand here too.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookAnswer {
    /// Names the delivery.
    delivery_id: String,
    /// An entry per image and matching policy.
    deliveries: Vec<DeliveryEntry>,
    /// Of the one entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<RolloutId>)]
    rollout_id: Option<String>,
    /// Of the one entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<DeliveryStatus>)]
    status: Option<String>,
    /// Of the one entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    affected_devices: Option<u32>,
    /// Of the one entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    affected_devices_at_most: Option<u32>,
}

/// What became of one image under one policy.
#[derive(Debug, Serialize, ToSchema)]
struct DeliveryEntry {
    /// The repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    /// The tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<String>,
    /// The digest, where the sender told it.
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    /// The policy that has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<String>,
    /// What became of it.
    #[schema(value_type = DeliveryStatus)]
    status: String,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The rollout; of a duplicate, the first delivery's. An `accepted` one has none yet: it begins behind the queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<RolloutId>)]
    rollout_id: Option<String>,
    /// Devices that it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    affected_devices: Option<u32>,
    /// Instead, where they are some thousands: so many at most. The rollout's `total_devices` is exact once it is planned.
    #[serde(skip_serializing_if = "Option::is_none")]
    affected_devices_at_most: Option<u32>,
    /// Of one that is `stale` or `overtaken`, the id by which it can be replayed.
    #[serde(skip_serializing_if = "Option::is_none")]
    replay: Option<String>,
    /// Other policies of the repository that keep this digest out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    bad_for: Vec<KeptOutView>,
}

impl From<DeliveryOutcome> for DeliveryEntry {
    fn from(told: DeliveryOutcome) -> Self {
        Self {
            image: told.image,
            tag: told.tag,
            digest: told.digest,
            policy: told.policy,
            status: told.status,
            reason: told.reason,
            rollout_id: told.rollout_id.map(|id| id.to_string()),
            affected_devices: told.affected_devices,
            affected_devices_at_most: told.affected_devices_at_most,
            replay: told.replay,
            bad_for: told.bad_for.into_iter().map(KeptOutView::from).collect(),
        }
    }
}

impl From<Ingested> for WebhookAnswer {
    fn from(ingested: Ingested) -> Self {
        let deliveries: Vec<DeliveryEntry> = ingested.deliveries.into_iter().map(DeliveryEntry::from).collect();
        let only = match deliveries.as_slice() {
            [only] => Some(only),
            _ => None,
        };
        Self {
            delivery_id: ingested.delivery_id,
            rollout_id: only.and_then(|entry| entry.rollout_id.clone()),
            status: only.map(|entry| entry.status.clone()),
            affected_devices: only.and_then(|entry| entry.affected_devices),
            affected_devices_at_most: only.and_then(|entry| entry.affected_devices_at_most),
            deliveries,
        }
    }
}
