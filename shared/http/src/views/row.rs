//! A device's row in a rollout.

use jiff::Timestamp;
use serde::Serialize;
use tidegate_domain::event::DeviceEvent;
use tidegate_domain::ids::DeviceUuid;
use tidegate_domain::image::Tag;
use tidegate_domain::row::Row;
use utoipa::ToSchema;

use crate::schemas::words;

/// A device's row in a rollout.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeviceRollout)]
pub(crate) struct RowView {
    /// The device.
    #[schema(value_type = String, format = Uuid)]
    device_uuid: DeviceUuid,
    /// The batch that it counts in, from 1.
    batch_number: u32,
    /// Where it stands.
    #[schema(value_type = words::DeviceRolloutStatus)]
    status: &'static str,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<words::DeviceRolloutReason>)]
    status_reason: Option<&'static str>,
    /// Until when a lock on the device holds it, where one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    blocked_until: Option<Timestamp>,
    /// The tag that it ran before.
    #[schema(required = true)]
    old_image_tag: Option<String>,
    /// The tag of the rollout.
    #[schema(required = true)]
    new_image_tag: Option<String>,
    /// The last health check's outcome.
    #[serde(skip_serializing_if = "Option::is_none")]
    health_check_passed: Option<bool>,
    /// The device's words on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    health_check_details: Option<String>,
    /// When it began to fetch.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    update_started_at: Option<Timestamp>,
    /// When its new container ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    update_completed_at: Option<Timestamp>,
    /// When its health was last checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    health_checked_at: Option<Timestamp>,
    /// The device's last words, where it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<String>,
    /// Repeats of the way back.
    retry_count: u32,
}

impl RowView {
    /// A row of a rollout to this tag.
    pub(crate) fn new(row: &Row, new_tag: Option<&Tag>) -> Self {
        use DeviceEvent::{ContainerUpdating, HealthCheckFailed, HealthCheckPassed, ImagePulling, UpdateCompleted};
        let checked = row.history.iter().rfind(|h| matches!(h.event, HealthCheckPassed | HealthCheckFailed));
        let old = row.old.as_ref().and_then(|pin| pin.tag.as_ref());
        Self {
            device_uuid: row.device_uuid,
            batch_number: row.batch,
            status: row.class.status(),
            status_reason: row.reason.as_ref().map(tidegate_domain::assignment::Reason::name),
            blocked_until: row.locked_until,
            old_image_tag: old.map(|tag| tag.as_str().to_owned()),
            new_image_tag: new_tag.map(|tag| tag.as_str().to_owned()),
            health_check_passed: checked.map(|happened| happened.event == HealthCheckPassed),
            health_check_details: checked.and_then(|happened| happened.message.clone()),
            update_started_at: row.first(&[ImagePulling, ContainerUpdating]),
            update_completed_at: row.first(&[UpdateCompleted]),
            health_checked_at: checked.map(|happened| happened.at),
            error_message: row.message.clone().filter(|_| row.ever_failed()),
            retry_count: u32::from(row.attempt.saturating_sub(1)),
        }
    }
}
