//! From a registry's delivery to rollouts. Each entry stands alone; a repeat gets the first answer.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tidegate_domain::admission::Admission;
use tidegate_domain::event::ImageEvent;
use tidegate_domain::head::KeptOut;
use tidegate_domain::ids::RolloutId;
use tidegate_domain::image::Digest;
use tidegate_domain::pin::Pin;
use tidegate_domain::policy::Policy;
use tidegate_domain::rollout::Trigger;
use tidegate_domain::webhook::{Delivery, DeliveryKey, Entry, IgnoreReason, Ignored, PushNotice};

use crate::create::{Wanted, create};
use crate::entities::deliveries::{self, Delivered};
use crate::entities::device_images::{self, DeviceImage};
use crate::entities::events::{self, Event};
use crate::entities::tags::{self, TagNotice};
use crate::entities::{heads, policies};
use crate::error::EngineError;
use crate::plan::owns;
use crate::ports::{Ports, Write, WriteError};
use crate::settings::Settings;

/// Equal notices without a digest are one within this time, in seconds (webhooks rule 9).
const SAME_NOTICE_SECONDS: i64 = 60;

/// The answer to a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ingested {
    /// Names the delivery: its first key, or the hash of its body.
    pub delivery_id: String,
    /// An entry per image and matching policy.
    pub deliveries: Vec<Told>,
}

/// What became of one image under one policy.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Told {
    /// The repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The digest, where the sender told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The policy's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// One of [`Self::STATUSES`].
    pub status: String,
    /// Why, in a stable word or a person's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The rollout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout_id: Option<RolloutId>,
    /// Devices that it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affected_devices: Option<u32>,
    /// Other policies of the repository that keep this digest out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bad_for: Vec<KeptOut>,
}

impl Told {
    /// Every status.
    pub const STATUSES: [&str; 8] =
        ["rollout_created", "superseding", "queued", "duplicate", "up_to_date", "no_policy", "no_devices", "ignored"];

    fn of(notice: &PushNotice, status: &str) -> Self {
        Self {
            image: Some(notice.repository.to_string()),
            tag: Some(notice.tag.as_str().to_owned()),
            digest: notice.digest.as_ref().map(|digest| digest.as_str().to_owned()),
            status: status.to_owned(),
            ..Self::default()
        }
    }

    /// Whether this delivery made the rollout that it names.
    fn creates(&self) -> bool {
        matches!(self.status.as_str(), "rollout_created" | "queued" | "superseding")
    }

    fn because(self, reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..self }
    }

    fn ignored(ignored: &Ignored) -> Self {
        Self {
            image: ignored.image.clone(),
            tag: ignored.tag.clone(),
            digest: ignored.digest.clone(),
            status: "ignored".to_owned(),
            reason: Some(ignored.reason.as_str().to_owned()),
            ..Self::default()
        }
    }
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
    let mut deliveries = Vec::new();
    for (n, entry) in delivery.entries.iter().enumerate() {
        match entry {
            Entry::Ignored(ignored) => deliveries.push(Told::ignored(ignored)),
            Entry::Push(notice) => {
                let ingest = Ingest { ports, settings, source, notice, now, cause: format!("{n:03}") };
                deliveries.extend(ingest.entry().await?);
            }
        }
    }
    // One that created a rollout is told there. Any other, a repeat as well, is told all the same.
    if !deliveries.iter().any(Told::creates) {
        let unreadable = |entry: &&Entry| matches!(entry, Entry::Ignored(it) if it.reason == IgnoreReason::Unreadable);
        let unreadable = delivery.entries.iter().filter(unreadable).count();
        let event = received(&Event::audit, delivery_id, source, now)
            .with("kind", delivery.kind.as_str())
            .with("status", deliveries.first().map(|told| told.status.as_str()))
            .with("unreadable", (unreadable > 0).then_some(unreadable));
        ports.store.write(&[events::put(&event)]).await?;
    }
    Ok(Ingested { delivery_id: delivery_id.to_owned(), deliveries })
}

fn keys(entry: &Entry) -> impl Iterator<Item = &DeliveryKey> {
    match entry {
        Entry::Push(notice) => notice.keys.iter(),
        Entry::Ignored(ignored) => ignored.keys.iter(),
    }
}

fn received(of: &dyn Fn(&str, Timestamp, &str) -> Event, delivery_id: &str, source: &str, now: Timestamp) -> Event {
    of(ImageEvent::WebhookReceived.name(), now, &format!("0-{delivery_id}"))
        .with("source", source)
        .with("delivery_id", delivery_id)
}

/// One notice on its way.
struct Ingest<'a> {
    ports: &'a Ports,
    settings: &'a Settings,
    source: &'a str,
    notice: &'a PushNotice,
    now: Timestamp,
    cause: String,
}

impl Ingest<'_> {
    async fn entry(&self) -> Result<Vec<Told>, EngineError> {
        let (store, notice) = (&*self.ports.store, self.notice);
        if self.settings.allowed_registries.allows(&notice.repository).is_err() {
            return Ok(vec![self.told_ignored(IgnoreReason::RepositoryNotAllowed)]);
        }
        for key in &notice.keys {
            if let Some(before) = deliveries::get(store, self.source, key.as_str()).await? {
                return Ok(duplicates(&before.answer));
            }
        }
        // Nobody signs a time: one that lies ahead would make every later push stale.
        let event_time = notice.event_time.map(|at| at.min(self.now));
        if let Some(last) = tags::get(store, &notice.repository, &notice.tag).await? {
            if event_time.zip(last.event_time).is_some_and(|(this, last)| this < last) {
                return Ok(vec![self.told_ignored(IgnoreReason::Stale)]);
            }
            let soon = self.now.duration_since(last.accepted_at).as_secs() < SAME_NOTICE_SECONDS;
            if notice.digest.is_none() && last.digest.is_none() && soon {
                return Ok(duplicates(&last.answer));
            }
        }
        let told = self.match_policies().await?;
        self.remember(&told, event_time).await?;
        Ok(told)
    }

    fn told_ignored(&self, reason: IgnoreReason) -> Told {
        Told::of(self.notice, "ignored").because(reason.as_str())
    }

    async fn match_policies(&self) -> Result<Vec<Told>, EngineError> {
        let (store, notice) = (&*self.ports.store, self.notice);
        let policies = policies::all(store).await?;
        let image = notice.image();
        let mut matching: Vec<&Policy> =
            policies.iter().filter(|policy| policy.image_pattern.matches(&image)).collect();
        matching.sort_by(|a, b| a.name.cmp(&b.name));
        if matching.is_empty() {
            return Ok(vec![Told::of(notice, "no_policy")]);
        }
        let devices = device_images::all(store, &notice.repository).await?;
        let kept_out = heads::keeping_out(store, &notice.repository, notice.digest.as_ref()).await?;
        let mut told = Vec::new();
        for policy in matching {
            let affected = count(&devices, |device| owns(&policy.id, &policies, &image, device));
            let entry = Told { policy: Some(policy.name.clone()), ..Told::of(notice, "no_devices") };
            if affected == 0 {
                told.push(Told { affected_devices: Some(0), ..entry });
                continue;
            }
            told.push(self.roll_out(policy, affected, &kept_out, entry).await?);
        }
        Ok(told)
    }

    async fn roll_out(
        &self,
        policy: &Policy,
        affected: u32,
        kept_out: &[KeptOut],
        entry: Told,
    ) -> Result<Told, EngineError> {
        let (store, notice) = (&*self.ports.store, self.notice);
        // What this delivery led to under this policy is stored with the rollout itself: no repeat makes another.
        let marks: Vec<String> = notice.keys.iter().map(|key| format!("{}@{}", key.as_str(), policy.id)).collect();
        for mark in &marks {
            if let Some(before) = deliveries::get(store, self.source, mark).await? {
                return Ok(duplicates(&before.answer).pop().unwrap_or(entry));
            }
        }
        let id = RolloutId::new(self.now, self.ports.entropy.u128());
        let told = Told {
            status: "duplicate".to_owned(),
            rollout_id: Some(id.clone()),
            affected_devices: Some(affected),
            ..entry.clone()
        };
        let delivered = Delivered { answer: serde_json::to_value(&told).into_iter().collect() };
        let delivery_id = notice.keys.first().map_or(notice.tag.as_str(), DeliveryKey::as_str);
        let of = |name: &str, at, cause: &str| Event::of_rollout(&id, name, at, cause);
        let mut with = vec![events::put(&received(&of, delivery_id, self.source, self.now))];
        with.extend(marks.iter().map(|mark| deliveries::put(self.source, mark, &delivered, self.now)));
        let wanted = Wanted {
            policy,
            repository: &notice.repository,
            target: Pin { tag: Some(notice.tag.clone()), digest: notice.digest.clone() },
            triggered_by: Trigger::Webhook,
            retry_of: None,
            retry: false,
            overridden: None,
            kept_out,
            cause: &self.cause,
            id: id.clone(),
            with,
        };
        let created = create(self.ports, &wanted, self.now).await?;
        if let Admission::Bad(reason) = &created.admission {
            // Recorded, and ignored: automatic means do not repeat a known mistake.
            let event = Event::audit(ImageEvent::UpdateAvailable.name(), self.now, &format!("1-{}", self.cause))
                .with("image", notice.repository.as_str())
                .with("digest", notice.digest.as_ref().map(Digest::as_str))
                .with("policy", policy.name.as_str())
                .with("ignored", reason.as_str());
            store.write(&[events::put(&event)]).await?;
        }
        let entry = Told { bad_for: created.bad_for, ..entry };
        Ok(outcome(&created.admission, created.rollout_id, affected, entry))
    }

    /// Keeps the answer for repeats: by the sender's ids, and by the tag.
    async fn remember(&self, told: &[Told], event_time: Option<Timestamp>) -> Result<(), EngineError> {
        let notice = self.notice;
        let answer: Vec<serde_json::Value> = told.iter().filter_map(|told| serde_json::to_value(told).ok()).collect();
        let last =
            TagNotice { digest: notice.digest.clone(), event_time, accepted_at: self.now, answer: answer.clone() };
        let mut writes: Vec<Write> = vec![tags::put(&notice.repository, &notice.tag, &last)];
        let delivered = Delivered { answer };
        writes.extend(notice.keys.iter().map(|key| deliveries::put(self.source, key.as_str(), &delivered, self.now)));
        for write in writes {
            match self.ports.store.write(&[write]).await {
                // A twin was faster, or a newer push: its answer stays.
                Ok(()) | Err(WriteError::Refused(_) | WriteError::Conflict) => {}
                Err(WriteError::Store(error)) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// The answer's words for a decision.
pub(crate) fn outcome(admission: &Admission, created: Option<RolloutId>, affected: u32, entry: Told) -> Told {
    let (status, reason, rollout_id) = match admission {
        Admission::Start => ("rollout_created", None, created),
        Admission::Supersede(old) => ("superseding", Some(format!("supersedes {old}")), created),
        Admission::Wait { .. } => ("queued", None, created),
        Admission::Duplicate(twin) => ("duplicate", None, Some(twin.clone())),
        Admission::UpToDate(proven) => ("up_to_date", None, Some(proven.clone())),
        Admission::Bad(reason) => ("ignored", Some(format!("bad_digest: {reason}")), None),
        Admission::Ignored(live) => ("ignored", Some(format!("rollout {live} is live")), None),
    };
    Told { status: status.to_owned(), reason, rollout_id, affected_devices: Some(affected), ..entry }
}

fn duplicates(answer: &[serde_json::Value]) -> Vec<Told> {
    let before = answer.iter().filter_map(|told| serde_json::from_value::<Told>(told.clone()).ok());
    before.map(|told| if told.creates() { Told { status: "duplicate".to_owned(), ..told } } else { told }).collect()
}

pub(crate) fn count(devices: &[DeviceImage], of: impl Fn(&DeviceImage) -> bool) -> u32 {
    devices.iter().filter(|device| of(device)).count() as u32
}
