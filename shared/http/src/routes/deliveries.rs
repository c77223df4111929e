//! What registries told, looked at again.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use tidegate_domain::fields::FieldError;
use tidegate_engine::webhook::{Replay, replay};
use utoipa::ToSchema;

use super::{Api, Use};
use crate::input::{OperatorBody, reason};
use crate::problem::Problem;
use crate::state::AppState;
use crate::views::WebhookAnswer;

/// Longest id of a delivery and longest name of a source, in characters: both are parts of a key.
const ID_MAX: usize = 600;
const SOURCE_MAX: usize = 64;

/// Which delivery, and how.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReplayBody {
    /// The `delivery_id` of the answer or of an event or, of one entry of several, its `replay`.
    #[schema(
        example = "distribution/event/0197a1c2-7c1e-7b7e-9d5e-3d0f4c1a2b3c",
        min_length = 1,
        max_length = 600,
        pattern = "^[!-~]+$"
    )]
    delivery_id: String,
    /// Where it came from.
    #[serde(default = "docker_registry")]
    #[schema(example = "docker-registry", min_length = 1, max_length = 64, pattern = "^[!-~]+$")]
    source: String,
    /// Roll it out although the policy was told of something newer.
    #[serde(default)]
    force: bool,
    /// Why.
    #[schema(max_length = 500)]
    reason: Option<String>,
}

fn docker_registry() -> String {
    "docker-registry".to_owned()
}

/// Looks at a delivery again, as if it came now
///
/// What a registry told is kept for 8 days. A `stale` one is rolled out with `force`; one that was `overtaken`, or that
/// nothing came of, such as `no_policy`, may have an effect by now.
#[utoipa::path(
    post,
    operation_id = "replayDelivery",
    path = "/api/v1/deliveries/replay",
    tag = "webhooks",
    request_body = ReplayBody,
    responses(
        (status = 202, description = "What became of it now.", body = WebhookAnswer),
        (status = 404, description = "No push is kept under this id."),
    )
)]
async fn replay_delivery(
    State(state): State<AppState>,
    OperatorBody(body, mut mistakes): OperatorBody<ReplayBody>,
) -> Result<(StatusCode, Json<WebhookAnswer>), Problem> {
    for (pointer, text, most) in [("/delivery_id", &body.delivery_id, ID_MAX), ("/source", &body.source, SOURCE_MAX)] {
        if !(1..=most).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            let detail = format!("expected 1 to {most} letters, digits and signs, no spaces");
            mistakes.tell(FieldError::new(pointer, detail));
        }
    }
    let reason = mistakes.or_tell(reason(body.reason)).flatten();
    mistakes.finish()?;
    let asked =
        Replay { source: &body.source, delivery_id: &body.delivery_id, force: body.force, reason: reason.as_deref() };
    let replayed = replay(&state.ports, &state.settings, &asked, state.now()).await?;
    let ingested = replayed.ok_or_else(|| Problem::missing("delivery of a push"))?;
    tracing::info!(
        source = body.source,
        delivery_id = body.delivery_id,
        force = body.force,
        entries = ingested.deliveries.len(),
        "delivery replayed"
    );
    Ok((StatusCode::ACCEPTED, Json(ingested.into())))
}

pub(super) fn api<U: Use>() -> Api<U> {
    Api::new().operators(routes!(replay_delivery))
}
