//! A person triggers an update.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Deserialize;
use tidegate_domain::device_tag;
use tidegate_domain::fields::FieldError;
use tidegate_domain::image::ImageRef;
use tidegate_domain::policy::{Safeguard, Strategy, Wish};
use tidegate_engine::trigger::{PassedOver, Retry, TriggerError, TriggerRequest, dry_run, trigger};
use utoipa::{IntoParams, ToSchema};

use super::{Api, Use};
use crate::input::{Mistakes, OperatorBody, Params, reason as reason_of};
use crate::problem::Problem;
use crate::schemas::forms::TagFilter;
use crate::schemas::words;
use crate::state::AppState;
use crate::views::{DryRunView, TriggerAnswer};

/// What is to be rolled out, to whom.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "image": "docker.io/iotistic/app:v2.0.1", "strategy": "staged", "filters": {"fleet_id": "production"},
}))]
struct TriggerBody {
    /// The image, with a tag or a digest.
    #[schema(example = "docker.io/iotistic/myapp:v2.0.1")]
    image: String,
    /// Another strategy than the policies'.
    #[schema(value_type = Option<words::Strategy>)]
    strategy: Option<Strategy>,
    /// The earliest start, later than the policies' own.
    #[schema(format = DateTime, example = "2026-12-01T20:00:00Z")]
    not_before: Option<String>,
    /// Which safeguards of the policies may be passed over. A trigger that would pass over one that is not said here is
    /// refused.
    #[serde(default, rename = "override")]
    overriding: Overriding,
    /// Why. Needed where something may be passed over.
    #[schema(max_length = 500)]
    reason: Option<String>,
    /// Although the digest is kept out or proven: `failed` devices of the last rollout, or `all`.
    retry: Option<RetryWord>,
    /// Which devices; without it, all that run the image's repository.
    #[serde(default)]
    filters: Filters,
}

/// Safeguards that may be passed over. What is said is passed over, also where no strategy is asked for.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[schema(as = TriggerOverride)]
#[serde(deny_unknown_fields)]
struct Overriding {
    /// Nobody is asked for a yes.
    #[serde(default)]
    approval: bool,
    /// All devices at once.
    #[serde(default)]
    batches: bool,
    /// Also outside the maintenance windows.
    #[serde(default)]
    window: bool,
}

impl Overriding {
    fn safeguards(self) -> BTreeSet<Safeguard> {
        let said = |safeguard: &Safeguard| match safeguard {
            Safeguard::Approval => self.approval,
            Safeguard::Batches => self.batches,
            Safeguard::Window => self.window,
        };
        Safeguard::ALL.into_iter().filter(said).collect()
    }
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TriggerRetry)]
enum RetryWord {
    Failed,
    All,
}

/// Which devices.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TriggerFilters)]
struct Filters {
    /// Of this fleet.
    fleet_id: Option<String>,
    /// With all of these tags, each as `key=value` or `key:value`.
    #[serde(default)]
    #[schema(value_type = Vec<TagFilter>)]
    device_tags: Vec<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct TriggerParams {
    /// `true`: only say what would happen.
    #[param(value_type = Option<bool>)]
    dry_run: Option<Truth>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Truth {
    True,
    False,
}

/// Rolls an image out by hand
///
/// The devices are split by the policies that have them, one rollout each; `default` where no policy has them. It may be
/// stricter than a policy as it likes; to be laxer, `override` must say by what, with a reason. A dry run tells what would
/// be passed over.
#[utoipa::path(
    post,
    operation_id = "triggerUpdate",
    path = "/api/v1/images/trigger-update",
    tag = "images",
    params(TriggerParams),
    request_body = TriggerBody,
    responses(
        (status = 200, description = "With `dry_run`: what would happen.", body = DryRunView),
        (status = 202, description = "The rollouts.", body = TriggerAnswer),
        (status = 409, description = "A safeguard would be passed over that `override` does not name, the digest is kept out, or no device is concerned."),
        (status = 422, description = "Fields are wrong, or the registry is not allowed."),
    )
)]
async fn trigger_update(
    State(state): State<AppState>,
    Params(params): Params<TriggerParams>,
    OperatorBody(body, mistakes): OperatorBody<TriggerBody>,
) -> Result<Response, Problem> {
    let request = checked(&state, body, mistakes)?;
    let now = state.now();
    if params.dry_run == Some(Truth::True) {
        let run = dry_run(&state.ports, &state.settings, &request, now).await?;
        return Ok(Json(DryRunView::from(run)).into_response());
    }
    let triggered = trigger(&state.ports, &state.settings, &request, now).await?;
    tracing::info!(image = %request.image, rollouts = triggered.len(), "triggered");
    Ok((StatusCode::ACCEPTED, Json(TriggerAnswer::from(triggered))).into_response())
}

fn start(text: Option<&str>) -> Result<Option<Timestamp>, FieldError> {
    let parsed = text.map(str::parse).transpose();
    parsed.map_err(|_| FieldError::new("/not_before", "expected a time with its offset, such as 2026-12-01T20:00:00Z"))
}

fn checked(state: &AppState, body: TriggerBody, mut mistakes: Mistakes) -> Result<TriggerRequest, Problem> {
    let image = ImageRef::parse_chosen(&body.image).map_err(|error| FieldError::new("/image", error));
    let image = mistakes.or_tell(image.and_then(|image| {
        let allowed = state.settings.allowed_registries.allows(&image.repository);
        allowed.map(|()| image).map_err(|error| FieldError::new("/image", error))
    }));
    let reason = mistakes.or_tell(reason_of(body.reason)).flatten();
    let not_before = mistakes.or_tell(start(body.not_before.as_deref())).flatten();
    let wish = Wish { strategy: body.strategy, not_before, without: body.overriding.safeguards() };
    mistakes.tell_all(wish.check().err());
    if !wish.without.is_empty() && reason.is_none() && !mistakes.has("/reason") {
        mistakes.tell(FieldError::new("/reason", "expected why this may be passed over, in words"));
    }
    let mut device_tags = BTreeMap::new();
    for (i, tag) in body.filters.device_tags.iter().enumerate() {
        let tag = device_tag::parse(tag).map_err(|error| FieldError::new(format!("/filters/device_tags/{i}"), error));
        device_tags.extend(mistakes.or_tell(tag));
    }
    mistakes.finish()?;
    Ok(TriggerRequest {
        image: image.ok_or_else(|| Problem::bad_request("the image cannot be read"))?,
        wish,
        reason,
        retry: body.retry.map(|word| match word {
            RetryWord::Failed => Retry::Failed,
            RetryWord::All => Retry::All,
        }),
        fleet_id: body.filters.fleet_id,
        device_tags,
    })
}

/// What must be said for a policy's safeguards.
fn unsaid_fields(of: &PassedOver) -> impl Iterator<Item = FieldError> + '_ {
    of.unsaid.iter().map(|safeguard| {
        let what = match safeguard {
            Safeguard::Approval => "wants an approval",
            Safeguard::Batches => "wants batches",
            Safeguard::Window => "wants its maintenance windows kept",
        };
        FieldError::new(format!("/override/{safeguard}"), format!("the policy {} {what}", of.policy))
    })
}

impl From<TriggerError> for Problem {
    fn from(error: TriggerError) -> Self {
        match error {
            TriggerError::Field(field) => {
                // A policy calls it by its own name.
                let pointer = if field.pointer == "/update_strategy" { "/strategy".to_owned() } else { field.pointer };
                Self::invalid(vec![FieldError::new(pointer, field.detail)])
            }
            TriggerError::Unsaid(ref all) => {
                let fields = all.iter().flat_map(unsaid_fields).collect();
                Self::conflict("override_needed", error.to_string()).about(fields)
            }
            TriggerError::Nobody(_) => Self::conflict("no_devices", error.to_string()),
            TriggerError::Bad(_) => Self::conflict("bad_digest", error.to_string()),
            TriggerError::Engine(error) => error.into(),
        }
    }
}

pub(super) fn api<U: Use>() -> Api<U> {
    Api::new().operators(routes!(trigger_update))
}
