//! What a device tells: the body of its PATCH.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tidegate_domain::event::DeviceEvent;
use tidegate_domain::image::Digest;
use uuid::Uuid;

/// The body.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct StateReport {
    /// What runs, by service name; left out where it was told already.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) services: BTreeMap<String, Observed>,
    /// What was done, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) reports: Vec<Report>,
}

/// What a service runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Observed {
    pub(crate) image: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) digest: Option<Digest>,
    pub(crate) status: &'static str,
    pub(crate) healthy: bool,
}

/// One report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Makes a repeat harmless.
    pub(crate) id: Uuid,
    /// When it happened, by the device's clock.
    pub(crate) at: Timestamp,
    pub(crate) service: String,
    pub(crate) rollout_id: String,
    pub(crate) attempt: u32,
    /// Counts from 1 per rollout and attempt.
    pub(crate) seq: u32,
    #[serde(serialize_with = "full_name", deserialize_with = "from_full_name")]
    pub(crate) event: DeviceEvent,
    #[serde(default)]
    pub(crate) details: Details,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn full_name<S: serde::Serializer>(event: &DeviceEvent, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(event.name())
}

fn from_full_name<'de, D: serde::Deserializer<'de>>(from: D) -> Result<DeviceEvent, D::Error> {
    let name = String::deserialize(from)?;
    DeviceEvent::parse(&name).ok_or_else(|| serde::de::Error::custom("no event of a device"))
}

/// What else a report says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Details {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) digest: Option<Digest>,
}

impl Details {
    /// Why something failed: a stable word, and words for people.
    pub(crate) fn because(reason: &str, message: impl Into<String>) -> Self {
        Self { reason: Some(reason.to_owned()), message: Some(message.into()), digest: None }
    }

    /// The content that was fetched.
    pub(crate) fn of(digest: Option<Digest>) -> Self {
        Self { digest, ..Self::default() }
    }
}

/// What the server made of a body.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Taken {
    pub(crate) ignored: Vec<Ignored>,
}

/// A report that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Ignored {
    pub(crate) id: String,
    pub(crate) reason: String,
}
