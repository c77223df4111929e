//! Whether we are there, and what we can do: for everybody.

use axum::Json;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Api, Use};
use crate::schemas::forms::OpenApiDocument;

/// We are there.
#[derive(Debug, Serialize, ToSchema)]
struct Health {
    /// `ok`.
    status: &'static str,
}

/// Whether we are there
///
/// It reads nothing and tells nothing else.
#[utoipa::path(get, operation_id = "getHealth", path = "/api/v1/health", tag = "system", responses((status = 200, description = "We are.", body = Health)))]
async fn health() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// This document
///
/// As of the running version; it is the same for every caller.
#[utoipa::path(
    get,
    operation_id = "getOpenApiDocument",
    path = "/api/v1/openapi.json",
    tag = "system",
    responses((status = 200, description = "The OpenAPI document of every route.", body = OpenApiDocument))
)]
async fn document() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT).into_response()
}

/// A test holds it to the routes. To make it takes a tenth of a program.
const DOCUMENT: &str = include_str!("../../../../docs/openapi.json");

pub(super) fn api<U: Use>() -> Api<U> {
    Api::new().anyone(routes!(health)).anyone(routes!(document))
}
