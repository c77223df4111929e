//! One log line for each request (of polls, for one in many): the route, never the path, for a path can hold a secret.

use std::sync::atomic::{AtomicU32, Ordering};

use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;

use super::request_id::RequestId;
use crate::auth::Caller;
use crate::state::AppState;

/// Polls are what a fleet mostly does, and each is like the one before: of those that went well, one in so many is logged
/// at `info`, the others at `debug`.
const ONE_IN: u32 = 1000;
static POLLS: AtomicU32 = AtomicU32::new(0);

/// Logs the request once it is answered.
pub(super) async fn log(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let started = state.now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let id = request.extensions().get::<RequestId>().cloned();
    let response = next.run(request).await;
    let status = response.status();
    let caller = response.extensions().get::<Caller>().copied();
    macro_rules! log {
        ($level:ident $(, $more:ident = $value:expr)?) => {
            tracing::$level!(
                route = route.as_ref().map_or("none", MatchedPath::as_str),
                method = %method,
                status = status.as_u16(),
                duration_ms = state.now().duration_since(started).as_millis() as i64,
                caller = caller.map_or("unknown", Caller::name),
                request_id = id.as_ref().and_then(|id| id.0.to_str().ok()).unwrap_or_default(),
                $($more = $value,)?
                "request"
            )
        };
    }
    let polled = method == Method::GET && caller == Some(Caller::Device);
    if !polled || status.is_client_error() || status.is_server_error() {
        log!(info);
    } else if POLLS.fetch_add(1, Ordering::Relaxed).is_multiple_of(ONE_IN) {
        log!(info, one_in = ONE_IN);
    } else {
        log!(debug);
    }
    response
}
