//! What a delivery is answered, read leniently: a newer server may know other words and tell more.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tidegate_domain::text::shown;

use crate::table::{Table, cell};

/// What became of a delivery, all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Answer {
    /// By which it can be replayed.
    pub(crate) delivery_id: String,
    pub(crate) deliveries: Vec<Told>,
    #[serde(flatten)]
    pub(super) more: Map<String, Value>,
}

/// What became of one image under one policy. Its status is the server's word.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Told {
    pub(crate) status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) image: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rollout_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) affected_devices: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) affected_devices_at_most: Option<u32>,
    /// Of a stale one, the id by which it alone can be replayed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) replay: Option<String>,
    /// Policies that keep this content out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) bad_for: Vec<KeptOut>,
    #[serde(flatten)]
    pub(super) more: Map<String, Value>,
}

/// A policy that keeps the content out, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct KeptOut {
    pub(crate) policy: String,
    pub(crate) reason: String,
    #[serde(flatten)]
    pub(super) more: Map<String, Value>,
}

impl Told {
    fn devices(&self) -> String {
        match (self.affected_devices, self.affected_devices_at_most) {
            (Some(count), _) => count.to_string(),
            (None, Some(most)) => format!("at most {most}"),
            (None, None) => "-".to_owned(),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "delivery {}\n", shown(&self.delivery_id))?;
        let mut table = Table::new(["IMAGE", "TAG", "POLICY", "STATUS", "ROLLOUT", "DEVICES", "REASON"]);
        for told in &self.deliveries {
            table.row([
                cell(told.image.as_ref()),
                cell(told.tag.as_ref()),
                cell(told.policy.as_ref()),
                told.status.clone(),
                cell(told.rollout_id.as_ref()),
                told.devices(),
                cell(told.reason.as_ref()),
            ]);
        }
        table.fmt(f)?;
        for kept in self.deliveries.iter().flat_map(|told| &told.bad_for) {
            writeln!(f, "the policy {} keeps this content out: {}", shown(&kept.policy), shown(&kept.reason))?;
        }
        for replay in self.deliveries.iter().filter_map(|told| told.replay.as_ref()) {
            writeln!(f, "tidegate deliveries replay {} --force rolls it out all the same", shown(replay))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer() -> Value {
        json!({
            "delivery_id": "distribution/event/1", "status": "accepted", "new": {"field": 1},
            "deliveries": [
                {
                    "image": "docker.io/acme/app", "tag": "v2", "digest": "sha256:1", "policy": "north", "status": "accepted",
                    "rollout_id": "01J", "affected_devices_at_most": 5000, "new": true,
                    "bad_for": [{"policy": "south", "reason": "rolled back", "new": 1}],
                },
                {"policy": "south", "status": "stale", "replay": "distribution/event/1#2", "reason": "older\u{1b}[2J"},
            ],
        })
    }

    #[test]
    fn all_that_is_told_is_told_on() {
        let read: Answer = serde_json::from_value(answer()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), answer());
    }

    #[test]
    fn people_are_told_what_they_need() {
        let read: Answer = serde_json::from_value(answer()).unwrap();
        let text = read.to_string();
        for told in [
            "delivery distribution/event/1\n",
            "accepted",
            "at most 5000",
            "the policy south keeps this content out: rolled back\n",
            "tidegate deliveries replay distribution/event/1#2 --force",
            "older\\u{1b}[2J",
        ] {
            assert!(text.contains(told), "{told} in:\n{text}");
        }
    }
}
