//! The guards: each kind of caller has one, and every route is behind one of them.
//!
//! A guard runs before anything of the request is read but its head (a registry's also reads the raw body, which its
//! proof is over). What it learned goes on as an extension; a handler that asks for it on a route without that guard
//! gets a 500, never a stranger.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tidegate_domain::ids::DeviceUuid;
use tidegate_domain::webhook::{self, Headers, Proof};

use crate::auth::{Caller, DeviceToken, NotThisDevice, bearer};
use crate::problem::Problem;
use crate::state::AppState;

/// The one source of webhooks that is there from the start.
const BUILT_IN_SOURCE: &str = "docker-registry";

/// Largest delivery, in bytes.
const DELIVERY_BYTES: usize = 2 * 1024 * 1024;

/// The path parameters of a request.
type Named = Result<Path<BTreeMap<String, String>>, PathRejection>;

fn named(path: Named) -> BTreeMap<String, String> {
    path.map(|Path(named)| named).unwrap_or_default()
}

/// A device that showed a token that we made for it. Whether it is still its token, its item says.
#[derive(Debug, Clone)]
pub(crate) struct DeviceCaller {
    /// The device, as the path names it.
    pub(crate) device: DeviceUuid,
    /// The token's hash.
    pub(crate) token_hash: String,
}

/// Somebody with a provisioning key.
#[derive(Debug, Clone)]
pub(crate) struct ProvisioningCaller {
    /// The fleets that it may enrol into; `None` is every fleet.
    pub(crate) fleets: Option<BTreeSet<String>>,
}

/// A registry that proved that it knows the webhook secret.
#[derive(Debug, Clone)]
pub(crate) struct RegistryCaller {
    /// The source of the path.
    pub(crate) source: String,
    /// How it was proven.
    pub(crate) proof: Proof,
    /// Its header fields.
    pub(crate) headers: Arc<Headers>,
    /// The raw body.
    pub(crate) body: Bytes,
}

/// Only operators pass.
pub(crate) async fn operator(Extension(state): Extension<AppState>, request: Request, next: Next) -> Response {
    match bearer(request.headers()).and_then(|token| state.access.operators.find(token)) {
        Some(()) => admit(Caller::Operator, (), request, next).await,
        None => Problem::unauthorized().into_response(),
    }
}

/// Only provisioning keys pass.
pub(crate) async fn provisioning(Extension(state): Extension<AppState>, request: Request, next: Next) -> Response {
    match bearer(request.headers()).and_then(|token| state.access.provisioning.find(token)) {
        Some(key) => {
            let caller = ProvisioningCaller { fleets: key.fleets.clone() };
            admit(Caller::Provisioning, caller, request, next).await
        }
        None => Problem::unauthorized().into_response(),
    }
}

/// Only the device that the path names passes.
pub(crate) async fn device(
    Extension(state): Extension<AppState>,
    path: Named,
    request: Request,
    next: Next,
) -> Response {
    let device = named(path).get("uuid").and_then(|text| DeviceUuid::parse(text));
    let Some((device, token)) = device.zip(bearer(request.headers())) else {
        return Problem::unauthorized().into_response();
    };
    match DeviceToken::check(&state.access.signing, device, token) {
        Ok(token) => {
            let caller = DeviceCaller { device, token_hash: token.hash() };
            admit(Caller::Device, caller, request, next).await
        }
        Err(NotThisDevice::MadeUp) => Problem::unauthorized().into_response(),
        Err(NotThisDevice::Another) => Problem::forbidden("this token is another device's").into_response(),
    }
}

/// Only who knows the webhook secret passes. Method, size, authentication over the raw bytes: in this order.
pub(crate) async fn registry(
    Extension(state): Extension<AppState>,
    path: Named,
    request: Request,
    next: Next,
) -> Response {
    let path = named(path);
    let (parts, body) = request.into_parts();
    // A body that breaks off has nobody left to answer, so what fails here is too long.
    let Ok(body) = to_bytes(body, DELIVERY_BYTES).await else {
        return Problem::too_large(DELIVERY_BYTES).into_response();
    };
    let headers = Arc::new(fields(&parts.headers));
    let delivery =
        webhook::Request { headers: &headers, path_token: path.get("token").map(String::as_str), body: &body };
    let proof = state.access.webhooks.as_ref().and_then(|secrets| webhook::authenticate(&delivery, secrets).ok());
    // An unknown source is checked all the same: it must not be told from a wrong secret, not even by the time.
    let source = path.get("source").filter(|source| *source == BUILT_IN_SOURCE);
    let Some((proof, source)) = proof.zip(source) else { return Problem::unauthorized().into_response() };
    let caller = RegistryCaller { source: source.clone(), proof, headers, body };
    admit(Caller::Registry, caller, Request::from_parts(parts, Body::empty()), next).await
}

fn fields(headers: &HeaderMap) -> Headers {
    headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect()
}

/// Everybody passes.
pub(crate) async fn anyone(request: Request, next: Next) -> Response {
    admit(Caller::Anyone, (), request, next).await
}

async fn admit<C>(kind: Caller, caller: C, mut request: Request, next: Next) -> Response
where
    C: Clone + Send + Sync + 'static,
{
    request.extensions_mut().insert(caller);
    let mut response = next.run(request).await;
    // For the log.
    response.extensions_mut().insert(kind);
    response
}

macro_rules! impl_caller_extractor {
    ($($caller:ty),+) => {
        $(impl<S: Send + Sync> FromRequestParts<S> for $caller {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
                parts.extensions.get::<Self>().cloned().ok_or_else(|| {
                    tracing::error!("a route asks for a caller that its guard does not recognise");
                    Problem::of_status(StatusCode::INTERNAL_SERVER_ERROR)
                })
            }
        })+
    };
}

impl_caller_extractor!(DeviceCaller, ProvisioningCaller, RegistryCaller);
