//! Policies that share an image, and deliveries of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tidegate_domain::ids::{DeviceUuid, PolicyId};
use tidegate_domain::image::Repository;
use tidegate_domain::policy::{Origin, PolicyDefaults, RawPolicy, WrittenPolicy};
use tidegate_domain::rollout::Rollout;
use tidegate_domain::webhook::{Delivery, Entry, Kind};
use tidegate_engine::entities::device_images::{self, DeviceImage};
use tidegate_engine::entities::policies;
use tidegate_engine::ports::{Job, Ports, Table};
use tidegate_engine::settings::Settings;
use tidegate_engine::webhook::{Ingested, ingest};
use tidegate_engine::{EngineError, webhook};
use tidegate_testkit::entropy::SeededEntropy;
use tidegate_testkit::memory::MemoryPorts;

pub(crate) const SOURCE: &str = "docker-registry";
pub(crate) const REPOSITORY: &str = "docker.io/acme/app";

/// Policies `p1`, `p2`, …, each for a fleet of one device, and an answer that has two rollouts.
pub(crate) struct World {
    pub(crate) memory: MemoryPorts,
    pub(crate) ports: Ports,
    pub(crate) settings: Settings,
    pub(crate) now: Timestamp,
}

impl World {
    pub(crate) async fn new(policies: u32) -> Self {
        let memory = MemoryPorts::default();
        let ports = memory.ports(Arc::new(SeededEntropy::new(5)));
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let settings = Settings::default().with_rollouts_per_answer(2);
        let world = Self { memory, ports, settings, now };
        for n in 1..=policies {
            world.policy(n, REPOSITORY).await;
        }
        world
    }

    pub(crate) async fn policy(&self, n: u32, repository: &str) {
        let (name, fleet) = (format!("p{n}"), format!("f{n}"));
        let raw = json!({
            "name": name, "image_pattern": format!("{repository}:*"), "fleet_id": fleet, "update_strategy": "manual",
        });
        let id = PolicyId::trusted(format!("01P{n}"));
        let policy = RawPolicy::from_json("", &raw)
            .unwrap()
            .validate(&PolicyDefaults::default(), id, self.now, Origin::Api)
            .unwrap();
        let device_uuid = DeviceUuid(uuid::Uuid::from_u128(u128::from(n) << 64 | 0x4000_8000_0000_0000));
        let image = DeviceImage { device_uuid, fleet_id: fleet, tags: BTreeMap::new() };
        let writes = [policies::create(&WrittenPolicy::from(&policy))];
        self.ports.store.write(&writes).await.unwrap();
        let writes = [device_images::put(&Repository::parse(repository).unwrap(), &image)];
        self.ports.store.write(&writes).await.unwrap();
    }

    pub(crate) fn pass(&mut self, seconds: i64) {
        self.now = self.now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
    }

    pub(crate) async fn deliver(&self, ports: &Ports, delivery: &Delivery) -> Result<Ingested, EngineError> {
        ingest(ports, &self.settings, SOURCE, delivery, self.now).await
    }

    pub(crate) async fn told(&self, delivery: &Delivery) -> Vec<String> {
        statuses(&self.deliver(&self.ports, delivery).await.unwrap())
    }

    /// Lets queues run dry; messages that are held back are not among them.
    pub(crate) async fn settle(&self) {
        self.memory.settle(&self.ports, &self.settings, self.now).await.unwrap();
    }

    /// Takes the messages of deliveries out of the queue.
    pub(crate) fn held(&self) -> Vec<(String, String)> {
        let sent = self.memory.queues.take().into_iter().map(|sent| sent.job);
        sent.filter_map(|job| match job {
            Job::Deliver { source, delivery_id } => Some((source, delivery_id)),
            _ => None,
        })
        .collect()
    }

    pub(crate) async fn finish(&self, held: &[(String, String)]) {
        for (source, delivery_id) in held {
            webhook::finish(&self.ports, &self.settings, source, delivery_id, self.now).await.unwrap();
        }
        self.settle().await;
    }

    pub(crate) fn rollouts(&self) -> Vec<Rollout> {
        let items = self.memory.store.peek_all(Table::Rollouts);
        let rollouts = items.iter().filter(|item| item.contains_key("status"));
        rollouts.map(|item| serde_json::from_value(Value::Object((**item).clone())).unwrap()).collect()
    }

    /// The tag that each policy's newest rollout brings.
    pub(crate) fn newest(&self) -> BTreeMap<String, String> {
        let mut rollouts = self.rollouts();
        rollouts.sort_by_key(|rollout| rollout.generation);
        rollouts.into_iter().map(|it| (it.policy, it.target.tag.unwrap().as_str().to_owned())).collect()
    }

    pub(crate) fn events(&self, name: &str) -> Vec<Value> {
        let items = self.memory.store.peek_all(Table::Events);
        let items = items.iter().map(|item| Value::Object((**item).clone()));
        items.filter(|event| event["name"] == name).collect()
    }
}

pub(crate) fn notice(repository: &str, key: Option<&str>, tag: &str, digest: Option<u32>) -> Entry {
    let notice = json!({
        "repository": repository, "tag": tag, "digest": digest.map(|digit| format!("sha256:{digit:064x}")),
        "keys": key.into_iter().collect::<Vec<_>>(), "media_type": null, "event_time": null, "noted_host": null,
    });
    Entry::Push(serde_json::from_value(notice).unwrap())
}

pub(crate) fn delivery(entries: Vec<Entry>) -> Delivery {
    Delivery { kind: Kind::Distribution, body_sha256: "0".repeat(64), entries }
}

pub(crate) fn push(key: &str, tag: &str, digest: u32) -> Delivery {
    delivery(vec![notice(REPOSITORY, Some(key), tag, Some(digest))])
}

pub(crate) fn statuses(told: &Ingested) -> Vec<String> {
    let entry = |told: &webhook::DeliveryOutcome| {
        let reason = told.reason.as_deref().map(|reason| format!(" {reason}")).unwrap_or_default();
        format!("{} {}{reason}", told.policy.as_deref().unwrap_or("-"), told.status)
    };
    told.deliveries.iter().map(entry).collect()
}
