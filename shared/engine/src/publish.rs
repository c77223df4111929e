//! Publishing: what the events table and the rows' histories gained goes to the bus.

use serde_json::{Map, Value, json};
use tidegate_domain::row::Row;

use crate::entities::events::Event;
use crate::error::EngineError;
use crate::ports::{BusEntry, Ports};

/// An event of a rollout or of the audit trail, as it is published.
pub fn of_event(event: &Event) -> BusEntry {
    let mut detail: Map<String, Value> = event.detail.clone();
    detail.insert("event_id".to_owned(), format!("{}/{}", event.stream, event.event_id).into());
    if event.stream != crate::entities::events::AUDIT {
        detail.insert("rollout_id".to_owned(), event.stream.clone().into());
    }
    BusEntry { name: event.name.clone(), at: event.at, detail: detail.into() }
}

/// What a row's history gained between two of its images.
pub fn of_row(old: Option<&Row>, new: &Row) -> Vec<BusEntry> {
    let known = old.map_or(0, |row| row.history.len());
    let gained = new.history.iter().enumerate().skip(known);
    gained
        .map(|(n, happened)| BusEntry {
            name: happened.event.name().to_owned(),
            at: happened.at,
            detail: json!({
                "event_id": format!("{}/{}/{n}", new.rollout_id, new.device_uuid),
                "rollout_id": new.rollout_id,
                "device_uuid": new.device_uuid,
                "batch": new.batch,
                "attempt": happened.attempt,
                "message": happened.message,
            }),
        })
        .collect()
}

/// Publishes entries; repeats carry the same `event_id`.
pub async fn publish(ports: &Ports, entries: &[BusEntry]) -> Result<(), EngineError> {
    if entries.is_empty() {
        return Ok(());
    }
    Ok(ports.bus.publish(entries).await?)
}
