//! A device asks what to run, and tells what it did.

mod report;
mod seen;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tidegate_engine::enrol::{adopt, shown};
use tidegate_engine::poll::{Answer, answer};
use tidegate_engine::report::{Accepted, accept};

use self::report::{ReportAnswer, ReportBody, Taken};
use self::seen::{etag, known};
use super::{Api, POLL_AFTER, Use};
use crate::guard::DeviceCaller;
use crate::input::DeviceBody;
use crate::problem::Problem;
use crate::state::AppState;
use crate::views::TargetStateSchema;

/// What the device should run
///
/// The ETag's hash is over the body; the revisions behind it let the server see that its own copy is older than what
/// the device has seen. Send every ETag that was answered last, by GET and by PATCH.
#[utoipa::path(
    get,
    operation_id = "getTargetState",
    path = "/api/v1/device/{uuid}/state",
    tag = "device-state",
    params(
        ("uuid" = String, Path, description = "The device's own uuid.", format = Uuid),
        ("If-None-Match" = Option<String>, Header, description = "The ETags that were answered last."),
    ),
    responses(
        (status = 200, description = "The target state.", body = TargetStateSchema, headers(
            ("ETag" = String, description = "Names the target and what it was made from."),
            ("Tidegate-Poll-After" = u32, description = "Seconds until the next poll."),
        )),
        (status = 304, description = "The target is the one that the device has.", headers(
            ("ETag" = String, description = "As above."),
            ("Tidegate-Poll-After" = u32, description = "Seconds until the next poll."),
        )),
        (status = 403, description = "The token is another device's."),
        (status = 410, description = "The device was deleted; it keeps what it runs."),
        (status = 503, description = "Not now; see Retry-After."),
    )
)]
async fn get_state(
    State(state): State<AppState>,
    caller: DeviceCaller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let known = known(&headers);
    let is_shown = |device: &_| shown(device, &caller.token_hash);
    let (ports, memory, pace) = (&state.ports, &state.memory, state.settings.pace);
    match answer(ports, memory, pace, caller.device, is_shown, &known, state.now()).await? {
        Answer::Unauthorized => Err(Problem::unauthorized()),
        Answer::Gone => Err(gone()),
        Answer::Target { state: target, seen, poll_after } => {
            let unchanged = known.iter().any(|known| known.hash == seen.hash);
            let headers = [(header::ETAG, etag(&seen)), (POLL_AFTER, poll_after.to_string())];
            Ok(if unchanged {
                (StatusCode::NOT_MODIFIED, headers).into_response()
            } else {
                (headers, Json(target)).into_response()
            })
        }
    }
}

/// The device tells what it runs and what it did
///
/// Several reports in one body are normal. One that cannot be taken is ignored with its reason, and the others count.
/// The answer's ETag never matches a target: the device sends it as a further value of If-None-Match.
#[utoipa::path(
    patch,
    operation_id = "reportState",
    path = "/api/v1/device/{uuid}/state",
    tag = "device-state",
    params(("uuid" = String, Path, description = "The device's own uuid.", format = Uuid)),
    request_body = ReportBody,
    responses(
        (status = 200, description = "What became of the reports.", body = ReportAnswer, headers(
            ("ETag" = String, description = "What the device has seen now; its hash part is 0."),
        )),
        (status = 403, description = "The token is another device's."),
        (status = 410, description = "The device was deleted; it keeps what it runs."),
        (status = 422, description = "It is no object, or has more than 100 reports."),
        (status = 503, description = "Not now; see Retry-After."),
    )
)]
async fn patch_state(
    State(state): State<AppState>,
    caller: DeviceCaller,
    DeviceBody(body, mistakes): DeviceBody<Value>,
) -> Result<([(HeaderName, String); 1], Json<ReportAnswer>), Problem> {
    let taken = Taken::read(&body, mistakes)?;
    let now = state.now();
    let is_shown = |device: &_| shown(device, &caller.token_hash);
    match accept(&state.ports, &state.memory, caller.device, is_shown, &taken.reports, now).await? {
        Accepted::Unauthorized => Err(Problem::unauthorized()),
        Accepted::Gone => Err(gone()),
        Accepted::Reports { verdicts, device, adopted, mut seen } => {
            if !adopted.is_empty() {
                seen.device = adopt(&state.ports, &device, &adopted, now).await?.rev;
            }
            "0".clone_into(&mut seen.hash);
            Ok(([(header::ETAG, etag(&seen))], Json(taken.answer(&verdicts))))
        }
    }
}

fn gone() -> Problem {
    Problem::new(StatusCode::GONE, "deleted", "this device was deleted; keep what runs")
}

pub(super) fn api<U: Use>() -> Api<U> {
    Api::new().devices(routes!(get_state, patch_state))
}
