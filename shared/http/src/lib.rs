//! The HTTP contract: routes, callers, problems and the OpenAPI document, over the engine's use cases. No AWS: a
//! router runs in a Lambda function and in any process alike.
//!
//! Where to look: [`auth`] decides who may call, `routes` has a file for each route or small group, and there is no
//! way to declare a route without its caller.

pub mod auth;
mod cursor;
mod input;
mod layers;
pub mod openapi;
pub mod problem;
mod routes;
mod state;
mod views;

use axum::Router;

pub use openapi::openapi;
pub use state::{AppState, Clock};

use crate::routes::Api;

/// The routes of the function `webhooks`.
pub fn webhooks(state: AppState) -> Router {
    hosted([routes::webhooks()], state)
}

/// The routes of the function `policies`.
pub fn policies(state: AppState) -> Router {
    hosted([routes::policies()], state)
}

/// The routes of the function `rollouts`, and the answer to every unknown path.
pub fn rollouts(state: AppState) -> Router {
    hosted([routes::rollouts()], state)
}

/// The routes of the function `device-state`.
pub fn devices(state: AppState) -> Router {
    hosted([routes::devices()], state)
}

/// All routes, for one process.
pub fn all(state: AppState) -> Router {
    hosted([routes::webhooks(), routes::policies(), routes::rollouts(), routes::devices()], state)
}

fn hosted<const N: usize>(apis: [Api; N], state: AppState) -> Router {
    let routes = apis.into_iter().fold(Router::new(), |routes, api| routes.merge(api.split().0));
    layers::around(routes, state)
}
