//! What operators command of a rollout. A command that holds already answers 200 and changes nothing; one that the
//! rollout's status forbids answers 409 and says which statuses allow it.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use tidegate_domain::approval::{NotBound, bound};
use tidegate_domain::command::Command;
use tidegate_domain::fields::FieldError;
use tidegate_domain::ids::RolloutId;
use tidegate_domain::rollout::Status;
use tidegate_engine::commands::{Commanded, carry_out};
use utoipa::ToSchema;

use super::{Api, Use};
use crate::input::{Mistakes, OperatorBody, OptionalBody, RolloutIdPath, reason as reason_of};
use crate::problem::Problem;
use crate::schemas::forms;
use crate::state::AppState;
use crate::views::{RolloutBrief, RolloutView};

/// Longest seal that is looked at, in characters.
const SEAL_MAX: usize = 64;

/// Why, for those who look later.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ReasonBody)]
struct Reasoned {
    /// Why.
    #[schema(max_length = 500)]
    reason: Option<String>,
}

/// An answer to who asks for approval.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ApprovalBody)]
struct Answered {
    /// Why.
    #[schema(max_length = 500)]
    reason: Option<String>,
    /// The seal that was shown with the rollout (`approval`): the answer is for what was seen, or is refused. Needed where
    /// the rollout's digest is not known.
    #[schema(max_length = 64)]
    seal: Option<String>,
}

/// What resuming needs.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ResumeBody)]
struct Resumption {
    /// Why it may go on.
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
    /// Leave a settled batch although none in it is healthy.
    #[serde(default)]
    skip_batch: bool,
}

/// What a rollback of everything may be told.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RollbackAllBody)]
struct RollbackAll {
    /// Why.
    #[schema(max_length = 500)]
    reason: Option<String>,
    /// Only inside the policy's windows.
    #[serde(default)]
    respect_windows: bool,
    /// At most about this many devices at a time.
    #[schema(minimum = 1)]
    max_in_flight: Option<u32>,
}

type Answer = Result<Json<RolloutBrief>, Problem>;

/// No new offers until it is resumed
///
/// From `scheduled` and `in_progress`. What is past the swap finishes and is health-checked.
#[utoipa::path(
    post, operation_id = "pauseRollout", path = "/api/v1/rollouts/{id}/pause", tag = "rollouts",
    params(("id" = forms::RolloutId, Path, description = "The rollout's id.")),
    request_body(content = Option<Reasoned>),
    responses(
        (status = 200, description = "It is paused.", body = RolloutBrief),
        (status = 404, description = "There is no such rollout."),
        (status = 409, description = "Its status forbids it."),
    )
)]
async fn pause(
    state: State<AppState>,
    id: RolloutIdPath,
    OptionalBody(body, mistakes): OptionalBody<Reasoned>,
) -> Answer {
    run(state, id, Command::Pause, checked(body.reason, mistakes)?).await
}

/// Offers go on, in the same batch
///
/// From `paused`. Outcomes before it are counted, and no longer judged.
#[utoipa::path(
    post, operation_id = "resumeRollout", path = "/api/v1/rollouts/{id}/resume", tag = "rollouts",
    params(("id" = forms::RolloutId, Path, description = "The rollout's id.")),
    request_body = Resumption,
    responses(
        (status = 200, description = "It goes on.", body = RolloutBrief),
        (status = 404, description = "There is no such rollout."),
        (status = 409, description = "Its status forbids it."),
        (status = 422, description = "Fields are wrong."),
    )
)]
async fn resume(
    state: State<AppState>,
    id: RolloutIdPath,
    OperatorBody(body, mut mistakes): OperatorBody<Resumption>,
) -> Answer {
    if body.reason.trim().is_empty() {
        mistakes.tell(FieldError::new("/reason", "expected why it may go on, in words"));
    }
    let reason = checked(Some(body.reason), mistakes)?;
    run(state, id, Command::Resume { skip_batch: body.skip_batch }, reason).await
}

/// No new offers, for good
///
/// From every live status but `rolling_back`. Devices that are updated keep the new image; `rollback-all` takes them
/// back.
#[utoipa::path(
    post, operation_id = "cancelRollout", path = "/api/v1/rollouts/{id}/cancel", tag = "rollouts",
    params(("id" = forms::RolloutId, Path, description = "The rollout's id.")),
    request_body(content = Option<Reasoned>),
    responses(
        (status = 200, description = "It is cancelled; the counts say how many are where.", body = RolloutBrief),
        (status = 404, description = "There is no such rollout."),
        (status = 409, description = "Its status forbids it."),
    )
)]
async fn cancel(
    state: State<AppState>,
    id: RolloutIdPath,
    OptionalBody(body, mistakes): OptionalBody<Reasoned>,
) -> Answer {
    let hint = "devices that are updated keep the new image; rollback-all takes them back";
    let Json(answer) = run(state, id, Command::Cancel, checked(body.reason, mistakes)?).await?;
    Ok(Json(RolloutBrief { hint: Some(hint.to_owned()), ..answer }))
}

/// Every device back to its own old image
///
/// From `in_progress`, `paused`, `completed`, `failed` and `cancelled`, of the newest rollout of its image alone, for
/// 30 days. Without batches, windows and approval.
#[utoipa::path(
    post, operation_id = "rollbackAll", path = "/api/v1/rollouts/{id}/rollback-all", tag = "rollouts",
    params(("id" = forms::RolloutId, Path, description = "The rollout's id.")),
    request_body(content = Option<RollbackAll>),
    responses(
        (status = 200, description = "It rolls back.", body = RolloutBrief),
        (status = 404, description = "There is no such rollout."),
        (status = 409, description = "Its status forbids it, or there is a newer rollout."),
    )
)]
async fn rollback_all(
    state: State<AppState>,
    id: RolloutIdPath,
    OptionalBody(body, mut mistakes): OptionalBody<RollbackAll>,
) -> Answer {
    if body.max_in_flight == Some(0) {
        mistakes.tell(FieldError::new("/max_in_flight", "expected a number of devices from 1"));
    }
    let reason = checked(body.reason, mistakes)?;
    let command = Command::RollbackAll { respect_windows: body.respect_windows, max_in_flight: body.max_in_flight };
    run(state, id, command, reason).await
}

/// A person says yes
///
/// From `awaiting_approval`; from `expired` it is asked for anew.
#[utoipa::path(
    post, operation_id = "approveRollout", path = "/api/v1/rollouts/{id}/approve", tag = "rollouts",
    params(("id" = forms::RolloutId, Path, description = "The rollout's id.")),
    request_body(content = Option<Answered>),
    responses(
        (status = 200, description = "It goes on.", body = RolloutBrief),
        (status = 404, description = "There is no such rollout."),
        (status = 409, description = "Its status forbids it, or it is not what was seen."),
    )
)]
async fn approve(
    state: State<AppState>,
    id: RolloutIdPath,
    OptionalBody(body, mistakes): OptionalBody<Answered>,
) -> Answer {
    answer(state, id, Command::Approve, body, mistakes).await
}

/// A person says no, for this digest
///
/// From `awaiting_approval`.
#[utoipa::path(
    post, operation_id = "rejectRollout", path = "/api/v1/rollouts/{id}/reject", tag = "rollouts",
    params(("id" = forms::RolloutId, Path, description = "The rollout's id.")),
    request_body(content = Option<Answered>),
    responses(
        (status = 200, description = "It is rejected.", body = RolloutBrief),
        (status = 404, description = "There is no such rollout."),
        (status = 409, description = "Its status forbids it, or it is not what was seen."),
    )
)]
async fn reject(
    state: State<AppState>,
    id: RolloutIdPath,
    OptionalBody(body, mistakes): OptionalBody<Answered>,
) -> Answer {
    answer(state, id, Command::Reject, body, mistakes).await
}

/// A yes or no, to what was seen.
async fn answer(
    state: State<AppState>,
    id: RolloutIdPath,
    command: Command,
    body: Answered,
    mistakes: Mistakes,
) -> Answer {
    let (reason, seal) = answered(body, mistakes)?;
    is_for_what_was_seen(&state, &id, seal.as_deref()).await?;
    run(state, id, command, reason).await
}

/// A reason as it is kept, where nothing is wrong with it or anything else.
fn checked(reason: Option<String>, mut mistakes: Mistakes) -> Result<Option<String>, Problem> {
    let reason = mistakes.or_tell(reason_of(reason)).flatten();
    mistakes.finish().map(|()| reason)
}

/// The reason and the seal of an answer.
fn answered(body: Answered, mut mistakes: Mistakes) -> Result<(Option<String>, Option<String>), Problem> {
    if body.seal.as_deref().is_some_and(|seal| seal.chars().count() > SEAL_MAX) {
        mistakes.tell(FieldError::new("/seal", format!("expected at most {SEAL_MAX} characters")));
    }
    Ok((checked(body.reason, mistakes)?, body.seal))
}

/// Refuses an answer that is for something else than the rollout as it stands. What a waiting rollout brings, and to whom,
/// is frozen: nothing can change between this look and the command but its status.
async fn is_for_what_was_seen(
    state: &AppState,
    RolloutIdPath(id): &RolloutIdPath,
    seal: Option<&str>,
) -> Result<(), Problem> {
    let view = tidegate_engine::rollouts::view(&*state.ports.store, id, state.now()).await?;
    let view = view.ok_or_else(|| Problem::missing("rollout"))?;
    bound(&view.rollout, &view.plan.policy, view.pushed_at, seal).map_err(|error| {
        let fields = vec![FieldError::new("/seal", &error)];
        match error {
            NotBound::Needed => Problem::conflict("seal_needed", error.to_string()).about(fields),
            NotBound::Changed => Problem::conflict("changed", error.to_string()).about(fields),
        }
    })
}

async fn run(
    State(state): State<AppState>,
    RolloutIdPath(id): RolloutIdPath,
    command: Command,
    reason: Option<String>,
) -> Answer {
    let now = state.now();
    match carry_out(&state.ports, &id, &command, reason.as_deref(), now).await? {
        Commanded::Done { changed, .. } => {
            tracing::info!(rollout_id = id.as_str(), command = command.name(), changed, "command");
            shown(&state, &id, changed).await
        }
        Commanded::Refused { status, allowed, because } => Err(refused(&command, status, &allowed, because)),
        Commanded::Newer(newer) => {
            let detail = format!("only the newest rollout of an image can be rolled back; that is {newer}");
            Err(Problem::conflict("not_the_newest", detail))
        }
    }
}

async fn shown(state: &AppState, id: &RolloutId, changed: bool) -> Answer {
    let view = tidegate_engine::rollouts::view(&*state.ports.store, id, state.now()).await?;
    let rollout = view.map(RolloutView::from).ok_or_else(|| Problem::missing("rollout"))?;
    Ok(Json(RolloutBrief { changed, rollout, hint: None }))
}

fn refused(command: &Command, status: Status, allowed: &[Status], because: Option<String>) -> Problem {
    let allowed: Vec<&str> = allowed.iter().map(|status| status.name()).collect();
    let mut detail = format!(
        "{} is not possible in the status {}; it is possible in: {}",
        command.name(),
        status.name(),
        allowed.join(", ")
    );
    if let Some(because) = because {
        detail = format!("{} is not possible: {because} (status {})", command.name(), status.name());
    }
    Problem::conflict("wrong_status", detail)
}

pub(super) fn api<U: Use>() -> Api<U> {
    Api::new()
        .operators(routes!(pause))
        .operators(routes!(resume))
        .operators(routes!(cancel))
        .operators(routes!(rollback_all))
        .operators(routes!(approve))
        .operators(routes!(reject))
}
