//! How a function answers HTTP: its gateway's events become requests of its routes, whose callers are recognised by the
//! stack's secrets as they are now.

mod access;
mod event;

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use tidegate_aws::lambda::as_a_task;
use tidegate_aws::secrets::{SecretValues, Secrets};
use tidegate_aws::{bootstrap, clock};
use tidegate_engine::settings::Settings;
use tidegate_http::auth::Access;
use tidegate_http::{AppState, Clock};
use tower::ServiceExt as _;

pub use access::AccessError;
pub use event::{Answer, BadEvent, Event};
pub use tidegate_aws::wiring::Wiring;

/// Serves routes whose callers show credentials, with the ports that they use, for as long as the function lives.
pub async fn serve(wiring: Wiring, routes: fn(AppState) -> Router) -> Result<(), Error> {
    let started = bootstrap::start(wiring)?;
    let secrets = started.secrets.ok_or(AccessError::NoSecrets)?;
    let settings =
        Settings::new(started.config.policy, started.config.pace).with_retention(started.config.retention_days);
    let clock: Clock = Arc::new(clock::now);
    let values = secrets.current(clock()).await?;
    let state = AppState::new(started.ports, settings, access::access(&values.access)?, clock);
    let doors = Doors { secrets, routes, open: Mutex::new(Open { routes: routes(state.clone()), values, state }) };
    let doors = Arc::new(doors);
    as_a_task(lambda_runtime::run(service_fn(move |event: LambdaEvent<Event>| {
        let doors = Arc::clone(&doors);
        async move { doors.answer(event.payload).await }
    })))
    .await
}

/// Serves routes that are open to everybody: without tables, without secrets.
pub async fn serve_public(routes: fn(AppState) -> Router) -> Result<(), Error> {
    let started = bootstrap::start(Wiring::NONE)?;
    let settings = Settings::new(started.config.policy, started.config.pace);
    let access = Access::nobody(started.ports.entropy.bytes32());
    let routes = routes(AppState::new(started.ports, settings, access, Arc::new(clock::now)));
    as_a_task(lambda_runtime::run(service_fn(move |event: LambdaEvent<Event>| answer(routes.clone(), event.payload))))
        .await
}

/// Routes, and the secrets that open them.
struct Doors {
    secrets: Arc<Secrets>,
    routes: fn(AppState) -> Router,
    open: Mutex<Open>,
}

/// The routes as they are open now.
struct Open {
    routes: Router,
    values: Arc<SecretValues>,
    state: AppState,
}

impl Doors {
    async fn answer(&self, event: Event) -> Result<Answer, Error> {
        let routes = match self.secrets.current(clock::now()).await {
            Ok(values) => self.opened_by(values),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "nobody can be recognised");
                return Ok(Answer::of(tidegate_http::unavailable()).await?);
            }
        };
        answer(routes, event).await
    }

    /// The routes, made anew where the secrets changed.
    fn opened_by(&self, values: Arc<SecretValues>) -> Router {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&open.values, &values) {
            match access::access(&values.access) {
                Ok(access) if open.values != values => {
                    open.state.access = Arc::new(access);
                    open.routes = (self.routes)(open.state.clone());
                    tracing::info!("the secrets have changed");
                }
                Ok(_) => {}
                Err(error) => tracing::error!(%error, "the new secrets cannot be used; the old ones still are"),
            }
            open.values = values;
        }
        open.routes.clone()
    }
}

async fn answer(routes: Router, event: Event) -> Result<Answer, Error> {
    let request: Request<Body> = event.request()?;
    let response: Response<Body> = routes.oneshot(request).await?;
    Ok(Answer::of(response).await?)
}
