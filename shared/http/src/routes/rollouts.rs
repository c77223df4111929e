//! Reading rollouts and their rows.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use serde::Deserialize;
use tidegate_domain::rollout::{Rollout, Status};
use tidegate_engine::entities::{retention, rollouts as stored};
use tidegate_engine::ports::Freshness;
use tidegate_engine::queries::{self, Listed, RolloutFilter, RowFilter};
use utoipa::IntoParams;

use super::{Api, Use};
use crate::input::{Cursor, ImageText, Limit, Params, RolloutIdPath, one_of, parameter};
use crate::problem::Problem;
use crate::schemas::forms::RolloutId;
use crate::schemas::words::{DeviceRolloutStatus, RolloutStatus, row_statuses};
use crate::state::AppState;
use crate::views::{DeviceRolloutPage, Page, RolloutPage, RolloutView, RowView, position};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListParams {
    /// Only rollouts of this status.
    #[param(value_type = Option<RolloutStatus>)]
    status: Option<StatusText>,
    /// Only rollouts of this repository, or of this image where it has a tag.
    #[param(value_type = Option<String>, example = "docker.io/iotistic/myapp")]
    image: Option<ImageText>,
    /// How many rollouts the page looks at: 1 to 1000, by default 100.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000, default = 100)]
    limit: Limit,
    /// Where the page begins: a `next_cursor`.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct RowParams {
    /// Only rows of this status.
    #[param(value_type = Option<DeviceRolloutStatus>)]
    status: Option<RowStatusText>,
    /// Only rows that count in this batch, from 1.
    #[param(value_type = Option<u32>, minimum = 1)]
    batch: Option<BatchText>,
    /// How many rows the page looks at: 1 to 1000, by default 100.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000, default = 100)]
    limit: Limit,
    /// Where the page begins: a `next_cursor`.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

parameter! {
    /// A rollout's status.
    StatusText(Status), |text| one_of(Status::ALL.map(Status::name).as_slice(), Status::parse(&text))
}

parameter! {
    /// A row's status.
    RowStatusText(String), |text| {
        let words = row_statuses();
        one_of(&words, words.contains(&text.as_str()).then_some(text))
    }
}

parameter! {
    /// A batch's number.
    BatchText(u32), |text| {
        let batch = text.parse().ok().filter(|batch| *batch > 0);
        batch.ok_or_else(|| "expected a batch's number, from 1".to_owned())
    }
}

/// Rollouts, newest first
///
/// The filters are joined by *and*. `waiting_for` is told only of rollouts that still move.
#[utoipa::path(
    get,
    operation_id = "listRollouts",
    path = "/api/v1/rollouts",
    tag = "rollouts",
    params(ListParams),
    responses((status = 200, description = "A page of rollouts.", body = RolloutPage))
)]
async fn list(
    State(state): State<AppState>,
    uri: Uri,
    Params(params): Params<ListParams>,
) -> Result<Json<RolloutPage>, Problem> {
    let filter =
        RolloutFilter { status: params.status.map(|status| status.0), image: params.image.map(|image| image.0) };
    let key = &state.access.signing;
    let (scope, cursor) = position(key, &uri, &filter, params.cursor)?;
    let store = &*state.ports.store;
    let found = queries::rollouts(store, &filter, cursor, params.limit.0).await?;
    let now = state.now();
    let mut items = Vec::with_capacity(found.items.len());
    for rollout in found.items {
        // What a rollout waits for costs reads of its own; one that is done with waits for nothing.
        let view = match rollout.live {
            Some(_) => tidegate_engine::rollouts::view(store, &rollout.rollout_id, now).await?,
            None => None,
        };
        items.push(view.map_or_else(|| RolloutView::new(&rollout, None), RolloutView::from));
    }
    Ok(Json(Page::new(Listed { items, next: found.next }, (key, &scope), |view| view)))
}

/// One rollout
///
/// Its counts are those of its rows; `waiting_for` says in words why nothing moves now.
#[utoipa::path(
    get,
    operation_id = "getRollout",
    path = "/api/v1/rollouts/{id}",
    tag = "rollouts",
    params(("id" = RolloutId, Path, description = "The rollout's id.")),
    responses(
        (status = 200, description = "The rollout.", body = RolloutView),
        (status = 404, description = "There is none."),
    )
)]
async fn get(State(state): State<AppState>, RolloutIdPath(id): RolloutIdPath) -> Result<Json<RolloutView>, Problem> {
    let view = tidegate_engine::rollouts::view(&*state.ports.store, &id, state.now()).await?;
    view.map(|view| Json(view.into())).ok_or_else(|| Problem::missing("rollout"))
}

/// A rollout's devices
///
/// A row for each device that was planned, with where it stands and why.
#[utoipa::path(
    get,
    operation_id = "listRolloutDevices",
    path = "/api/v1/rollouts/{id}/devices",
    tag = "rollouts",
    params(("id" = RolloutId, Path, description = "The rollout's id."), RowParams),
    responses(
        (status = 200, description = "A page of the rollout's devices.", body = DeviceRolloutPage),
        (status = 404, description = "There is no such rollout."),
        (status = 410, description = "The rollout ended so long ago that its details have expired."),
    )
)]
async fn devices(
    State(state): State<AppState>,
    RolloutIdPath(id): RolloutIdPath,
    uri: Uri,
    Params(params): Params<RowParams>,
) -> Result<Json<DeviceRolloutPage>, Problem> {
    let filter = RowFilter { status: params.status.map(|status| status.0), batch: params.batch.map(|batch| batch.0) };
    let key = &state.access.signing;
    let (scope, cursor) = position(key, &uri, &filter, params.cursor)?;
    let store = &*state.ports.store;
    let rollout = stored::get(store, &id, Freshness::Eventual).await?.ok_or_else(|| Problem::missing("rollout"))?;
    details_are_kept(&rollout, &state)?;
    let found = queries::rows(store, &id, &filter, cursor, params.limit.0).await?;
    let tag = rollout.target.tag.as_ref();
    Ok(Json(Page::new(found, (key, &scope), |row| RowView::new(&row, tag))))
}

/// Refuses to show what the tables may have let go of in part.
pub(super) fn details_are_kept(rollout: &Rollout, state: &AppState) -> Result<(), Problem> {
    let days = state.settings.retention_days;
    match retention::details_until(rollout, days) {
        Some(until) if until <= state.now() => {
            let detail =
                format!("a rollout's devices and events are kept for {days} days after its end: until {until}");
            Err(Problem::new(StatusCode::GONE, "expired", detail))
        }
        Some(_) | None => Ok(()),
    }
}

pub(super) fn api<U: Use>() -> Api<U> {
    Api::new().operators(routes!(list)).operators(routes!(get)).operators(routes!(devices))
}
