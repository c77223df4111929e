//! What became of a delivery's images, in the words of the answer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidegate_domain::admission::Admission;
use tidegate_domain::head::KeptOut;
use tidegate_domain::ids::RolloutId;
use tidegate_domain::webhook::{IgnoreReason, Ignored, PushNotice};

use crate::entities::remainders::Outcome;

/// What became of one image under one policy.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DeliveryOutcome {
    /// The repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The digest, where the sender told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The policy's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// One of [`Self::STATUSES`].
    pub status: String,
    /// Why, in a stable word or a person's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The rollout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout_id: Option<RolloutId>,
    /// Devices that it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affected_devices: Option<u32>,
    /// Where they are too many to be counted at once: so many at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affected_devices_at_most: Option<u32>,
    /// Other policies of the repository that keep this digest out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bad_for: Vec<KeptOut>,
    /// Of one that is stale or was overtaken, the id that it can be replayed by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<String>,
}

impl DeliveryOutcome {
    /// Every status.
    pub const STATUSES: [&str; 10] = [
        "rollout_created",
        "superseding",
        "queued",
        "accepted",
        "duplicate",
        "up_to_date",
        "no_policy",
        "no_devices",
        "failed",
        "ignored",
    ];

    pub(super) fn of(notice: &PushNotice, status: &str) -> Self {
        Self {
            image: Some(notice.repository.to_string()),
            tag: Some(notice.tag.as_str().to_owned()),
            digest: notice.digest.as_ref().map(|digest| digest.as_str().to_owned()),
            status: status.to_owned(),
            ..Self::default()
        }
    }

    /// Whether this delivery made the rollout that it names.
    pub(super) fn creates(&self) -> bool {
        matches!(self.status.as_str(), "rollout_created" | "queued" | "superseding" | "failed")
    }

    fn again(self) -> Self {
        if self.creates() { Self { status: "duplicate".to_owned(), ..self } } else { self }
    }

    pub(super) fn because(self, reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..self }
    }

    pub(super) fn ignored(ignored: &Ignored) -> Self {
        Self {
            image: ignored.image.clone(),
            tag: ignored.tag.clone(),
            digest: ignored.digest.clone(),
            status: "ignored".to_owned(),
            reason: Some(ignored.reason.as_str().to_owned()),
            ..Self::default()
        }
    }
}

/// The answer's words for a decision.
pub(crate) fn outcome(
    admission: &Admission,
    created: Option<RolloutId>,
    affected: u32,
    entry: DeliveryOutcome,
) -> DeliveryOutcome {
    let (status, reason, rollout_id) = match admission {
        Admission::Start => ("rollout_created", None, created),
        Admission::Supersede(old) => ("superseding", Some(format!("supersedes {old}")), created),
        Admission::Wait { .. } => ("queued", None, created),
        Admission::Duplicate(twin) => ("duplicate", None, Some(twin.clone())),
        Admission::Merge(into) => {
            ("duplicate", Some("its digest is asked for after this push".to_owned()), Some(into.clone()))
        }
        Admission::UpToDate(proven) => ("up_to_date", None, Some(proven.clone())),
        Admission::Bad(reason) => ("ignored", Some(format!("bad_digest: {reason}")), None),
        Admission::Stale(_) => ("ignored", Some(IgnoreReason::Stale.as_str().to_owned()), None),
        Admission::Overtaken(_) => ("ignored", Some(IgnoreReason::Overtaken.as_str().to_owned()), None),
        Admission::Unfit(why) => ("failed", Some(format!("invalid_policy: {why}")), created),
        Admission::Ignored(live) => ("ignored", Some(format!("rollout {live} is live")), None),
    };
    DeliveryOutcome { status: status.to_owned(), reason, rollout_id, affected_devices: Some(affected), ..entry }
}

/// A first answer, as a repeat gets it.
pub(super) fn duplicates(answer: &[serde_json::Value]) -> Vec<DeliveryOutcome> {
    let before = answer.iter().filter_map(|told| serde_json::from_value::<DeliveryOutcome>(told.clone()).ok());
    before.map(DeliveryOutcome::again).collect()
}

/// Tells what became since of a notice that was accepted only, as a repeat gets it.
pub(super) fn with_outcomes(told: &mut [DeliveryOutcome], n: usize, outcomes: &[Outcome]) {
    let of_notice = outcomes.iter().filter(|outcome| outcome.n == n);
    let of_notice =
        of_notice.filter_map(|outcome| serde_json::from_value::<DeliveryOutcome>(outcome.told.clone()).ok());
    let by_policy: BTreeMap<Option<String>, DeliveryOutcome> =
        of_notice.map(|told| (told.policy.clone(), told)).collect();
    for told in told.iter_mut().filter(|told| told.status == "accepted") {
        if let Some(since) = by_policy.get(&told.policy) {
            let DeliveryOutcome { image, tag, digest, .. } = told.clone();
            *told = DeliveryOutcome { image, tag, digest, ..since.clone() }.again();
        }
    }
}
