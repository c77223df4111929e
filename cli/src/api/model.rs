//! The contract's objects, as far as this program looks at them. What a server says beyond that is passed over.
#![expect(clippy::struct_field_names, reason = "the contract names them so")]

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A page of a list.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Page<T> {
    /// The page.
    pub(crate) items: Vec<T>,
    /// Where the next one begins.
    #[serde(default)]
    pub(crate) next_cursor: Option<String>,
}

/// A rollout.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Rollout {
    pub(crate) rollout_id: String,
    pub(crate) image_name: String,
    pub(crate) old_tag: Option<String>,
    pub(crate) new_tag: Option<String>,
    pub(crate) new_digest: Option<String>,
    pub(crate) strategy: String,
    pub(crate) status: String,
    pub(crate) total_devices: u32,
    pub(crate) current_batch: u32,
    pub(crate) batches: Vec<Batch>,
    /// Missing where the server is older.
    pub(crate) stages: Vec<Stage>,
    pub(crate) updated_devices: u32,
    pub(crate) failed_devices: u32,
    /// Missing where the server is older.
    pub(crate) ever_failed_devices: Option<u32>,
    pub(crate) healthy_devices: u32,
    pub(crate) deferred_devices: u32,
    /// Why nothing moves now, in words.
    pub(crate) waiting_for: Option<String>,
    pub(crate) created_at: Option<String>,
    pub(crate) started_at: Option<String>,
    pub(crate) completed_at: Option<String>,
    pub(crate) triggered_by: Option<String>,
    pub(crate) policy: Option<String>,
    #[serde(rename = "override")]
    pub(crate) overridden: Option<Override>,
    pub(crate) paused_at: Option<String>,
    pub(crate) paused_by: Option<String>,
    pub(crate) approval: Option<Approval>,
    pub(crate) reason: Option<String>,
    pub(crate) error_message: Option<String>,
}

/// What a yes or no is for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Approval {
    pub(crate) seal: String,
    pub(crate) seal_needed: bool,
    pub(crate) pushed_at: Option<String>,
}

/// What a rollout passes over of its policy, and who said so.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Override {
    pub(crate) passed_over: Vec<String>,
    pub(crate) reason: String,
    pub(crate) by: String,
}

impl Rollout {
    /// Whether it can still move by itself or by a command to go on.
    pub(crate) fn live(&self) -> bool {
        matches!(
            self.status.as_str(),
            "pending" | "awaiting_approval" | "scheduled" | "in_progress" | "paused" | "rolling_back"
        )
    }

    /// How it stands, and why nothing moves now, in words.
    pub(crate) fn standing(&self) -> String {
        let status = self.status.replace('_', " ");
        match self.waiting_for.as_deref().filter(|why| !why.is_empty()) {
            Some(why) if why.starts_with(&status) => why.to_owned(),
            Some(why) => format!("{status}: {why}"),
            None => status,
        }
    }

    /// Devices of all batches that went back.
    pub(crate) fn rolled_back(&self) -> u32 {
        self.batches.iter().map(|batch| batch.rolled_back).sum()
    }
}

/// The entry of a rollout (0) or a stage of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Stage {
    pub(crate) number: u32,
    pub(crate) share: Option<String>,
    pub(crate) gates: Vec<Gate>,
}

/// What must hold before the next stage opens.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Gate {
    pub(crate) kind: String,
    pub(crate) state: String,
    pub(crate) why: Option<String>,
}

/// A batch of a rollout.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Batch {
    pub(crate) number: u32,
    pub(crate) devices: u32,
    pub(crate) updated: u32,
    pub(crate) healthy: u32,
    pub(crate) failed: u32,
    /// Missing where the server is older.
    pub(crate) ever_failed: Option<u32>,
    pub(crate) rolled_back: u32,
    pub(crate) opened_at: Option<String>,
    pub(crate) completed_at: Option<String>,
}

/// A device's row in a rollout.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Row {
    pub(crate) device_uuid: String,
    pub(crate) batch_number: u32,
    pub(crate) status: String,
    pub(crate) status_reason: Option<String>,
    pub(crate) blocked_until: Option<String>,
    pub(crate) old_image_tag: Option<String>,
    pub(crate) new_image_tag: Option<String>,
    pub(crate) error_message: Option<String>,
    pub(crate) retry_count: Option<u32>,
}

/// An event of a rollout.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Event {
    pub(crate) event_id: String,
    /// Its full name.
    #[serde(alias = "name", alias = "type")]
    pub(crate) event: String,
    pub(crate) at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) device_uuid: Option<String>,
    /// What else there is to say.
    #[serde(flatten)]
    pub(crate) rest: BTreeMap<String, serde_json::Value>,
}

/// A device.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Device {
    #[serde(alias = "device_uuid")]
    pub(crate) uuid: String,
    pub(crate) name: Option<String>,
    pub(crate) fleet_id: String,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) status: Option<String>,
    pub(crate) services: BTreeMap<String, RunningService>,
    pub(crate) last_seen: Option<String>,
}

/// A service of a device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RunningService {
    pub(crate) image: Option<String>,
    pub(crate) digest: Option<String>,
    pub(crate) status: Option<String>,
    pub(crate) healthy: Option<bool>,
    pub(crate) rollout: Option<Place>,
}

/// A device's place in the newest rollout of a service's image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Place {
    pub(crate) status: String,
    pub(crate) blocked_until: Option<String>,
}

/// A policy, as far as a table shows it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Policy {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) image_pattern: String,
    pub(crate) update_strategy: String,
    pub(crate) staged_batches: serde_json::Value,
    pub(crate) maintenance_window_start: Option<String>,
    pub(crate) maintenance_window_end: Option<String>,
    pub(crate) timezone: Option<String>,
    pub(crate) fleet_id: Option<String>,
    pub(crate) device_tags: BTreeMap<String, String>,
    pub(crate) origin: Option<String>,
    pub(crate) revision: Option<u64>,
    pub(crate) updated_at: Option<String>,
}
