//! How a function answers HTTP: its configuration becomes the routes' state, its gateway's events become requests.

mod access;

use std::sync::Arc;

use axum::Router;
use axum::http::HeaderValue;
use lambda_http::request::RequestContext;
use lambda_http::{Error, Request};
use tidegate_aws::bootstrap;
pub use tidegate_aws::wiring::Wiring;
use tidegate_engine::settings::Settings;
use tidegate_http::AppState;
use tower::ServiceExt;

pub use access::AccessError;

/// The header that carries a request's id.
const REQUEST_ID: &str = "x-request-id";

/// Starts the function of this process's environment, with the ports that it uses beside the store.
pub fn start(wiring: Wiring) -> Result<AppState, Error> {
    let started = bootstrap::start(wiring)?;
    let settings = Settings::new(started.config.policy, started.config.pace);
    let access = access::access(&started.config.access)?;
    Ok(AppState::new(started.ports, settings, access, Arc::new(bootstrap::now)))
}

/// Answers requests of an HTTP API and of a function URL, for as long as the function lives.
pub async fn serve(routes: Router) -> Result<(), Error> {
    lambda_http::run(routes.map_request(with_the_gateways_id)).await
}

/// A request that has no id gets the gateway's, so that its access log and ours tell of the same request.
pub fn with_the_gateways_id(mut request: Request) -> Request {
    let id = match request.extensions().get::<RequestContext>() {
        Some(RequestContext::ApiGatewayV2(context)) => context.request_id.clone(),
        _ => None,
    };
    if let Some(id) = id.and_then(|id| HeaderValue::from_str(&id).ok()) {
        request.headers_mut().entry(REQUEST_ID).or_insert(id);
    }
    request
}
