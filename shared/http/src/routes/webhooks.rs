//! Registries tell of pushes.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use tidegate_domain::webhook::{self, Refusal};

use super::{Api, Use};
use crate::guard::RegistryCaller;
use crate::problem::Problem;
use crate::schemas::forms::RegistryDelivery;
use crate::state::AppState;
use crate::views::WebhookAnswer;

/// A registry tells of a push, with its proof in the headers
///
/// The body is the registry's own; which registry it is, is detected. The proof is the webhook secret as bearer token
/// or whole `Authorization` value, or an HMAC-SHA256 over the body in the registry's own header.
#[utoipa::path(
    post,
    operation_id = "deliverWebhook",
    path = "/api/v1/webhooks/{source}",
    tag = "webhooks",
    params(("source" = String, Path, description = "`docker-registry`.", example = "docker-registry")),
    request_body(content = RegistryDelivery, description = "The registry's own JSON, at most 2 MiB.", content_type = "application/json"),
    responses(
        (status = 202, description = "Taken: what became of each image.", body = WebhookAnswer),
        (status = 400, description = "The body is not JSON."),
        (status = 413, description = "The body is too large."),
        (status = 415, description = "The content type is not JSON."),
    )
)]
async fn deliver(state: State<AppState>, caller: RegistryCaller) -> Result<(StatusCode, Json<WebhookAnswer>), Problem> {
    ingest(state, caller).await
}

/// A registry that cannot sign tells of a push, with the webhook secret as the last part of the path
///
/// For Docker Hub. Otherwise as with the proof in the headers; access logs do not have the path.
#[utoipa::path(
    post,
    operation_id = "deliverWebhookByPath",
    path = "/api/v1/webhooks/{source}/{token}",
    tag = "webhooks",
    params(
        ("source" = String, Path, description = "`docker-registry`.", example = "docker-registry"),
        ("token" = String, Path, description = "The webhook secret."),
    ),
    request_body(content = RegistryDelivery, description = "The registry's own JSON, at most 2 MiB.", content_type = "application/json"),
    responses(
        (status = 202, description = "Taken: what became of each image.", body = WebhookAnswer),
        (status = 400, description = "The body is not JSON."),
        (status = 413, description = "The body is too large."),
        (status = 415, description = "The content type is not JSON."),
    )
)]
async fn deliver_by_path(
    state: State<AppState>,
    caller: RegistryCaller,
) -> Result<(StatusCode, Json<WebhookAnswer>), Problem> {
    ingest(state, caller).await
}

async fn ingest(
    State(state): State<AppState>,
    caller: RegistryCaller,
) -> Result<(StatusCode, Json<WebhookAnswer>), Problem> {
    let request = webhook::Request { headers: &caller.headers, path_token: None, body: &caller.body };
    let delivery = webhook::read(&request, None).map_err(|refusal| match refusal {
        Refusal::UnsupportedMediaType => {
            Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", refusal.to_string())
        }
        Refusal::NotJson { .. } => Problem::bad_request(refusal.to_string()),
    })?;
    let ingested =
        tidegate_engine::webhook::ingest(&state.ports, &state.settings, &caller.source, &delivery, state.now()).await?;
    let count = |status: &str| ingested.deliveries.iter().filter(|told| told.status == status).count();
    tracing::info!(
        source = caller.source,
        kind = delivery.kind.as_str(),
        proof = caller.proof.as_str(),
        delivery_id = ingested.delivery_id,
        entries = ingested.deliveries.len(),
        created = count("rollout_created") + count("superseding") + count("queued"),
        ignored = count("ignored"),
        "delivery taken"
    );
    Ok((StatusCode::ACCEPTED, Json(ingested.into())))
}

pub(super) fn api<U: Use>() -> Api<U> {
    Api::new().registries(routes!(deliver)).registries(routes!(deliver_by_path))
}
