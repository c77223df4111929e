//! One log line for each request: the route, never the path, for a path can hold a secret.

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;

use super::request_id::RequestId;
use crate::auth::Caller;
use crate::state::AppState;

/// Logs the request once it is answered.
pub(super) async fn log(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let started = state.now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let id = request.extensions().get::<RequestId>().cloned();
    let response = next.run(request).await;
    tracing::info!(
        route = route.as_ref().map_or("none", MatchedPath::as_str),
        method = %method,
        status = response.status().as_u16(),
        duration_ms = state.now().duration_since(started).as_millis() as i64,
        caller = response.extensions().get::<Caller>().map_or("unknown", |caller| caller.name()),
        request_id = id.as_ref().and_then(|id| id.0.to_str().ok()).unwrap_or_default(),
        "request"
    );
    response
}
