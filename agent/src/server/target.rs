//! The target state, as a device reads it. Fields that a newer server tells beyond these are passed over.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidegate_domain::health::HealthCheck;

use crate::image::Image;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetState {
    #[serde(default)]
    pub services: BTreeMap<String, ServiceTarget>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceTarget {
    #[serde(flatten)]
    pub image: Image,
    /// How to find out whether it is healthy; absent where checks are off.
    #[serde(default)]
    pub health_check: Option<HealthCheck>,
    /// Present while the service is to move in a rollout.
    #[serde(default)]
    pub rollout: Option<Move>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    pub rollout_id: String,
    /// Raised by the server for each repeated way back.
    pub attempt: u32,
    pub action: Action,
    pub phase: Phase,
    /// Where the way back leads.
    #[serde(default)]
    pub previous: Option<Image>,
    /// Whether the device goes back by itself when it fails.
    #[serde(default)]
    pub auto_rollback: bool,
    #[serde(default)]
    pub healthy_for_seconds: u32,
    /// All tries of the check, from container start to verdict.
    #[serde(default = "health_check_timeout_seconds")]
    pub health_check_timeout_seconds: u32,
}

fn health_check_timeout_seconds() -> u32 {
    300
}

impl Move {
    pub fn key(&self) -> MoveKey {
        MoveKey { rollout_id: self.rollout_id.clone(), attempt: self.attempt, action: self.action }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MoveKey {
    pub rollout_id: String,
    pub attempt: u32,
    pub action: Action,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// To the new image.
    Update,
    /// Back to the old one.
    Rollback,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Fetch and wait; replace nothing.
    Download,
    Swap,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_servers_words_are_passed_over() {
        let text = r#"{"device_uuid":"d","mood":"good","services":{"web":{"image":"docker.io/a/b:1","colour":1,
            "health_check":{"type":"container_running","timeout_seconds":3,"retry_count":0,"interval_seconds":1,"new":1},
            "rollout":{"rollout_id":"R","batch":1,"attempt":1,"action":"update","phase":"swap","auto_rollback":true,
            "healthy_for_seconds":1,"health_check_timeout_seconds":30,"deadline_seconds":60,"extra":{}}}}}"#;
        let read: TargetState = serde_json::from_str(text).expect("the contract's shape");
        let moving = read.services["web"].rollout.as_ref().expect("a move");
        assert_eq!((moving.action, moving.phase), (Action::Update, Phase::Swap));
    }
}
