//! A person lets a digest in again that was kept out.

use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use tidegate_domain::ids::PolicyId;
use tidegate_domain::image::{self, Repository};
use tidegate_engine::bad_digests::clear;
use tidegate_engine::policies;
use utoipa::{IntoParams, ToSchema};

use super::{Api, Use};
use crate::input::{Params, parameter, reason};
use crate::problem::Problem;
use crate::schemas::forms::Digest;
use crate::state::AppState;

/// Longest name of a policy, in characters.
const POLICY_MAX: usize = 100;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ClearParams {
    /// The repository.
    #[param(value_type = String, example = "docker.io/iotistic/myapp")]
    repository: Repository,
    /// Why it may be rolled out again.
    #[param(value_type = String, min_length = 1, max_length = 500)]
    reason: ReasonText,
    /// Only for this policy, by its name or id; without it, for every policy.
    #[param(value_type = Option<String>, min_length = 1, max_length = 100)]
    policy: Option<PolicyText>,
}

parameter! {
    /// Why it may be rolled out again.
    ReasonText(String), |text| {
        let reason = reason(Some(text)).map_err(|error| error.detail)?;
        reason.ok_or_else(|| "expected why it may be rolled out again, in words".to_owned())
    }
}

parameter! {
    /// A policy's name or id.
    PolicyText(String), |text| {
        if (1..=POLICY_MAX).contains(&text.chars().count()) {
            return Ok(text);
        }
        Err(format!("expected a policy's name or id, of at most {POLICY_MAX} characters"))
    }
}

/// What was cleared.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ClearedDigest)]
struct Cleared {
    /// The digest.
    #[schema(value_type = Digest)]
    digest: String,
    /// The ids of the policies that kept it out.
    policies: Vec<String>,
}

/// Lets a digest in again
///
/// A digest is kept out of a policy after its rollout failed, was rejected or was taken back.
#[utoipa::path(
    delete,
    operation_id = "clearBadDigest",
    path = "/api/v1/images/bad/{digest}",
    tag = "images",
    params(("digest" = Digest, Path, description = "The digest."), ClearParams),
    responses(
        (status = 200, description = "It is let in again.", body = Cleared),
        (status = 404, description = "It is not kept out."),
    )
)]
async fn clear_bad_digest(
    State(state): State<AppState>,
    Path(digest): Path<String>,
    Params(params): Params<ClearParams>,
) -> Result<Json<Cleared>, Problem> {
    let missing = || Problem::missing("digest that is kept out");
    let digest = image::Digest::parse(&digest).map_err(|_| missing())?;
    let reason = params.reason.0;
    let policy = match &params.policy {
        Some(PolicyText(named)) => Some(policy(&state, named).await?),
        None => None,
    };
    let now = state.now();
    let cleared = clear(&state.ports, &params.repository, &digest, policy.as_ref(), &reason, now).await?;
    if cleared.is_empty() {
        return Err(missing());
    }
    let policies = cleared.iter().map(ToString::to_string).collect();
    Ok(Json(Cleared { digest: digest.to_string(), policies }))
}

/// What is no name may be the id of a policy that is gone: its head is still there.
async fn policy(state: &AppState, named: &str) -> Result<PolicyId, Problem> {
    let found = policies::id_of_name(&state.ports, named).await?;
    Ok(found.unwrap_or_else(|| PolicyId::trusted(named)))
}

pub(super) fn api<U: Use>() -> Api<U> {
    Api::new().operators(routes!(clear_bad_digest))
}
