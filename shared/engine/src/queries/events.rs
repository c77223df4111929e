//! A rollout's events: its own in order, then its devices', device by device.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tidegate_domain::ids::{DeviceUuid, RolloutId};
use tidegate_domain::row::{Happened, Row};

use super::{Listed, RowsCursor};
use crate::entities::{events, rows};
use crate::error::EngineError;
use crate::ports::Store;

/// An event as it is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct EventView {
    /// Its id, unique within the rollout.
    pub event_id: String,
    /// Its full name.
    pub name: String,
    /// When it happened, in server time.
    pub at: Timestamp,
    /// The device that it is of.
    pub device_uuid: Option<DeviceUuid>,
    /// What else there is to say.
    pub details: Map<String, Value>,
}

/// What a list of events is narrowed to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventFilter {
    /// Only this device's.
    pub device: Option<DeviceUuid>,
    /// Only this event, by its full name.
    pub name: Option<String>,
}

/// Where the next page of events begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventsCursor {
    /// Behind this event of the rollout's own.
    Rollout(Option<String>),
    /// Among the devices' events.
    Devices {
        /// Behind this device.
        rows: RowsCursor,
        /// So many events of the next one are told already.
        told: usize,
    },
}

/// A page of a rollout's events. It looks at no more than `limit` events of the rollout, or about as many of devices.
pub async fn events(
    store: &dyn Store,
    rollout: &RolloutId,
    filter: &EventFilter,
    cursor: Option<EventsCursor>,
    limit: u32,
) -> Result<Listed<EventView, EventsCursor>, EngineError> {
    let mut page = match (filter.device, cursor) {
        (Some(device), _) => of_one_device(store, rollout, device).await?,
        (None, None) => of_rollout(store, rollout, None, limit).await?,
        (None, Some(EventsCursor::Rollout(after))) => of_rollout(store, rollout, after, limit).await?,
        (None, Some(EventsCursor::Devices { rows, told })) => of_devices(store, rollout, rows, told, limit).await?,
    };
    page.items.retain(|event| filter.name.as_deref().is_none_or(|name| name == event.name));
    Ok(page)
}

async fn of_rollout(
    store: &dyn Store,
    rollout: &RolloutId,
    after: Option<String>,
    limit: u32,
) -> Result<Listed<EventView, EventsCursor>, EngineError> {
    let (found, next) = events::page(store, rollout.as_str(), after, Some(limit)).await?;
    let items = found.into_iter().map(|event| EventView {
        event_id: event.event_id,
        name: event.name,
        at: event.at,
        device_uuid: None,
        details: event.detail,
    });
    let next = match next {
        Some(after) => EventsCursor::Rollout(Some(after)),
        None => EventsCursor::Devices { rows: RowsCursor::default(), told: 0 },
    };
    Ok(Listed { items: items.collect(), next: Some(next) })
}

async fn of_one_device(
    store: &dyn Store,
    rollout: &RolloutId,
    device: DeviceUuid,
) -> Result<Listed<EventView, EventsCursor>, EngineError> {
    let row = rows::get(store, rollout, device).await?;
    Ok(Listed { items: row.iter().flat_map(|row| told_by(row, 0)).collect(), next: None })
}

async fn of_devices(
    store: &dyn Store,
    rollout: &RolloutId,
    cursor: RowsCursor,
    mut told: usize,
    limit: u32,
) -> Result<Listed<EventView, EventsCursor>, EngineError> {
    let mut items: Vec<EventView> = Vec::new();
    let mut at = Some(cursor);
    while let Some(RowsCursor { shard, mut after }) = at.clone() {
        // A row has at least one event, so more rows than events are never needed.
        let room = limit as usize - items.len();
        let (found, next) = rows::page(store, rollout, shard, after.clone(), Some(room.max(1) as u32)).await?;
        for row in &found {
            let room = limit as usize - items.len();
            if room == 0 {
                let rows = RowsCursor { shard, after };
                return Ok(Listed { items, next: Some(EventsCursor::Devices { rows, told }) });
            }
            let events: Vec<EventView> = told_by(row, told).take(room).collect();
            if told + events.len() < row.history.len() {
                told += events.len();
                items.extend(events);
                let rows = RowsCursor { shard, after };
                return Ok(Listed { items, next: Some(EventsCursor::Devices { rows, told }) });
            }
            items.extend(events);
            told = 0;
            after = Some(row.device_uuid.to_string());
        }
        at = RowsCursor::behind(shard, next);
        if items.len() >= limit as usize {
            break;
        }
    }
    Ok(Listed { items, next: at.map(|rows| EventsCursor::Devices { rows, told: 0 }) })
}

/// A row's history behind its first `skipped` events.
fn told_by(row: &Row, skipped: usize) -> impl Iterator<Item = EventView> + '_ {
    row.history.iter().enumerate().skip(skipped).map(|(n, happened)| view(row, n, happened))
}

fn view(row: &Row, n: usize, happened: &Happened) -> EventView {
    let mut details = Map::new();
    details.insert("batch".to_owned(), row.batch.into());
    details.insert("attempt".to_owned(), happened.attempt.into());
    if let Some(message) = &happened.message {
        details.insert("message".to_owned(), message.as_str().into());
    }
    EventView {
        // Behind the rollout's id and a slash, this is the id on the bus.
        event_id: format!("{}/{n}", row.device_uuid),
        name: happened.event.name().to_owned(),
        at: happened.at,
        device_uuid: Some(row.device_uuid),
        details,
    }
}
