//! The HTTP contract: routes, callers, problems and the OpenAPI document, over the engine's use cases. No AWS: a
//! router runs in a Lambda function and in any process alike.
//!
//! Where to look: [`auth`] decides who may call, `routes` has a file for each route or small group, and there is no
//! way to declare a route without its caller.

pub mod auth;
mod cursor;
mod guard;
mod input;
mod layers;
pub mod openapi;
pub mod problem;
mod routes;
mod schemas;
mod state;
mod views;

use axum::Router;
use axum::response::{IntoResponse, Response};

pub use openapi::openapi;
pub use state::{AppState, Clock};

use crate::problem::Problem;
use crate::routes::{Answering, Api};

/// The routes of the function `webhooks`.
pub fn webhooks(state: AppState) -> Router {
    hosted([routes::webhooks()], state)
}

/// The routes of the function `policies`.
pub fn policies(state: AppState) -> Router {
    hosted([routes::policies()], state)
}

/// The routes of the function `public`, and the answer to every unknown path.
pub fn public(state: AppState) -> Router {
    hosted([routes::public()], state)
}

/// The routes of the function `rollouts`.
pub fn rollouts(state: AppState) -> Router {
    hosted([routes::rollouts()], state)
}

/// The routes of the function `device-state`.
pub fn devices(state: AppState) -> Router {
    hosted([routes::devices()], state)
}

/// All routes, for one process.
pub fn all(state: AppState) -> Router {
    let apis = [routes::webhooks(), routes::policies(), routes::rollouts(), routes::devices(), routes::public()];
    hosted(apis, state)
}

fn hosted<const N: usize>(apis: [Api<Answering>; N], state: AppState) -> Router {
    let routes = apis.into_iter().fold(Router::new(), |routes, api| routes.merge(api.0.0));
    layers::around(routes, state)
}

/// The answer while callers cannot be recognised.
pub fn unavailable() -> Response {
    Problem::unavailable().into_response()
}
