//! From what an operator wrote to a policy: every mistake is told at once, every value left out is filled in.

mod check;

use jiff::Timestamp;
use serde_json::Value;

use self::check::Check;
use super::{
    ImagePattern, OnDrift, OnFailure, OnNewer, Origin, Policy, PolicyDefaults, RawPolicy, STALL_MARGIN_SECONDS,
    Selector, Strategy, WrittenPolicy,
};
use crate::fields::FieldError;
use crate::ids::PolicyId;

/// The largest soak that nobody asked for, in seconds.
const SOAK_SECONDS: u32 = 600;

/// The graces of [`Policy`] where a policy does not say, in hours.
const GRACE_HOURS: u32 = 24;

/// How long an approval is waited for where a policy does not say, in hours.
const APPROVAL_EXPIRY_HOURS: u32 = 72;

/// The clocks of a silent device where a policy does not say, in seconds.
const STALL_SECONDS: u32 = 900;
const TOTAL_SECONDS: u32 = 7200;

impl RawPolicy {
    /// Reads and checks a whole body: every mistake is told, whatever kind it is of.
    pub fn checked(
        body: &Value,
        defaults: &PolicyDefaults,
        id: PolicyId,
        now: Timestamp,
        origin: Origin,
    ) -> Result<Policy, Vec<FieldError>> {
        let (raw, mistakes) = Self::read("", body);
        if !body.is_object() {
            return Err(mistakes);
        }
        raw.validate_after(mistakes, defaults, id, now, origin)
    }

    /// Checks it and fills in what it leaves out; it becomes revision 1, stored at `now`, under `id`.
    pub fn validate(
        self,
        defaults: &PolicyDefaults,
        id: PolicyId,
        now: Timestamp,
        origin: Origin,
    ) -> Result<Policy, Vec<FieldError>> {
        self.validate_after(Vec::new(), defaults, id, now, origin)
    }

    fn validate_after(
        self,
        mistakes: Vec<FieldError>,
        defaults: &PolicyDefaults,
        id: PolicyId,
        now: Timestamp,
        origin: Origin,
    ) -> Result<Policy, Vec<FieldError>> {
        let mut check = Check::after(mistakes);
        check.id(self.id.as_deref(), &id);
        let name = check.name(self.name.as_deref());
        let image_pattern = check.pattern(self.image_pattern.as_deref(), defaults);
        let selector = check.selector(self.fleet_id.clone(), self.device_tags.clone());
        let values = self.values(&mut check, defaults);
        match (name, image_pattern, check.errors.is_empty()) {
            (Some(name), Some(image_pattern), true) => Ok(values(Identity {
                id,
                name,
                image_pattern,
                selector,
                created_at: now,
                updated_at: now,
                origin,
                revision: 1,
            })),
            _ => Err(check.errors),
        }
    }

    /// Fills in what a stored policy leaves out, and tells what does not fit.
    pub(super) fn fill(
        self,
        mistakes: Vec<FieldError>,
        defaults: &PolicyDefaults,
        of: &WrittenPolicy,
    ) -> (Policy, Vec<FieldError>) {
        let mut check = Check::after(mistakes);
        let values = self.values(&mut check, defaults);
        let policy = values(Identity {
            id: of.id.clone(),
            name: of.name.clone(),
            image_pattern: of.image_pattern.clone(),
            selector: of.selector.clone(),
            created_at: of.created_at,
            updated_at: of.updated_at,
            origin: of.origin,
            revision: of.revision,
        });
        (policy, check.errors)
    }

    /// Checks every value and fills in those that are left out; what it is all about comes last.
    fn values(self, check: &mut Check, defaults: &PolicyDefaults) -> impl FnOnce(Identity) -> Policy + use<> {
        check.ranges(&self);
        check.approvers(self.min_approvals);
        let window = check.window(&self);
        let not_before = check.time("not_before", self.not_before.as_deref());
        let update_strategy = check.strategy(&self, defaults);
        let staged_batches = check.batches(self.staged_batches.as_ref(), defaults);
        let batch_delay_seconds = check.batch_delay(&self, defaults);
        let soak_seconds = self.soak_seconds.unwrap_or(SOAK_SECONDS.min(batch_delay_seconds));
        let health = check.health(&self, defaults);
        let rollback_timeout_seconds = self.rollback_timeout_seconds.unwrap_or(defaults.rollback_timeout_seconds);
        let max_failure_rate = check.rate(self.max_failure_rate.as_ref(), defaults);
        let max_consecutive_failures = self.max_consecutive_failures.unwrap_or(defaults.max_consecutive_failures);
        let auto_rollback = self.auto_rollback.unwrap_or(defaults.auto_rollback);
        let on_newer =
            check.word("on_newer", self.on_newer.as_deref(), OnNewer::Supersede, OnNewer::parse, OnNewer::ALL);
        let on_failure =
            check.word("on_failure", self.on_failure.as_deref(), OnFailure::Pause, OnFailure::parse, OnFailure::ALL);
        let on_drift =
            check.word("on_drift", self.on_drift.as_deref(), OnDrift::Converge, OnDrift::parse, OnDrift::ALL);
        let deadline = health.timeout_seconds.saturating_add(rollback_timeout_seconds);
        let stall_seconds =
            self.stall_seconds.unwrap_or(STALL_SECONDS).max(deadline.saturating_add(STALL_MARGIN_SECONDS));
        move |of| Policy {
            id: of.id,
            name: of.name,
            image_pattern: of.image_pattern,
            update_strategy,
            staged_batches,
            batch_delay_seconds,
            soak_seconds,
            health,
            auto_rollback,
            rollback_timeout_seconds,
            count_timeouts: self.count_timeouts.unwrap_or(true),
            max_failure_rate,
            max_consecutive_failures,
            window,
            not_before,
            offline_grace_hours: self.offline_grace_hours.unwrap_or(GRACE_HOURS),
            lock_grace_hours: self.lock_grace_hours.unwrap_or(GRACE_HOURS),
            approval_expiry_hours: self.approval_expiry_hours.unwrap_or(APPROVAL_EXPIRY_HOURS),
            on_newer,
            on_failure,
            on_drift,
            max_in_flight: self.max_in_flight,
            stall_seconds,
            total_seconds: self.total_seconds.unwrap_or(TOTAL_SECONDS).max(stall_seconds),
            selector: of.selector,
            created_at: of.created_at,
            updated_at: of.updated_at,
            origin: of.origin,
            revision: of.revision,
        }
    }
}

/// Whose values they are, and which revision of it.
struct Identity {
    id: PolicyId,
    name: String,
    image_pattern: ImagePattern,
    selector: Selector,
    created_at: Timestamp,
    updated_at: Timestamp,
    origin: Origin,
    revision: u64,
}

/// Whether a strategy can work with or without a window.
pub(super) fn strategy_fits(strategy: Strategy, has_window: bool) -> Result<(), FieldError> {
    if strategy == Strategy::Scheduled && !has_window {
        let detail = "scheduled needs maintenance_window_start and maintenance_window_end";
        return Err(FieldError::of("", "update_strategy", detail));
    }
    Ok(())
}
