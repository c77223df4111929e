//! The answer to a trigger.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use tidegate_domain::policy::Safeguard;
use tidegate_engine::trigger::{DryBatch, DryOutcome, DryRun, PassedOver, Triggered};
use utoipa::ToSchema;

use super::KeptOutView;
use crate::schemas::forms::RolloutId;
use crate::schemas::words::{DeliveryStatus, PolicySafeguard};

/// The answer to a trigger. Where it has exactly one rollout, its fields stand here too.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TriggerAnswer {
    /// A rollout per policy that has some of the devices.
    rollouts: Vec<TriggeredView>,
    /// Of the one rollout.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<RolloutId>)]
    rollout_id: Option<String>,
    /// Of the one rollout.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<String>,
    /// Of the one rollout.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<DeliveryStatus>)]
    status: Option<String>,
    /// Of the one rollout.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Of the one rollout.
    #[serde(skip_serializing_if = "Option::is_none")]
    affected_devices: Option<u32>,
}

/// One rollout of a trigger.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Triggered)]
struct TriggeredView {
    /// The rollout, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<RolloutId>)]
    rollout_id: Option<String>,
    /// The policy's name; `default` where no policy has the devices.
    policy: String,
    /// As in a webhook's answer.
    #[schema(value_type = DeliveryStatus)]
    status: String,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Devices that it is for.
    affected_devices: u32,
    /// Other policies of the repository that keep this digest out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    bad_for: Vec<KeptOutView>,
}

impl From<Triggered> for TriggeredView {
    fn from(triggered: Triggered) -> Self {
        Self {
            rollout_id: triggered.rollout_id.map(|id| id.to_string()),
            policy: triggered.policy,
            status: triggered.status,
            reason: triggered.reason,
            affected_devices: triggered.affected_devices,
            bad_for: triggered.bad_for.into_iter().map(KeptOutView::from).collect(),
        }
    }
}

impl From<Vec<Triggered>> for TriggerAnswer {
    fn from(triggered: Vec<Triggered>) -> Self {
        let rollouts: Vec<TriggeredView> = triggered.into_iter().map(TriggeredView::from).collect();
        let only = match rollouts.as_slice() {
            [only] => Some(only.clone()),
            _ => None,
        };
        let (policy, status, affected_devices) = match &only {
            Some(only) => (Some(only.policy.clone()), Some(only.status.clone()), Some(only.affected_devices)),
            None => (None, None, None),
        };
        let (rollout_id, reason) = only.map_or((None, None), |only| (only.rollout_id, only.reason));
        Self { rollouts, rollout_id, policy, status, reason, affected_devices }
    }
}

/// What a trigger would do.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DryRun)]
pub(crate) struct DryRunView {
    /// Devices that would take part.
    total_devices: u32,
    /// The batches that there would be, policy by policy.
    batches: Vec<DryBatchView>,
    /// What would be passed over, for each policy that would not be followed as it is written.
    passed_over: Vec<PassedOverView>,
    /// Devices that would be skipped, by reason.
    skipped: BTreeMap<String, u32>,
    /// What would become of it under each policy.
    outcomes: Vec<DryOutcomeView>,
    /// Policies of the repository that keep out what the image is known to be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    bad_for: Vec<KeptOutView>,
}

/// What would be passed over of a policy.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PassedOver)]
struct PassedOverView {
    /// The policy's name.
    policy: String,
    /// Its safeguards that the rollout would go without.
    #[schema(value_type = Vec<PolicySafeguard>)]
    safeguards: Vec<&'static str>,
    /// Of these, those that `override` does not name: with any, the trigger is refused.
    #[schema(value_type = Vec<PolicySafeguard>)]
    unsaid: Vec<&'static str>,
}

impl From<PassedOver> for PassedOverView {
    fn from(over: PassedOver) -> Self {
        let names = |safeguards: BTreeSet<Safeguard>| safeguards.into_iter().map(Safeguard::name).collect();
        Self { policy: over.policy, safeguards: names(over.safeguards), unsaid: names(over.unsaid) }
    }
}

/// What would become of a trigger under a policy.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DryOutcome)]
struct DryOutcomeView {
    /// The policy's name; `default` where no policy has the devices.
    policy: String,
    /// As the trigger's answer would say it. Where it is `ignored` for a bad digest, the whole trigger is refused.
    #[schema(value_type = DeliveryStatus)]
    status: String,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl From<DryOutcome> for DryOutcomeView {
    fn from(DryOutcome { policy, status, reason }: DryOutcome) -> Self {
        Self { policy, status, reason }
    }
}

/// A batch that there would be.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DryBatch)]
struct DryBatchView {
    /// The policy's name.
    policy: String,
    /// From 1.
    number: u32,
    /// Devices in it.
    devices: u32,
}

impl From<DryRun> for DryRunView {
    fn from(run: DryRun) -> Self {
        let view = |DryBatch { policy, number, devices }| DryBatchView { policy, number, devices };
        Self {
            total_devices: run.total_devices,
            batches: run.batches.into_iter().map(view).collect(),
            passed_over: run.passed_over.into_iter().map(PassedOverView::from).collect(),
            skipped: run.skipped,
            outcomes: run.outcomes.into_iter().map(DryOutcomeView::from).collect(),
            bad_for: run.bad_for.into_iter().map(KeptOutView::from).collect(),
        }
    }
}
