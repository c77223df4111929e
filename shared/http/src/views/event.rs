//! An event of a rollout.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use tidegate_domain::ids::{DeviceUuid, RolloutId};
use tidegate_engine::queries::EventView;
use utoipa::ToSchema;

use crate::schemas::forms;
use crate::schemas::words::EventName;

/// An event of a rollout.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RolloutEvent)]
pub(crate) struct EventAnswer {
    /// Its id, unique within the rollout.
    event_id: String,
    /// Its name.
    #[schema(value_type = EventName)]
    event: String,
    /// When it happened, in server time.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The rollout.
    #[schema(value_type = forms::RolloutId)]
    rollout_id: RolloutId,
    /// The device that it is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Uuid)]
    device_uuid: Option<DeviceUuid>,
    /// What else there is to say.
    #[schema(value_type = BTreeMap<String, Value>)]
    details: Map<String, Value>,
}

impl EventAnswer {
    /// An event of this rollout.
    pub(crate) fn new(rollout_id: &RolloutId, event: EventView) -> Self {
        Self {
            event_id: event.event_id,
            event: event.name,
            at: event.at,
            rollout_id: rollout_id.clone(),
            device_uuid: event.device_uuid,
            details: event.details,
        }
    }
}
