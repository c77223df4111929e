//! The routes, a file each or a small group, and how they are declared: always with the caller that they are for.

/// A handler on the methods that its description names.
macro_rules! routed {
    ($routes:ident, $path:ident, $handler:ident) => {
        <$path as ::utoipa::Path>::methods()
            .iter()
            .fold($routes, |routes, method| routes.on(::utoipa_axum::PathItemExt::to_method_filter(method), $handler))
    };
}
use routed;

/// Routes of one path, by the handlers that `utoipa::path` describes: what answers them and what describes them apart, so
/// that a program which describes nothing holds no descriptions.
macro_rules! routes {
    ($first:ident $(, $more:ident)* $(,)?) => {
        crate::routes::Routes {
            answering: || {
                utoipa_axum::paste! {
                    let routes = ::axum::routing::MethodRouter::<crate::state::AppState>::new();
                    let routes = crate::routes::routed!(routes, [<__path_ $first>], $first);
                    $(let routes = crate::routes::routed!(routes, [<__path_ $more>], $more);)*
                    (<[<__path_ $first>] as ::utoipa::Path>::path(), routes)
                }
            },
            describing: || ::utoipa_axum::routes!($first $(, $more)*),
        }
    };
}

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

use axum::Router;
use axum::http::HeaderName;
use axum::middleware::from_fn;
use axum::routing::MethodRouter;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use crate::auth::Caller;
use crate::guard;
use crate::schemas::answers::{describe, operations};
use crate::state::AppState;

/// See the macro [`routes!`].
pub(crate) struct Routes<A, D> {
    answering: A,
    describing: D,
}

/// What becomes of routes: [`Answering`] or [`Describing`].
pub(crate) trait Use: Sized {
    /// None yet.
    fn nothing() -> Self;
    /// And these, behind this caller's guard.
    fn and<A, D>(self, caller: Caller, routes: Routes<A, D>) -> Self
    where
        A: FnOnce() -> (String, MethodRouter<AppState>),
        D: FnOnce() -> UtoipaMethodRouter<AppState>;
    /// And those.
    fn merge(self, others: Self) -> Self;
}

/// They are answered.
pub(crate) struct Answering(pub(crate) Router<AppState>);

impl Use for Answering {
    fn nothing() -> Self {
        Self(Router::new())
    }

    fn and<A, D>(self, caller: Caller, routes: Routes<A, D>) -> Self
    where
        A: FnOnce() -> (String, MethodRouter<AppState>),
        D: FnOnce() -> UtoipaMethodRouter<AppState>,
    {
        let (path, routes) = (routes.answering)();
        let routes = match caller {
            Caller::Operator => routes.route_layer(from_fn(guard::operator)),
            Caller::Device => routes.route_layer(from_fn(guard::device)),
            Caller::Provisioning => routes.route_layer(from_fn(guard::provisioning)),
            Caller::Registry => routes.route_layer(from_fn(guard::registry)),
            Caller::Anyone => routes.route_layer(from_fn(guard::anyone)),
        };
        Self(self.0.route(&path, routes))
    }

    fn merge(self, others: Self) -> Self {
        Self(self.0.merge(others.0))
    }
}

/// They are described.
pub(crate) struct Describing(pub(crate) OpenApiRouter<AppState>);

impl Use for Describing {
    fn nothing() -> Self {
        Self(OpenApiRouter::default())
    }

    fn and<A, D>(self, caller: Caller, routes: Routes<A, D>) -> Self
    where
        A: FnOnce() -> (String, MethodRouter<AppState>),
        D: FnOnce() -> UtoipaMethodRouter<AppState>,
    {
        let (schemas, mut paths, routes) = (routes.describing)();
        for operation in paths.paths.values_mut().flat_map(operations) {
            describe(operation, caller);
        }
        Self(self.0.routes((schemas, paths, routes)))
    }

    fn merge(self, others: Self) -> Self {
        Self(self.0.merge(others.0))
    }
}

/// Routes in one use or the other. There is no way to add one without saying who may call it: the same word puts it
/// behind its guard and into the document.
pub(crate) struct Api<U>(pub(crate) U);

impl<U: Use> Api<U> {
    fn new() -> Self {
        Self(U::nothing())
    }

    fn merge(self, other: Self) -> Self {
        Self(self.0.merge(other.0))
    }
}

/// A word for each caller.
macro_rules! callers {
    ($($word:ident: $caller:ident),+) => {
        impl<U: Use> Api<U> {
            $(
                fn $word<A, D>(self, routes: Routes<A, D>) -> Self
                where
                    A: FnOnce() -> (String, MethodRouter<AppState>),
                    D: FnOnce() -> UtoipaMethodRouter<AppState>,
                {
                    Self(self.0.and(Caller::$caller, routes))
                }
            )+
        }
    };
}

callers! { operators: Operator, devices: Device, provisioning: Provisioning, registries: Registry, anyone: Anyone }

/// The routes of the function `webhooks`.
pub(crate) fn webhooks<U: Use>() -> Api<U> {
    webhooks::api()
}

/// The routes of the function `policies`.
pub(crate) fn policies<U: Use>() -> Api<U> {
    policies::api()
}

/// The routes of the function `rollouts`.
pub(crate) fn rollouts<U: Use>() -> Api<U> {
    rollouts::api()
        .merge(commands::api())
        .merge(events::api())
        .merge(trigger::api())
        .merge(bad_digests::api())
        .merge(deliveries::api())
}

/// The routes of the function `public`.
pub(crate) fn public<U: Use>() -> Api<U> {
    health::api()
}

/// The routes of the function `device-state`.
pub(crate) fn devices<U: Use>() -> Api<U> {
    devices::api().merge(enrol::api()).merge(device_state::api())
}

/// How long a device is to wait before its next poll, in seconds.
const POLL_AFTER: HeaderName = HeaderName::from_static("tidegate-poll-after");
