//! A policy as it is answered: the contract's flat names, every value effective.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::{Batches, ImagePattern, OnDrift, OnFailure, OnNewer, Origin, Policy, Strategy};
use crate::{health::HealthCheck, ids::PolicyId, window::time_of_day};

/// A policy as it is answered. What it says can be sent back as a [`RawPolicy`](super::RawPolicy) and means the same.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PolicyView {
    /// The server's name for it.
    pub id: PolicyId,
    /// The operator's name for it.
    pub name: String,
    /// Which references it is about, normalised.
    pub image_pattern: ImagePattern,
    /// How its rollouts go.
    pub update_strategy: Strategy,
    /// How far each batch reaches.
    pub staged_batches: Batches,
    /// Wait between batches, where it is whole minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_delay_minutes: Option<u32>,
    /// Wait between batches, where it is not whole minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_delay: Option<String>,
    /// Wait after a batch's last healthy report.
    pub soak_seconds: u32,
    /// Whether health checks are made.
    pub health_check_enabled: bool,
    /// From container start to verdict, all tries.
    pub health_check_timeout_seconds: u32,
    /// The check.
    pub health_check: HealthCheck,
    /// How long the check must hold.
    pub healthy_for_seconds: u32,
    /// Whether a device that fails goes back by itself.
    pub auto_rollback: bool,
    /// How long a device may take to go back.
    pub rollback_timeout_seconds: u32,
    /// Whether devices that went silent count in the failure rate.
    pub count_timeouts: bool,
    /// Share of failures above which a rollout pauses, from 0 to 1.
    pub max_failure_rate: f64,
    /// Failures in a row at which a rollout pauses.
    pub max_consecutive_failures: u32,
    /// The window's fields, where there is one.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub window: Option<WindowView>,
    /// The earliest start of its rollouts, where one is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// How long a device that was never offered holds its batch.
    pub offline_grace_hours: u32,
    /// How long a locked device holds its batch.
    pub lock_grace_hours: u32,
    /// How long an approval is waited for.
    pub approval_expiry_hours: u32,
    /// How many people must approve.
    pub min_approvals: u32,
    /// What a newer image does to a live rollout.
    pub on_newer: OnNewer,
    /// What an automatic stop does.
    pub on_failure: OnFailure,
    /// What happens to a device that runs another image than it should.
    pub on_drift: OnDrift,
    /// How many devices may be swapping at once, where that is limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_in_flight: Option<u32>,
    /// Silence after which a device is given up.
    pub stall_seconds: u32,
    /// Time after which a device is given up even if it reports progress.
    pub total_seconds: u32,
    /// The fleet, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fleet_id: Option<String>,
    /// Tags that a device must have.
    pub device_tags: BTreeMap<String, String>,
    /// When it was first stored.
    pub created_at: Timestamp,
    /// When this revision was stored.
    pub updated_at: Timestamp,
    /// Where it came from.
    pub origin: Origin,
    /// Counts its changes, from 1.
    pub revision: u64,
}

/// A maintenance window under the policy's flat names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WindowView {
    /// When it opens, local time.
    pub maintenance_window_start: String,
    /// When it closes, local time.
    pub maintenance_window_end: String,
    /// An IANA name, or `device`.
    pub timezone: String,
    /// The zone of devices that report none, beside `device`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback_timezone: Option<String>,
    /// Days on which it opens.
    pub days: Vec<&'static str>,
    /// Minutes before its end in which no swap starts.
    pub cutoff_minutes: u32,
}

impl From<&Policy> for PolicyView {
    fn from(policy: &Policy) -> Self {
        let whole_minutes = policy.batch_delay_seconds.is_multiple_of(60);
        let delay = policy.batch_delay_seconds;
        Self {
            id: policy.id.clone(),
            name: policy.name.clone(),
            image_pattern: policy.image_pattern.clone(),
            update_strategy: policy.update_strategy,
            staged_batches: policy.staged_batches.clone(),
            batch_delay_minutes: whole_minutes.then_some(delay / 60),
            batch_delay: (!whole_minutes).then(|| format!("{delay}s")),
            soak_seconds: policy.soak_seconds,
            health_check_enabled: policy.health.enabled,
            health_check_timeout_seconds: policy.health.timeout_seconds,
            health_check: policy.health.check.clone(),
            healthy_for_seconds: policy.health.healthy_for_seconds,
            auto_rollback: policy.auto_rollback,
            rollback_timeout_seconds: policy.rollback_timeout_seconds,
            count_timeouts: policy.count_timeouts,
            max_failure_rate: policy.max_failure_rate.as_number(),
            max_consecutive_failures: policy.max_consecutive_failures,
            window: policy.window.as_ref().map(|window| WindowView {
                maintenance_window_start: time_of_day::format(window.start()),
                maintenance_window_end: time_of_day::format(window.end()),
                timezone: window.zone().timezone().to_owned(),
                fallback_timezone: window.zone().fallback_timezone().map(ToString::to_string),
                days: window.days().names().collect(),
                cutoff_minutes: window.cutoff_minutes(),
            }),
            not_before: policy.not_before,
            offline_grace_hours: policy.offline_grace_hours,
            lock_grace_hours: policy.lock_grace_hours,
            approval_expiry_hours: policy.approval_expiry_hours,
            min_approvals: 1,
            on_newer: policy.on_newer,
            on_failure: policy.on_failure,
            on_drift: policy.on_drift,
            max_in_flight: policy.max_in_flight,
            stall_seconds: policy.stall_seconds,
            total_seconds: policy.total_seconds,
            fleet_id: policy.selector.fleet_id.clone(),
            device_tags: policy.selector.device_tags.clone(),
            created_at: policy.created_at,
            updated_at: policy.updated_at,
            origin: policy.origin,
            revision: policy.revision,
        }
    }
}
