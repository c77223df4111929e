//! From a registry's delivery to rollouts. Each entry stands alone; a repeat gets the first answer.

mod audience;
mod candidates;
mod intake;
mod later;
mod remember;
mod repository;
mod told;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tidegate_domain::event::ImageEvent;
use tidegate_domain::webhook::{Delivery, DeliveryKey, Entry, IgnoreReason, PushNotice};

use crate::entities::deliveries;
use crate::entities::events::{self, Event};
use crate::error::EngineError;
use crate::ports::Ports;
use crate::settings::Settings;

use intake::Intake;
pub use later::finish;
pub use told::DeliveryOutcome;
pub(crate) use told::outcome;

/// The answer to a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ingested {
    /// Names the delivery: its first key, or the hash of its body.
    pub delivery_id: String,
    /// An entry per image and matching policy.
    pub deliveries: Vec<DeliveryOutcome>,
}

/// Takes an authenticated delivery of `source`. Nothing is lost by failing: the sender repeats, and what was done is
/// found done.
pub async fn ingest(
    ports: &Ports,
    settings: &Settings,
    source: &str,
    delivery: &Delivery,
    now: Timestamp,
) -> Result<Ingested, EngineError> {
    let delivery_id =
        delivery.entries.iter().flat_map(keys).next().map_or(delivery.body_sha256.as_str(), DeliveryKey::as_str);
    let sender = format!("{source}/{}", delivery.kind.as_str());
    let intake = Intake { ports, settings, source, sender: &sender, now, replay: false, force: false, late: false };
    let pushes: Vec<&PushNotice> = delivery.entries.iter().filter_map(push).collect();
    let mut of_pushes = intake.take(&pushes).await?.into_iter();
    let mut deliveries = Vec::new();
    for entry in &delivery.entries {
        match entry {
            Entry::Ignored(ignored) => deliveries.push(DeliveryOutcome::ignored(ignored)),
            Entry::Push(_) => deliveries.extend(of_pushes.next().unwrap_or_default()),
        }
    }
    // One that created a rollout is told there. Any other, a repeat as well, is told all the same.
    if !deliveries.iter().any(DeliveryOutcome::creates) {
        let unreadable = |entry: &&Entry| matches!(entry, Entry::Ignored(it) if it.reason == IgnoreReason::Unreadable);
        let unreadable = delivery.entries.iter().filter(unreadable).count();
        let event = Event::audit(ImageEvent::WebhookReceived.name(), now, &format!("0-{delivery_id}"))
            .with("source", source)
            .with("delivery_id", delivery_id)
            .with("kind", delivery.kind.as_str())
            .with("status", deliveries.first().map(|told| told.status.as_str()))
            .with("unreadable", (unreadable > 0).then_some(unreadable));
        ports.store.write(&[events::put(&event)]).await?;
    }
    Ok(Ingested { delivery_id: delivery_id.to_owned(), deliveries })
}

/// A delivery that a person wants to be looked at again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay<'a> {
    /// Where it came from.
    pub source: &'a str,
    /// The notice's id: the delivery's, or the `replay` of one of its entries.
    pub delivery_id: &'a str,
    /// Also what is older than what the policy was told of.
    pub force: bool,
    /// Why.
    pub reason: Option<&'a str>,
}

/// Looks at a kept notice again, as if it came now; `None` where none is kept under this id.
pub async fn replay(
    ports: &Ports,
    settings: &Settings,
    asked: &Replay<'_>,
    now: Timestamp,
) -> Result<Option<Ingested>, EngineError> {
    let Some(kept) = deliveries::get(&*ports.store, asked.source, asked.delivery_id).await? else { return Ok(None) };
    let Some(notice) = kept.notice else { return Ok(None) };
    let sender = kept.sender.unwrap_or_else(|| asked.source.to_owned());
    let event = Event::audit("delivery.replayed", now, &format!("2-{}", asked.delivery_id))
        .with("source", asked.source)
        .with("delivery_id", asked.delivery_id)
        .with("force", asked.force)
        .with("reason", asked.reason);
    ports.store.write(&[events::put(&event)]).await?;
    let (source, force) = (asked.source, asked.force);
    let intake = Intake { ports, settings, source, sender: &sender, now, replay: true, force, late: false };
    let deliveries = intake.take(&[&notice]).await?.into_iter().flatten().collect();
    Ok(Some(Ingested { delivery_id: asked.delivery_id.to_owned(), deliveries }))
}

fn push(entry: &Entry) -> Option<&PushNotice> {
    match entry {
        Entry::Push(notice) => Some(notice),
        Entry::Ignored(_) => None,
    }
}

fn keys(entry: &Entry) -> impl Iterator<Item = &DeliveryKey> {
    match entry {
        Entry::Push(notice) => notice.keys.iter(),
        Entry::Ignored(ignored) => ignored.keys.iter(),
    }
}
