//! A rollout.

use jiff::Timestamp;
use serde::Serialize;
use tidegate_domain::approval::seal;
use tidegate_domain::counts::{Class, Counts};
use tidegate_domain::ids::RolloutId;
use tidegate_domain::rollout::{Batch, By, Rollout, Status, Trigger};
use tidegate_domain::strategy::{Phase, ShownGate, ShownStage};
use tidegate_engine::commands::OPERATOR;
use tidegate_engine::rollouts::View;
use utoipa::ToSchema;

use crate::schemas::{forms, words};

/// A rollout.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Rollout)]
pub(crate) struct RolloutView {
    /// Its id; ids are ordered by time.
    #[schema(value_type = forms::RolloutId)]
    rollout_id: RolloutId,
    /// The repository that it updates.
    #[schema(example = "docker.io/iotistic/myapp")]
    image_name: String,
    /// The tag that the policy promoted before.
    #[schema(required = true)]
    old_tag: Option<String>,
    /// The tag that it brings.
    #[schema(required = true)]
    new_tag: Option<String>,
    /// The content that it brings, once that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<forms::Digest>)]
    new_digest: Option<String>,
    /// How it goes.
    #[schema(value_type = words::Strategy)]
    strategy: &'static str,
    /// Where it stands.
    #[schema(value_type = words::RolloutStatus)]
    status: &'static str,
    /// Devices that take part; exact once it is planned.
    total_devices: u32,
    /// The newest open batch, from 1; 0 before the first.
    current_batch: u32,
    /// Its batches, once planned.
    batches: Vec<BatchView>,
    /// Devices that ever ran the new image.
    updated_devices: u32,
    /// Devices that failed, and are not back on their old image.
    failed_devices: u32,
    /// Devices that ever failed, back on their old image or not: what the failure rules count.
    ever_failed_devices: u32,
    /// Devices that are healthy on the new image.
    healthy_devices: u32,
    /// Devices that are back on their old image.
    rolled_back_devices: u32,
    /// Devices that were not seen when their turn came.
    deferred_devices: u32,
    /// Devices that take no part.
    skipped_devices: u32,
    /// In words, why nothing moves now; in lists only of rollouts that still move.
    #[schema(required = true)]
    waiting_for: Option<String>,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When its first batch opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    completed_at: Option<Timestamp>,
    /// What set it off.
    #[schema(value_type = words::TriggeredBy)]
    triggered_by: &'static str,
    /// The policy that it follows.
    policy: String,
    /// Its entry (0) and every stage, with what must hold before the next one opens; in lists only of rollouts
    /// that still move.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stages: Vec<StageView>,
    /// What of the policy it passes over, because a person said so.
    #[serde(rename = "override", skip_serializing_if = "Option::is_none")]
    overridden: Option<OverrideView>,
    /// Devices that told no time zone that was known when it was planned, where the window is in each device's own and
    /// the policy names no fallback: they wait until they tell one.
    #[serde(skip_serializing_if = "is_zero")]
    no_timezone_devices: u32,
    /// Such devices, where the policy's fallback counts.
    #[serde(skip_serializing_if = "is_zero")]
    fallback_timezone_devices: u32,
    /// Since when it is paused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    paused_at: Option<Timestamp>,
    /// Who paused it: `an operator`, until operators' tokens have names, or `the failure rules`.
    #[serde(skip_serializing_if = "Option::is_none")]
    paused_by: Option<&'static str>,
    /// What a yes or no is for, where one is waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    approval: Option<ApprovalView>,
    /// Why it stands where it stands: a person's words, or what stopped it.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// What went wrong, where failures stopped or ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<String>,
}

/// What a yes or no to a rollout is for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RolloutApproval)]
struct ApprovalView {
    /// Stands for the rollout, its image, its frozen plan and this time of asking. Handed back with `approve` or `reject`,
    /// the answer counts only while all of that is as it was shown.
    #[schema(example = "5f3c9a0d7be14c22a9de0317")]
    seal: String,
    /// Whether an answer without the seal is refused: the digest is not known, so nothing else says what it is for.
    seal_needed: bool,
    /// Its tag was pushed again since: then. Devices would be brought what was pushed last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pushed_at: Option<String>,
}

/// What a rollout passes over of its policy.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RolloutOverride)]
struct OverrideView {
    /// The policy's safeguards that it goes without.
    #[schema(value_type = Vec<words::PolicySafeguard>)]
    passed_over: Vec<&'static str>,
    /// Why, in the person's words.
    reason: String,
    /// Who said so; `an operator` until operators' tokens have names.
    by: &'static str,
}

/// A stage of a rollout: how far it reaches, and what must hold before the next one opens.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RolloutStage)]
struct StageView {
    /// From 1; 0 is the entry, before the first.
    number: u32,
    /// How far it reaches, all stages before it included: a rate, a number of devices, or so many of equal parts; none
    /// of the entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "10%")]
    share: Option<String>,
    /// How far devices may go in it; none of the entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<words::MovePhase>)]
    phase: Option<Phase>,
    /// All of these must pass before the next stage opens; those of the last one, before the rollout completes.
    gates: Vec<GateView>,
}

/// A gate of a rollout, and what it says now.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RolloutGate)]
struct GateView {
    /// What it looks at.
    #[schema(value_type = words::GateKind)]
    kind: &'static str,
    /// What it says.
    #[schema(value_type = words::GateState)]
    state: &'static str,
    /// Why, where it holds the rollout up.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// When it passes at the soonest, where only time is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
}

impl From<ShownStage> for StageView {
    fn from(stage: ShownStage) -> Self {
        let gate = |gate: ShownGate| GateView {
            kind: gate.kind,
            state: gate.state.as_str(),
            why: gate.why,
            until: gate.until,
        };
        Self {
            number: stage.number,
            share: stage.share.map(|share| share.to_string()),
            phase: stage.phase,
            gates: stage.gates.into_iter().map(gate).collect(),
        }
    }
}

/// A batch of a rollout.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RolloutBatch)]
struct BatchView {
    /// From 1.
    number: u32,
    /// Devices that count in it.
    devices: u32,
    /// Of them, who ever ran the new image.
    updated: u32,
    /// Of them, who is healthy on it.
    healthy: u32,
    /// Of them, who failed and is not back on the old one.
    failed: u32,
    /// Of them, who ever failed.
    ever_failed: u32,
    /// Of them, who is back on the old one.
    rolled_back: u32,
    /// When its first device could be offered the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    opened_at: Option<Timestamp>,
    /// When all of them had settled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    completed_at: Option<Timestamp>,
}

impl BatchView {
    fn new(number: u32, batch: &Batch, taken_back: bool) -> Self {
        let counts = &batch.counts;
        Self {
            number,
            devices: counts.devices(),
            updated: counts.updated(),
            healthy: counts.of(Class::Healthy),
            failed: counts.failed(),
            ever_failed: ever_failed(counts, taken_back),
            rolled_back: counts.of(Class::RolledBack),
            opened_at: batch.opened_at,
            completed_at: batch.completed_at,
        }
    }
}

impl RolloutView {
    /// A rollout whose counts include the journal's newest pages.
    pub(crate) fn new(rollout: &Rollout, waiting_for: Option<String>) -> Self {
        let counts = rollout.counts();
        let taken_back = rollout.rollback.is_some();
        let reason = rollout.reason.clone().filter(|_| went_wrong(rollout.status));
        let by_person = rollout.decided.is_some_and(|decided| decided.by == By::Operator);
        let paused = rollout.decided.filter(|_| rollout.status == Status::Paused);
        let tag = |tag: &tidegate_domain::image::Tag| tag.as_str().to_owned();
        Self {
            rollout_id: rollout.rollout_id.clone(),
            image_name: rollout.repository.to_string(),
            old_tag: rollout.old_tag.as_ref().map(tag),
            new_tag: rollout.target.tag.as_ref().map(tag),
            new_digest: rollout.target.digest.as_ref().map(ToString::to_string),
            strategy: rollout.strategy.as_str(),
            status: rollout.status.name(),
            total_devices: counts.devices(),
            current_batch: rollout.batch,
            batches: (1..)
                .zip(&rollout.batches)
                .map(|(number, batch)| BatchView::new(number, batch, taken_back))
                .collect(),
            updated_devices: counts.updated(),
            failed_devices: counts.failed(),
            ever_failed_devices: ever_failed(&counts, taken_back),
            healthy_devices: counts.of(Class::Healthy),
            rolled_back_devices: counts.of(Class::RolledBack),
            deferred_devices: counts.of(Class::Deferred) + counts.of(Class::NotSeen),
            skipped_devices: counts.of(Class::Skipped),
            waiting_for,
            created_at: rollout.created_at,
            started_at: rollout.started_at,
            completed_at: rollout.completed_at,
            triggered_by: match rollout.triggered_by {
                Trigger::Webhook => "webhook",
                Trigger::Manual => "manual",
            },
            policy: rollout.policy.clone(),
            stages: Vec::new(),
            overridden: rollout.overridden.as_ref().map(|told| OverrideView {
                passed_over: told.passed_over.iter().map(|safeguard| safeguard.name()).collect(),
                reason: told.reason.clone(),
                by: OPERATOR,
            }),
            no_timezone_devices: rollout.zones.missing,
            fallback_timezone_devices: rollout.zones.fallback,
            paused_at: paused.map(|decided| decided.at),
            paused_by: paused.map(|decided| decided.by.words()),
            approval: None,
            error_message: reason.clone().filter(|_| !by_person && is_failure(rollout.status)),
            reason,
        }
    }
}

impl From<View> for RolloutView {
    fn from(view: View) -> Self {
        let approval = seal(&view.rollout, &view.plan.policy, view.pushed_at).map(|seal| ApprovalView {
            seal,
            seal_needed: view.rollout.target.digest.is_none(),
            pushed_at: view.pushed_at.map(|at| at.to_string()),
        });
        let stages = view.stages.into_iter().map(StageView::from).collect();
        Self { stages, approval, ..Self::new(&view.rollout, Some(view.waiting_for)) }
    }
}

/// Devices that ever failed. Rollouts of older versions did not count them; until everything is taken back, who is back
/// failed.
fn ever_failed(counts: &Counts, taken_back: bool) -> u32 {
    let back = if taken_back { 0 } else { counts.of(Class::RolledBack) };
    counts.ever_failed().max(counts.failed() + back)
}

/// Whether a rollout of this status may have come there by failures; of some, a person's word is the other way.
const fn is_failure(status: Status) -> bool {
    match status {
        Status::Paused | Status::Failed | Status::RollingBack | Status::RolledBack => true,
        Status::Pending
        | Status::AwaitingApproval
        | Status::Scheduled
        | Status::InProgress
        | Status::Completed
        | Status::Cancelled
        | Status::Superseded
        | Status::Rejected
        | Status::Expired => false,
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

const fn went_wrong(status: Status) -> bool {
    match status {
        Status::Paused
        | Status::Failed
        | Status::Cancelled
        | Status::Superseded
        | Status::Rejected
        | Status::Expired
        | Status::RollingBack
        | Status::RolledBack => true,
        Status::Pending | Status::AwaitingApproval | Status::Scheduled | Status::InProgress | Status::Completed => {
            false
        }
    }
}

/// What a command answers: the rollout, and whether the command changed it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CommandedRollout)]
pub(crate) struct RolloutBrief {
    /// Whether the command changed anything; false where it held already.
    pub(crate) changed: bool,
    /// The rollout afterwards.
    #[serde(flatten)]
    pub(crate) rollout: RolloutView,
    /// What else can be done, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
}
