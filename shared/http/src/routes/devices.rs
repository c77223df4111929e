//! Devices, as operators see and change them.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use serde::Deserialize;
use std::collections::BTreeMap;
use tidegate_domain::device::Device;
use tidegate_engine::enrol::{self, Edit};
use tidegate_engine::entities::devices as stored;
use tidegate_engine::memory::Age;
use tidegate_engine::ports::Freshness;
use tidegate_engine::queries::{self, DeviceFilter, DeviceStatus, Listed};
use utoipa::{IntoParams, ToSchema};

use super::enrol::Checks;
use super::{Api, Use};
use crate::input::{Cursor, DeviceId, ImageText, Limit, OperatorBody, Params, TagTexts, one_of, parameter};
use crate::problem::Problem;
use crate::schemas::forms::{FleetId, Line, TagFilter, Tags};
use crate::schemas::words;
use crate::state::AppState;
use crate::views::{DevicePage, DeviceView, Page, position};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListParams {
    /// Only devices of this fleet.
    fleet_id: Option<String>,
    /// Only devices with this tag, `key=value` or `key:value`; given several times, with all of them.
    #[param(value_type = Option<Vec<TagFilter>>)]
    tag: Option<TagTexts>,
    /// Only devices with a service of this repository, or of this image where it has a tag.
    #[param(value_type = Option<String>, example = "docker.io/iotistic/myapp")]
    image: Option<ImageText>,
    /// Only devices of this status.
    #[param(value_type = Option<words::DeviceStatus>)]
    status: Option<StatusText>,
    /// How many devices the page looks at: 1 to 1000, by default 100.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000, default = 100)]
    limit: Limit,
    /// Where the page begins: a `next_cursor`.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

parameter! {
    /// A device's status.
    StatusText(DeviceStatus), |text| {
        let found = DeviceStatus::ALL.into_iter().find(|status| status.name() == text);
        one_of(DeviceStatus::ALL.map(DeviceStatus::name).as_slice(), found)
    }
}

/// What of a device changes; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DevicePatch {
    /// What people call it; `null` takes the name away.
    #[serde(default, deserialize_with = "edit")]
    #[schema(value_type = Option<Line>)]
    name: Edit,
    /// Its fleet.
    #[schema(value_type = Option<FleetId>)]
    fleet_id: Option<String>,
    /// Its tags, all of them.
    #[schema(value_type = Option<Tags>)]
    tags: Option<BTreeMap<String, String>>,
    /// IANA name of its time zone, for a device that does not tell it; `null` takes the zone away.
    #[serde(default, deserialize_with = "edit")]
    #[schema(value_type = Option<String>, example = "Europe/Berlin")]
    timezone: Edit,
}

/// A value that is there, even as `null`.
fn edit<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Edit, D::Error> {
    Ok(Option::deserialize(deserializer)?.map_or(Edit::Removed, Edit::Set))
}

/// Devices, in no order
///
/// The filters are joined by *and*. Deleted devices are not among them.
#[utoipa::path(
    get,
    operation_id = "listDevices",
    path = "/api/v1/devices",
    tag = "devices",
    params(ListParams),
    responses((status = 200, description = "A page of devices.", body = DevicePage))
)]
async fn list(
    State(state): State<AppState>,
    uri: Uri,
    Params(params): Params<ListParams>,
) -> Result<Json<DevicePage>, Problem> {
    let filter = DeviceFilter {
        fleet_id: params.fleet_id,
        tags: params.tag.map(TagTexts::into_map).unwrap_or_default(),
        image: params.image.map(|image| image.0),
        status: params.status.map(|status| status.0),
    };
    let key = &state.access.signing;
    let (scope, cursor) = position(key, &uri, &filter, params.cursor)?;
    let found = queries::devices(&*state.ports.store, &filter, cursor, params.limit.0).await?;
    let mut items = Vec::with_capacity(found.items.len());
    for device in &found.items {
        items.push(shown(&state, device).await?);
    }
    Ok(Json(Page::new(Listed { items, next: found.next }, (key, &scope), |view| view)))
}

/// One device
///
/// For each service what it runs, what it should run, its way back, and its place in the newest rollout.
#[utoipa::path(
    get,
    operation_id = "getDevice",
    path = "/api/v1/devices/{uuid}",
    tag = "devices",
    params(("uuid" = String, Path, description = "The device's uuid.", format = Uuid)),
    responses(
        (status = 200, description = "The device.", body = DeviceView),
        (status = 404, description = "There is none."),
    )
)]
async fn get(State(state): State<AppState>, DeviceId(uuid): DeviceId) -> Result<Json<DeviceView>, Problem> {
    let device = stored::get(&*state.ports.store, uuid, Freshness::Consistent).await?;
    let device = device.filter(|device| device.deleted_at.is_none()).ok_or_else(|| Problem::missing("device"))?;
    Ok(Json(shown(&state, &device).await?))
}

/// Changes a device's name, fleet, tags or time zone
///
/// Where another policy has the device then, it joins what that policy rolls out, behind everyone planned.
#[utoipa::path(
    patch,
    operation_id = "updateDevice",
    path = "/api/v1/devices/{uuid}",
    tag = "devices",
    params(("uuid" = String, Path, description = "The device's uuid.", format = Uuid)),
    request_body = DevicePatch,
    responses(
        (status = 200, description = "The device.", body = DeviceView),
        (status = 404, description = "There is none."),
        (status = 422, description = "Fields are wrong."),
    )
)]
async fn change(
    State(state): State<AppState>,
    DeviceId(uuid): DeviceId,
    OperatorBody(body, mistakes): OperatorBody<DevicePatch>,
) -> Result<Json<DeviceView>, Problem> {
    let mut checks = Checks(mistakes);
    if let Edit::Set(name) = &body.name {
        checks.name(Some(name));
    }
    if let Some(fleet_id) = &body.fleet_id {
        checks.fleet(fleet_id);
    }
    if let Some(tags) = &body.tags {
        checks.tags(tags);
    }
    let timezone = match &body.timezone {
        Edit::Set(zone) => checks.timezone(Some(zone)).map_or(Edit::Stays, Edit::Set),
        Edit::Stays | Edit::Removed => body.timezone.clone(),
    };
    checks.finish()?;
    let patch = enrol::Patch { name: body.name, fleet_id: body.fleet_id, tags: body.tags, timezone };
    let device = enrol::patch(&state.ports, uuid, &patch, state.now()).await?;
    Ok(Json(shown(&state, &device).await?))
}

/// Deletes a device
///
/// Its later polls answer 410; it keeps what it runs.
#[utoipa::path(
    delete,
    operation_id = "deleteDevice",
    path = "/api/v1/devices/{uuid}",
    tag = "devices",
    params(("uuid" = String, Path, description = "The device's uuid.", format = Uuid)),
    responses(
        (status = 204, description = "Deleted."),
        (status = 404, description = "There is none."),
    )
)]
async fn delete(State(state): State<AppState>, DeviceId(uuid): DeviceId) -> Result<StatusCode, Problem> {
    enrol::delete(&state.ports, uuid, state.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets a device enrol again: once, within 24 hours
///
/// Also one that was deleted.
#[utoipa::path(
    post,
    operation_id = "allowReenrolment",
    path = "/api/v1/devices/{uuid}/allow-reenrolment",
    tag = "devices",
    params(("uuid" = String, Path, description = "The device's uuid.", format = Uuid)),
    responses(
        (status = 200, description = "It may.", body = DeviceView),
        (status = 404, description = "There is none."),
    )
)]
async fn allow_reenrolment(
    State(state): State<AppState>,
    DeviceId(uuid): DeviceId,
) -> Result<Json<DeviceView>, Problem> {
    let device = enrol::allow_reenrolment(&state.ports, uuid, state.now()).await?;
    Ok(Json(shown(&state, &device).await?))
}

async fn shown(state: &AppState, device: &Device) -> Result<DeviceView, Problem> {
    let now = state.now();
    let known = state.memory.knowledge(&*state.ports.store, device.rollout_ids(), Age::Remembered, now).await?;
    Ok(DeviceView::new(device, &known, now))
}

pub(super) fn api<U: Use>() -> Api<U> {
    Api::new().operators(routes!(list)).operators(routes!(get, change, delete)).operators(routes!(allow_reenrolment))
}
