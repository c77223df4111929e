//! A policy as an operator writes it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::fields::raw_object;
use crate::health::RawHealthCheck;

const SECONDS: &str = "a whole number of seconds";
const HOURS: &str = "a whole number of hours";
const TEXT: &str = "a text";
const TRUTH: &str = "true or false";
const TIME: &str = "a time of day such as \"02:00:00\"";

raw_object! {
    /// A policy as an operator writes it, in a body and in policies.yaml alike, under the contract's flat names.
    ///
    /// Read it with [`RawPolicy::from_json`] to be told all its mistakes; serde's way joins them to one text. What an
    /// answer tells beside these fields (`created_at`, `updated_at`, `origin`, `revision`, …) is accepted and dropped.
    RawPolicy, told &["created_at", "updated_at", "origin", "revision", "effective", "mistakes"],
    {
        /// The server's id; where it is given it must be the id that the request is about.
        id as "id": String = TEXT,
        /// The operator's name for it.
        name as "name": String = TEXT,
        /// Which references it is about.
        image_pattern as "image_pattern": String = "a pattern such as docker.io/owner/app:*",
        /// `auto`, `staged`, `manual`, `scheduled`.
        update_strategy as "update_strategy": String = "one of auto, staged, manual, scheduled",
        /// A count, or a list of percentages (texts) and device numbers.
        staged_batches as "staged_batches": Value = "",
        /// Wait between batches, in minutes; or `batch_delay`.
        batch_delay_minutes as "batch_delay_minutes": u32 = "a whole number of minutes",
        /// Wait between batches with its unit, such as `45s`; or `batch_delay_minutes`.
        batch_delay as "batch_delay": String = "a duration such as 45s, 30m or 1h30m",
        /// Wait after a batch's last healthy report.
        soak_seconds as "soak_seconds": u32 = SECONDS,
        /// Whether health checks are made.
        health_check_enabled as "health_check_enabled": bool = TRUTH,
        /// From container start to verdict, all tries.
        health_check_timeout_seconds as "health_check_timeout_seconds": u32 = SECONDS,
        /// The check.
        health_check as "health_check": RawHealthCheck = "an object",
        /// How long the check must hold.
        healthy_for_seconds as "healthy_for_seconds": u32 = SECONDS,
        /// Whether a device that fails goes back by itself.
        auto_rollback as "auto_rollback": bool = TRUTH,
        /// How long a device may take to go back.
        rollback_timeout_seconds as "rollback_timeout_seconds": u32 = SECONDS,
        /// Whether devices that went silent count in the failure rate.
        count_timeouts as "count_timeouts": bool = TRUTH,
        /// A share, as a number or a percentage.
        max_failure_rate as "max_failure_rate": Value = "",
        /// Failures in a row at which a rollout pauses.
        max_consecutive_failures as "max_consecutive_failures": u32 = "a whole number of devices",
        /// When the window opens, local time.
        maintenance_window_start as "maintenance_window_start": String = TIME,
        /// When the window closes, local time.
        maintenance_window_end as "maintenance_window_end": String = TIME,
        /// The window's zone: an IANA name, or `device`.
        timezone as "timezone": String = "an IANA zone such as Europe/Berlin, or device",
        /// The zone of devices that report none, beside `timezone: device`.
        fallback_timezone as "fallback_timezone": String = "an IANA zone such as Europe/Berlin",
        /// Days on which the window opens.
        days as "days": Vec<String> = "a list of days such as [mon, tue]",
        /// Minutes before the window's end in which no swap starts.
        cutoff_minutes as "cutoff_minutes": u32 = "a whole number of minutes",
        /// The earliest start of its rollouts.
        not_before as "not_before": String = "a time such as 2026-12-01T20:00:00Z",
        /// How long a device that was never offered holds its batch.
        offline_grace_hours as "offline_grace_hours": u32 = HOURS,
        /// How long a locked device holds its batch.
        lock_grace_hours as "lock_grace_hours": u32 = HOURS,
        /// How long an approval is waited for.
        approval_expiry_hours as "approval_expiry_hours": u32 = HOURS,
        /// How many people must approve; 1.
        min_approvals as "min_approvals": u32 = "1",
        /// `supersede`, `queue`, `ignore`.
        on_newer as "on_newer": String = "one of supersede, queue, ignore",
        /// `pause`, `rollback_all`.
        on_failure as "on_failure": String = "one of pause, rollback_all",
        /// `converge`, `adopt`, `hold`.
        on_drift as "on_drift": String = "one of converge, adopt, hold",
        /// How many devices may be swapping at once.
        max_in_flight as "max_in_flight": u32 = "a whole number of devices",
        /// Silence after which a device is given up.
        stall_seconds as "stall_seconds": u32 = SECONDS,
        /// Time after which a device is given up even if it reports progress.
        total_seconds as "total_seconds": u32 = SECONDS,
        /// The fleet whose devices it selects.
        fleet_id as "fleet_id": String = "a fleet's id",
        /// Tags that a device must have, all of them.
        device_tags as "device_tags": BTreeMap<String, String> = "tags such as {region: us-east}",
    }
}

impl RawPolicy {
    /// A policy that says only what it must.
    pub fn new(name: impl Into<String>, image_pattern: impl Into<String>) -> Self {
        Self { name: Some(name.into()), image_pattern: Some(image_pattern.into()), ..Self::default() }
    }
}
