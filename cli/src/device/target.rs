//! The target state, as a device reads it. Fields that a newer server tells beyond these are passed over.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidegate_domain::health::HealthCheck;
use tidegate_domain::image::{Digest, ImageRef};

/// What the device should run.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct TargetState {
    /// By service name.
    #[serde(default)]
    pub(crate) services: BTreeMap<String, ServiceTarget>,
}

/// What one service should run.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct ServiceTarget {
    /// The image.
    #[serde(flatten)]
    pub(crate) image: Image,
    /// How to find out whether it is healthy; absent where checks are off.
    #[serde(default)]
    pub(crate) health_check: Option<HealthCheck>,
    /// Present while the service is to move in a rollout.
    #[serde(default)]
    pub(crate) rollout: Option<Move>,
}

/// An image: its reference, and its content where that is known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Image {
    /// The reference.
    pub(crate) image: String,
    /// The content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) digest: Option<Digest>,
}

impl Image {
    /// Whether both mean the same content, so far as can be said: by digest where both are known, else by reference.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (&self.digest, &other.digest) {
            (Some(one), Some(other)) => one == other,
            _ => normal(&self.image) == normal(&other.image),
        }
    }
}

/// A reference without its digest, in its one spelling.
fn normal(reference: &str) -> String {
    match ImageRef::parse(reference) {
        Ok(parsed) => {
            let tag = parsed.tag.as_ref().map_or("latest", |tag| tag.as_str());
            format!("{}/{}:{tag}", parsed.repository.registry(), parsed.repository.path())
        }
        Err(_) => reference.to_owned(),
    }
}

/// A move in a rollout.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Move {
    /// The rollout.
    pub(crate) rollout_id: String,
    /// Raised by the server for each repeated way back.
    pub(crate) attempt: u32,
    /// There or back.
    pub(crate) action: Action,
    /// How far.
    pub(crate) phase: Phase,
    /// Where the way back leads.
    #[serde(default)]
    pub(crate) previous: Option<Image>,
    /// Whether the device goes back by itself when it fails.
    #[serde(default)]
    pub(crate) auto_rollback: bool,
    /// How long the check must hold.
    #[serde(default)]
    pub(crate) healthy_for_seconds: u32,
    /// All tries of the check, from container start to verdict.
    #[serde(default = "health_check_timeout_seconds")]
    pub(crate) health_check_timeout_seconds: u32,
}

fn health_check_timeout_seconds() -> u32 {
    300
}

impl Move {
    /// What names this piece of work.
    pub(crate) fn key(&self) -> MoveKey {
        MoveKey { rollout_id: self.rollout_id.clone(), attempt: self.attempt, action: self.action }
    }
}

/// A piece of work that is done once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct MoveKey {
    /// The rollout.
    pub(crate) rollout_id: String,
    /// The attempt.
    pub(crate) attempt: u32,
    /// There or back.
    pub(crate) action: Action,
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    /// To the new image.
    Update,
    /// Back to the old one.
    Rollback,
}

/// How far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    /// Fetch and wait; replace nothing.
    Download,
    /// Replace.
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

    #[test]
    fn images_are_the_same_by_digest_or_by_name() {
        let digest = |fill: &str| Digest::parse(&format!("sha256:{}", fill.repeat(64))).ok();
        let image = |image: &str, digest| Image { image: image.to_owned(), digest };
        for (label, one, other, same) in [
            ("one digest, two tags", image("a/b:1", digest("a")), image("a/b:2", digest("a")), true),
            ("one tag, two digests", image("a/b:1", digest("a")), image("a/b:1", digest("b")), false),
            ("a digest unknown", image("a/b:1", None), image("docker.io/a/b:1", digest("b")), true),
            ("other tags", image("a/b:1", None), image("a/b:2", None), false),
        ] {
            assert_eq!(one.is_same(&other), same, "{label}");
        }
    }
}
