//! What every request goes through, whichever route it is for.

mod access_log;
mod plain_errors;
mod request_id;
mod stage;

use axum::Router;
use axum::extract::Extension;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::IntoResponse;

use crate::problem::Problem;
use crate::state::AppState;

/// Puts the layers around routes, with a problem for every path that is none of theirs.
pub(crate) fn around(routes: Router<AppState>, state: AppState) -> Router {
    let routes = routes
        .fallback(|| async { Problem::of_status(StatusCode::NOT_FOUND).into_response() })
        .layer(from_fn(plain_errors::to_problems))
        .layer(from_fn_with_state(state.clone(), access_log::log))
        .layer(from_fn_with_state(state.clone(), request_id::identify))
        .layer(Extension(state.clone()))
        .with_state(state);
    stage::stripped(routes)
}
