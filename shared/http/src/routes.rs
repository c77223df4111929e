//! The routes, a file each or a small group, and how they are declared: always with the caller that they are for.

mod bad_digests;
mod commands;
mod deliveries;
mod device_state;
mod devices;
mod enrol;
mod events;
mod health;
mod policies;
mod rollouts;
mod trigger;
mod webhooks;

pub(crate) use device_state::UNREAD_REASONS;

use axum::Router;
use axum::http::HeaderName;
use axum::middleware::from_fn;
use axum::routing::MethodRouter;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use crate::auth::{self, Caller};
use crate::openapi::answers::{describe, operations};
use crate::state::AppState;

/// Routes with their description. There is no way to add one without saying who may call it: the same word puts it
/// behind its door and into the document.
pub(crate) struct Api(OpenApiRouter<AppState>);

impl Api {
    fn new() -> Self {
        Self(OpenApiRouter::default())
    }

    fn operators(self, routes: UtoipaMethodRouter<AppState>) -> Self {
        self.behind(Caller::Operator, routes, |routes| routes.route_layer(from_fn(auth::operator)))
    }

    fn devices(self, routes: UtoipaMethodRouter<AppState>) -> Self {
        self.behind(Caller::Device, routes, |routes| routes.route_layer(from_fn(auth::device)))
    }

    fn provisioning(self, routes: UtoipaMethodRouter<AppState>) -> Self {
        self.behind(Caller::Provisioning, routes, |routes| routes.route_layer(from_fn(auth::provisioning)))
    }

    fn registries(self, routes: UtoipaMethodRouter<AppState>) -> Self {
        self.behind(Caller::Registry, routes, |routes| routes.route_layer(from_fn(auth::registry)))
    }

    fn anyone(self, routes: UtoipaMethodRouter<AppState>) -> Self {
        self.behind(Caller::Anyone, routes, |routes| routes.route_layer(from_fn(auth::anyone)))
    }

    fn behind(
        self,
        caller: Caller,
        (schemas, mut paths, routes): UtoipaMethodRouter<AppState>,
        door: impl FnOnce(MethodRouter<AppState>) -> MethodRouter<AppState>,
    ) -> Self {
        for operation in paths.paths.values_mut().flat_map(operations) {
            describe(operation, caller);
        }
        Self(self.0.routes((schemas, paths, door(routes))))
    }

    fn merge(self, other: Self) -> Self {
        Self(self.0.merge(other.0))
    }

    /// The routes and their description.
    pub(crate) fn split(self) -> (Router<AppState>, OpenApi) {
        self.0.split_for_parts()
    }
}

/// The routes of the function `webhooks`.
pub(crate) fn webhooks() -> Api {
    webhooks::api()
}

/// The routes of the function `policies`.
pub(crate) fn policies() -> Api {
    policies::api()
}

/// The routes of the function `rollouts`.
pub(crate) fn rollouts() -> Api {
    rollouts::api()
        .merge(commands::api())
        .merge(events::api())
        .merge(trigger::api())
        .merge(bad_digests::api())
        .merge(deliveries::api())
        .merge(health::api())
}

/// The routes of the function `device-state`.
pub(crate) fn devices() -> Api {
    devices::api().merge(enrol::api()).merge(device_state::api())
}

/// How long a device is to wait before its next poll, in seconds.
const POLL_AFTER: HeaderName = HeaderName::from_static("tidegate-poll-after");
