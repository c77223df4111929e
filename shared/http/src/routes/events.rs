//! What happened in a rollout.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use serde::Deserialize;
use tidegate_domain::event::{DeviceEvent, ImageEvent};
use tidegate_engine::entities::rollouts as stored;
use tidegate_engine::ports::Freshness;
use tidegate_engine::queries::{self, EventFilter};
use utoipa::IntoParams;

use super::rollouts::details_are_kept;
use super::{Api, Use};
use crate::input::{Cursor, DeviceText, Limit, Params, RolloutIdPath, parameter};
use crate::problem::Problem;
use crate::schemas::forms::RolloutId;
use crate::schemas::words::EventName;
use crate::state::AppState;
use crate::views::{EventAnswer, EventPage, Page, position};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct EventParams {
    /// Only this device's events.
    #[param(value_type = Option<String>, format = Uuid)]
    device_uuid: Option<DeviceText>,
    /// Only events of this name, such as `device.rolled_back`.
    #[serde(rename = "type")]
    #[param(value_type = Option<EventName>)]
    kind: Option<EventText>,
    /// How many events the page looks at: 1 to 1000, by default 100.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000, default = 100)]
    limit: Limit,
    /// Where the page begins: a `next_cursor`.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

parameter! {
    /// An event's name.
    EventText(String), |name| {
        let known = ImageEvent::parse(&name).is_some() || DeviceEvent::parse(&name).is_some();
        if known { Ok(name) } else { Err("there is no such event".to_owned()) }
    }
}

/// A rollout's events
///
/// The rollout's own (`image.*`) in their order, then its devices' (`device.*`), device by device.
#[utoipa::path(
    get,
    operation_id = "listRolloutEvents",
    path = "/api/v1/rollouts/{id}/events",
    tag = "rollouts",
    params(("id" = RolloutId, Path, description = "The rollout's id."), EventParams),
    responses(
        (status = 200, description = "A page of events.", body = EventPage),
        (status = 404, description = "There is no such rollout."),
        (status = 410, description = "The rollout ended so long ago that its details have expired."),
    )
)]
async fn events(
    State(state): State<AppState>,
    RolloutIdPath(id): RolloutIdPath,
    uri: Uri,
    Params(params): Params<EventParams>,
) -> Result<Json<EventPage>, Problem> {
    let filter =
        EventFilter { device: params.device_uuid.map(|device| device.0), name: params.kind.map(|kind| kind.0) };
    let key = &state.access.signing;
    let (scope, cursor) = position(key, &uri, &filter, params.cursor)?;
    let store = &*state.ports.store;
    let rollout = stored::get(store, &id, Freshness::Eventual).await?.ok_or_else(|| Problem::missing("rollout"))?;
    details_are_kept(&rollout, &state)?;
    let found = queries::events(store, &id, &filter, cursor, params.limit.0).await?;
    Ok(Json(Page::new(found, (key, &scope), |event| EventAnswer::new(&id, event))))
}

pub(super) fn api<U: Use>() -> Api<U> {
    Api::new().operators(routes!(events))
}
