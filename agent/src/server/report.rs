//! What a device tells: the body of its PATCH.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tidegate_domain::event::DeviceEvent;
use tidegate_domain::image::Digest;
use uuid::Uuid;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StateReport {
    /// What runs, by service name; left out where it was told already.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub services: BTreeMap<String, Observed>,
    /// What was done, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reports: Vec<Report>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Observed {
    pub image: String,
    /// The content, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    pub status: String,
    /// Whether its last check passed and it runs.
    pub healthy: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Makes a repeat harmless.
    pub id: Uuid,
    /// When it happened, by the device's clock.
    pub at: Timestamp,
    pub service: String,
    pub rollout_id: String,
    pub attempt: u32,
    /// Counts from 1 per rollout and attempt.
    pub seq: u32,
    #[serde(serialize_with = "full_name", deserialize_with = "from_full_name")]
    pub event: DeviceEvent,
    #[serde(default)]
    pub details: Details,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn full_name<S: serde::Serializer>(event: &DeviceEvent, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(event.name())
}

fn from_full_name<'de, D: serde::Deserializer<'de>>(from: D) -> Result<DeviceEvent, D::Error> {
    let name = String::deserialize(from)?;
    DeviceEvent::parse(&name).ok_or_else(|| serde::de::Error::custom("no event of a device"))
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Details {
    /// A stable word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Words for people; the server keeps 200 bytes of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The content that was fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// How long a lock lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Details {
    /// Why something failed: a stable word, and words for people.
    pub fn because(reason: &str, message: impl Into<String>) -> Self {
        Self { reason: Some(reason.to_owned()), message: Some(message.into()), ..Self::default() }
    }

    /// The content that was fetched.
    pub fn of(digest: Option<Digest>) -> Self {
        Self { digest, ..Self::default() }
    }
}

/// What the server made of a body.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct Taken {
    /// Reports that were not taken.
    pub ignored: Vec<Ignored>,
}

/// A report that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Ignored {
    pub id: String,
    /// Why, as a stable word.
    pub reason: String,
}
