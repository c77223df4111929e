//! Policies: read and written by operators, nobody overwriting what they have not read.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri, header};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidegate_domain::fields::FieldError;
use tidegate_domain::ids::PolicyId;
use tidegate_domain::policy::{Origin, WrittenPolicy};
use tidegate_engine::policies::{self, PolicyError, Sheet, Wanted};
use tidegate_engine::queries::Listed;
use tidegate_engine::settings::Settings;
use utoipa::{IntoParams, ToSchema};

use super::{Api, Use};
use crate::input::{Cursor, Flag, Limit, Mistakes, OperatorBody, Params, PolicyIdPath, SetBody};
use crate::problem::Problem;
use crate::schemas::forms::EntityTag;
use crate::schemas::words::PolicyOrigin;
use crate::state::AppState;
use crate::views::{AppliedView, Page, PolicyAnswer, PolicyBody, PolicyPage, RemovalView, position};

/// A policy with its ETag.
type Answer = ([(HeaderName, String); 1], Json<PolicyAnswer>);

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListParams {
    /// How many items the page has at most: 1 to 1000, by default 100.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000, default = 100)]
    limit: Limit,
    /// Where the page begins: a `next_cursor`.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct WriteParams {
    /// Where the policy comes from: `file` (policies.yaml) or `api`, the default.
    #[param(value_type = Option<PolicyOrigin>)]
    origin: Option<Origin>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DeleteParams {
    /// `true`: only say which rollouts it would touch.
    #[serde(default)]
    #[param(value_type = Option<bool>)]
    dry_run: Flag,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ApplyParams {
    /// `true`: only say what would be done.
    #[serde(default)]
    #[param(value_type = Option<bool>)]
    dry_run: Flag,
    /// `true`: policies that came from a file and are not in the set are removed.
    #[serde(default)]
    #[param(value_type = Option<bool>)]
    prune: Flag,
    /// `true`: more than 49 policies may change, in several transactions, one after another.
    #[serde(default)]
    #[param(value_type = Option<bool>)]
    in_parts: Flag,
    /// The `plan` of a dry run: only if exactly that would be done.
    plan: Option<String>,
}

/// Policies, each as an operator writes it.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only its description: the domain reads them, to tell all mistakes at once")]
struct PolicySet {
    /// The policies; names are unique.
    policies: Vec<PolicyBody>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SetOfBodies {
    policies: Vec<Value>,
}

/// Behind this policy.
#[derive(Debug, Serialize, Deserialize)]
struct PoliciesCursor {
    after: String,
}

/// Policies, by name
///
/// Each under the fields that it is written with; a page can be read, changed and sent back policy by policy.
#[utoipa::path(
    get,
    operation_id = "listPolicies",
    path = "/api/v1/image-policies",
    tag = "policies",
    params(ListParams),
    responses((status = 200, description = "A page of policies.", body = PolicyPage))
)]
async fn list(
    State(state): State<AppState>,
    uri: Uri,
    Params(params): Params<ListParams>,
) -> Result<Json<PolicyPage>, Problem> {
    let key = &state.access.signing;
    let (scope, after) = position::<PoliciesCursor>(key, &uri, &(), params.cursor)?;
    let mut items = policies::list(&state.ports).await?;
    items.retain(|policy| after.as_ref().is_none_or(|cursor| policy.name > cursor.after));
    let more = items.len() > params.limit.0 as usize;
    items.truncate(params.limit.0 as usize);
    let next = items.last().filter(|_| more).map(|last| PoliciesCursor { after: last.name.clone() });
    let defaults = &state.settings.policy_defaults;
    Ok(Json(Page::new(Listed { items, next }, (key, &scope), |policy| PolicyAnswer::new(&policy, defaults))))
}

/// One policy
///
/// Its `ETag` is for `If-Match`, so that nobody overwrites what they have not read.
#[utoipa::path(
    get,
    operation_id = "getPolicy",
    path = "/api/v1/image-policies/{id}",
    tag = "policies",
    params(("id" = String, Path, description = "The policy's id.", max_length = 64, pattern = "^[A-Za-z0-9._-]+$")),
    responses(
        (status = 200, description = "The policy.", body = PolicyAnswer, headers(("ETag" = String, description = "Its revision; for `If-Match`."))),
        (status = 404, description = "There is none."),
    )
)]
async fn get(State(state): State<AppState>, PolicyIdPath(id): PolicyIdPath) -> Result<Answer, Problem> {
    Ok(answer(&state, &policies::get(&state.ports, &id).await?))
}

/// A new policy
///
/// A body has every mistake told at once, each by its field.
#[utoipa::path(
    post,
    operation_id = "createPolicy",
    path = "/api/v1/image-policies",
    tag = "policies",
    params(WriteParams),
    request_body = PolicyBody,
    responses(
        (status = 201, description = "Stored.", body = PolicyAnswer, headers(
            ("ETag" = String, description = "Its revision; for `If-Match`."),
            ("Location" = String, description = "Where it is, relative to the collection's parent."),
        )),
        (status = 409, description = "Another policy has the name."),
        (status = 422, description = "Fields are wrong."),
    )
)]
async fn create(
    State(state): State<AppState>,
    Params(params): Params<WriteParams>,
    OperatorBody(body, mistakes): OperatorBody<Value>,
) -> Result<(StatusCode, [(HeaderName, String); 2], Json<PolicyAnswer>), Problem> {
    let origin = params.origin.unwrap_or(Origin::Api);
    policy_mistakes(&state, mistakes, |settings| policies::mistakes(settings, &body, None, state.now()))?;
    let policy = policies::create(&state.ports, &state.settings, &body, origin, state.now()).await?;
    let headers = [(header::LOCATION, format!("image-policies/{}", policy.id)), (header::ETAG, etag(&policy))];
    let answer = PolicyAnswer::new(&policy, &state.settings.policy_defaults);
    Ok((StatusCode::CREATED, headers, Json(answer)))
}

/// Replaces a policy
///
/// With `If-Match` only where its revision is still that one (412 otherwise). What changes nothing is not stored.
#[utoipa::path(
    put,
    operation_id = "replacePolicy",
    path = "/api/v1/image-policies/{id}",
    tag = "policies",
    params(
        ("id" = String, Path, description = "The policy's id.", max_length = 64, pattern = "^[A-Za-z0-9._-]+$"),
        ("If-Match" = Option<EntityTag>, Header, description = "The ETag of the revision that was read."),
        WriteParams,
    ),
    request_body = PolicyBody,
    responses(
        (status = 200, description = "Stored.", body = PolicyAnswer, headers(("ETag" = String, description = "Its revision; for `If-Match`."))),
        (status = 404, description = "There is none."),
        (status = 409, description = "Another policy has the name."),
        (status = 412, description = "It is at another revision."),
        (status = 422, description = "Fields are wrong."),
    )
)]
async fn replace(
    State(state): State<AppState>,
    PolicyIdPath(id): PolicyIdPath,
    headers: HeaderMap,
    Params(params): Params<WriteParams>,
    OperatorBody(body, mistakes): OperatorBody<Value>,
) -> Result<Answer, Problem> {
    let wanted = wanted(id, &headers)?;
    let origin = params.origin.unwrap_or(Origin::Api);
    policy_mistakes(&state, mistakes, |settings| policies::mistakes(settings, &body, Some(&wanted.id), state.now()))?;
    let policy = policies::replace(&state.ports, &state.settings, &wanted, &body, origin, state.now()).await?;
    Ok(answer(&state, &policy))
}

/// Removes a policy
///
/// Its rollouts that are under way go on by the copy that they have; the answer names them, and with `dry_run` it says
/// so before. The name keeps the policy's id: created again under that name, it is the same policy, with all that is
/// known of its images.
#[utoipa::path(
    delete,
    operation_id = "deletePolicy",
    path = "/api/v1/image-policies/{id}",
    tag = "policies",
    params(
        ("id" = String, Path, description = "The policy's id.", max_length = 64, pattern = "^[A-Za-z0-9._-]+$"),
        ("If-Match" = Option<EntityTag>, Header, description = "The ETag of the revision that was read."),
        DeleteParams,
    ),
    responses(
        (status = 200, description = "Removed, or with `dry_run` what would be touched.", body = RemovalView),
        (status = 404, description = "There is none."),
        (status = 412, description = "It is at another revision."),
    )
)]
async fn delete(
    State(state): State<AppState>,
    PolicyIdPath(id): PolicyIdPath,
    headers: HeaderMap,
    Params(params): Params<DeleteParams>,
) -> Result<Json<RemovalView>, Problem> {
    let wanted = wanted(id, &headers)?;
    let removal = if params.dry_run.0 {
        policies::look_before_delete(&state.ports, &wanted).await?
    } else {
        policies::delete(&state.ports, &wanted, state.now()).await?
    };
    Ok(Json(RemovalView::new(removal, params.dry_run.0)))
}

/// A set of policies
///
/// All are checked first, and then change together: in one transaction with one event, or not at all. Every mistake of
/// every policy is told, by its place in the set. A policy is known by its name; what is stored under no name of the set is
/// left alone, unless it came from a file and `prune` is asked for.
#[utoipa::path(
    post,
    operation_id = "applyPolicies",
    path = "/api/v1/image-policies/apply",
    tag = "policies",
    params(ApplyParams),
    request_body = PolicySet,
    responses(
        (status = 200, description = "Applied, or with `dry_run` what would be done.", body = AppliedView),
        (status = 409, description = "More policies would change than can at once (`too_many_changes`), or others than `plan` names (`plan_moved`)."),
        (status = 422, description = "Fields are wrong; nothing was applied."),
    )
)]
async fn apply(
    State(state): State<AppState>,
    Params(params): Params<ApplyParams>,
    SetBody(body, mistakes): SetBody<SetOfBodies>,
) -> Result<Json<AppliedView>, Problem> {
    policy_mistakes(&state, mistakes, |settings| policies::mistakes_of_all(settings, &body.policies, state.now()))?;
    let (prune, in_parts) = (params.prune.0, params.in_parts.0);
    let sheet = Sheet { policies: body.policies, prune, in_parts, plan: params.plan };
    let (ports, settings) = (&state.ports, &state.settings);
    let applied = if params.dry_run.0 {
        policies::look_before_apply(ports, settings, &sheet, state.now()).await?
    } else {
        policies::apply(ports, settings, &sheet, state.now()).await?
    };
    Ok(Json(applied.into()))
}

/// Where the body itself has mistakes: these, and what else is wrong with what it says.
fn policy_mistakes(
    state: &AppState,
    mut mistakes: Mistakes,
    others: impl FnOnce(&Settings) -> Vec<FieldError>,
) -> Result<(), Problem> {
    if !mistakes.are_none() {
        mistakes.tell_all(others(&state.settings));
    }
    mistakes.finish()
}

fn etag(policy: &WrittenPolicy) -> String {
    format!("\"{}\"", policy.revision)
}

fn answer(state: &AppState, policy: &WrittenPolicy) -> Answer {
    ([(header::ETAG, etag(policy))], Json(PolicyAnswer::new(policy, &state.settings.policy_defaults)))
}

/// The revision of `If-Match`, if there is one. What is no ETag of ours matches no revision.
fn wanted(id: PolicyId, headers: &HeaderMap) -> Result<Wanted, Problem> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(Wanted { id, revision: None }) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(Wanted { id, revision: None });
    }
    let revision = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).and_then(|text| text.parse().ok());
    match revision {
        Some(revision) => Ok(Wanted { id, revision: Some(revision) }),
        None => Err(outdated("If-Match is none of this policy's ETags".to_owned())),
    }
}

fn outdated(detail: String) -> Problem {
    Problem::new(StatusCode::PRECONDITION_FAILED, "outdated", detail)
}

impl From<PolicyError> for Problem {
    fn from(error: PolicyError) -> Self {
        match error {
            PolicyError::Invalid(errors) => Self::invalid(errors),
            PolicyError::NameTaken(_) => Self::conflict("name_taken", error.to_string()),
            PolicyError::Outdated { .. } => outdated(error.to_string()),
            PolicyError::NotFound => Self::missing("policy"),
            PolicyError::TooMany { .. } => Self::conflict("too_many_changes", error.to_string()),
            PolicyError::Moved { .. } => Self::conflict("plan_moved", error.to_string()),
            PolicyError::Engine(error) => error.into(),
        }
    }
}

pub(super) fn api<U: Use>() -> Api<U> {
    Api::new().operators(routes!(list, create)).operators(routes!(get, replace, delete)).operators(routes!(apply))
}
