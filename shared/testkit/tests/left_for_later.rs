//! Deliveries that more policies match than one answer has rollouts for: what is left is done behind the queue, once,
//! wherever somebody dies on the way, and never overtakes what came after it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tidegate_domain::ids::{DeviceUuid, PolicyId};
use tidegate_domain::image::{ImageRef, Repository};
use tidegate_domain::policy::{Origin, PolicyDefaults, RawPolicy, Wish, WrittenPolicy};
use tidegate_domain::rollout::Rollout;
use tidegate_domain::webhook::{Delivery, Entry, Kind};
use tidegate_engine::entities::device_images::{self, DeviceImage};
use tidegate_engine::entities::policies;
use tidegate_engine::ports::{
    Freshness, Item, Job, Key, Page, Ports, Query, QueueError, Queues, Store, StoreError, Table, Write, WriteError,
};
use tidegate_engine::settings::Settings;
use tidegate_engine::trigger::{TriggerRequest, trigger};
use tidegate_engine::webhook::{Ingested, Replay, ingest, replay};
use tidegate_engine::{EngineError, step, webhook};
use tidegate_testkit::entropy::SeededEntropy;
use tidegate_testkit::memory::MemoryPorts;

const SOURCE: &str = "docker-registry";
const REPOSITORY: &str = "docker.io/acme/app";

/// Policies `p1`, `p2`, …, each for a fleet of one device, and an answer that has two rollouts.
struct World {
    memory: MemoryPorts,
    ports: Ports,
    settings: Settings,
    now: Timestamp,
}

impl World {
    async fn new(policies: u32) -> Self {
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

    async fn policy(&self, n: u32, repository: &str) {
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

    fn pass(&mut self, seconds: i64) {
        self.now = self.now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
    }

    async fn deliver(&self, ports: &Ports, delivery: &Delivery) -> Result<Ingested, EngineError> {
        ingest(ports, &self.settings, SOURCE, delivery, self.now).await
    }

    async fn told(&self, delivery: &Delivery) -> Vec<String> {
        statuses(&self.deliver(&self.ports, delivery).await.unwrap())
    }

    /// Lets queues run dry; messages that are held back are not among them.
    async fn settle(&self) {
        self.memory.settle(&self.ports, &self.settings, self.now).await.unwrap();
    }

    /// Takes the messages of deliveries out of the queue.
    fn held(&self) -> Vec<(String, String)> {
        let sent = self.memory.queues.take().into_iter().map(|sent| sent.job);
        sent.filter_map(|job| match job {
            Job::Deliver { source, delivery_id } => Some((source, delivery_id)),
            _ => None,
        })
        .collect()
    }

    async fn finish(&self, held: &[(String, String)]) {
        for (source, delivery_id) in held {
            webhook::finish(&self.ports, &self.settings, source, delivery_id, self.now).await.unwrap();
        }
        self.settle().await;
    }

    fn rollouts(&self) -> Vec<Rollout> {
        let items = self.memory.store.peek_all(Table::Rollouts);
        let rollouts = items.iter().filter(|item| item.contains_key("status"));
        rollouts.map(|item| serde_json::from_value(Value::Object((**item).clone())).unwrap()).collect()
    }

    /// The tag that each policy's newest rollout brings.
    fn newest(&self) -> BTreeMap<String, String> {
        let mut rollouts = self.rollouts();
        rollouts.sort_by_key(|rollout| rollout.generation);
        rollouts.into_iter().map(|it| (it.policy, it.target.tag.unwrap().as_str().to_owned())).collect()
    }

    fn events(&self, name: &str) -> Vec<Value> {
        let items = self.memory.store.peek_all(Table::Events);
        let items = items.iter().map(|item| Value::Object((**item).clone()));
        items.filter(|event| event["name"] == name).collect()
    }
}

fn notice(repository: &str, key: Option<&str>, tag: &str, digest: Option<u32>) -> Entry {
    let notice = json!({
        "repository": repository, "tag": tag, "digest": digest.map(|digit| format!("sha256:{digit:064x}")),
        "keys": key.into_iter().collect::<Vec<_>>(), "media_type": null, "event_time": null, "noted_host": null,
    });
    Entry::Push(serde_json::from_value(notice).unwrap())
}

fn delivery(entries: Vec<Entry>) -> Delivery {
    Delivery { kind: Kind::Distribution, body_sha256: "0".repeat(64), entries }
}

fn push(key: &str, tag: &str, digest: u32) -> Delivery {
    delivery(vec![notice(REPOSITORY, Some(key), tag, Some(digest))])
}

fn statuses(told: &Ingested) -> Vec<String> {
    let entry = |told: &webhook::Told| {
        let reason = told.reason.as_deref().map(|reason| format!(" {reason}")).unwrap_or_default();
        format!("{} {}{reason}", told.policy.as_deref().unwrap_or("-"), told.status)
    };
    told.deliveries.iter().map(entry).collect()
}

#[tokio::test]
async fn two_at_once_and_three_behind_the_queue() {
    let mut world = World::new(5).await;
    let first = push("e1", "v2", 2);
    let answer = world.deliver(&world.ports, &first).await.unwrap();
    let expected = ["p1 rollout_created", "p2 rollout_created", "p3 accepted", "p4 accepted", "p5 accepted"];
    assert_eq!(statuses(&answer), expected);
    let later = &answer.deliveries[2];
    assert_eq!((later.rollout_id.as_ref(), later.affected_devices), (None, Some(1)));
    assert_eq!(world.rollouts().len(), 2);
    let again = ["p1 duplicate", "p2 duplicate", "p3 accepted", "p4 accepted", "p5 accepted"];
    assert_eq!(world.told(&first).await, again, "nothing more is known yet");
    world.pass(3);
    world.settle().await;
    assert_eq!(world.rollouts().len(), 5);
    assert!(world.rollouts().iter().all(|rollout| rollout.news.as_ref().unwrap().taken_at < world.now));
    let repeat = world.deliver(&world.ports, &first).await.unwrap();
    assert_eq!(statuses(&repeat), (1..=5).map(|n| format!("p{n} duplicate")).collect::<Vec<_>>());
    let ids: BTreeSet<_> = repeat.deliveries.iter().map(|told| told.rollout_id.clone().unwrap()).collect();
    assert_eq!(ids, world.rollouts().into_iter().map(|rollout| rollout.rollout_id).collect());
    assert!(repeat.deliveries.iter().all(|told| told.tag.as_deref() == Some("v2") && told.digest.is_some()));
    assert!(world.held().is_empty(), "nobody is to go on with what is finished");
    assert_eq!(world.events("image.webhook_received").iter().filter(|it| it["stream"] != "audit").count(), 5);
}

#[tokio::test]
async fn up_to_the_limit_nothing_is_left() {
    let world = World::new(2).await;
    assert_eq!(world.told(&push("e1", "v2", 2)).await, ["p1 rollout_created", "p2 rollout_created"]);
    assert!(world.held().is_empty());
}

/// What is counted is what is pushed for somebody, over all repositories of the delivery.
#[tokio::test]
async fn several_repositories_and_tags() {
    let other = "docker.io/acme/other";
    let world = World::new(2).await;
    for n in 3..=5 {
        world.policy(n, other).await;
    }
    let both = delivery(vec![
        notice(other, Some("e1"), "v2", Some(2)),
        notice(REPOSITORY, Some("e2"), "v2", Some(3)),
        notice(REPOSITORY, Some("e3"), "latest", Some(3)),
        notice(other, Some("e4"), "v1", Some(1)),
    ]);
    let told = world.told(&both).await;
    let expected = [
        "p3 accepted",
        "p4 accepted",
        "p5 accepted",
        "p1 rollout_created",
        "p2 accepted",
        "p1 duplicate",
        "p2 accepted",
        "p3 accepted",
        "p4 accepted",
        "p5 accepted",
    ];
    assert_eq!(told, expected);
    world.settle().await;
    let newest = [("p1", "v2"), ("p2", "v2"), ("p3", "v1"), ("p4", "v1"), ("p5", "v1")];
    assert_eq!(world.newest(), newest.map(|(policy, tag)| (policy.to_owned(), tag.to_owned())).into());
    assert_eq!(world.rollouts().len(), 5, "a rollout for each, of the last that was told");
    let repeat = world.told(&both).await;
    assert_eq!(repeat[..3], ["p3", "p4", "p5"].map(|policy| format!("{policy} ignored newer_in_delivery: v1")));
    assert!(repeat[3..].iter().all(|told| told.ends_with("duplicate")), "{repeat:?}");
}

#[tokio::test]
async fn what_comes_after_it_is_not_overtaken() {
    let mut world = World::new(5).await;
    world.told(&push("e1", "v2", 2)).await;
    let held = world.held();
    assert_eq!(held.len(), 1);
    world.pass(1);
    // A person is faster at p3, and another push at the others.
    let request = TriggerRequest {
        image: ImageRef::parse(&format!("{REPOSITORY}:v7@sha256:{:064x}", 7)).unwrap(),
        wish: Wish::default(),
        reason: None,
        retry: None,
        fleet_id: Some("f3".to_owned()),
        device_tags: BTreeMap::new(),
    };
    trigger(&world.ports, &world.settings, &request, world.now).await.unwrap();
    world.pass(1);
    world.settings = world.settings.with_rollouts_per_answer(4);
    let mut newer = push("e2", "v3", 3);
    world.policy(6, REPOSITORY).await;
    let told = world.told(&newer).await;
    assert_eq!(told[3..], ["p4 rollout_created", "p5 accepted", "p6 accepted"]);
    let newer_held = world.held();
    world.pass(1);
    world.finish(&newer_held).await;
    world.settings = world.settings.with_rollouts_per_answer(2);
    world.pass(1);
    world.finish(&held).await;
    assert!(world.newest().values().all(|tag| tag == "v3"), "{:?}", world.newest());
    let told = world.told(&push("e1", "v2", 2)).await;
    let overtaken = (3..=6).map(|n| format!("p{n} ignored overtaken"));
    assert_eq!(told[2..], overtaken.take(3).collect::<Vec<_>>());
    let events = world.events("image.update_stale");
    let policies: BTreeSet<&str> = events.iter().filter_map(|event| event["detail"]["policy"].as_str()).collect();
    assert_eq!(policies, ["p3", "p4", "p5", "p6"].into(), "p6 is new, and was asked as well");
    assert_eq!(events[0]["detail"]["reason"], "overtaken");
    // It came before, and so it goes on where nothing came after it.
    newer = push("e3", "v4", 4);
    world.told(&newer).await;
    world.settle().await;
    assert!(world.newest().values().all(|tag| tag == "v4"));
    // A person can have it all the same.
    let asked = Replay { source: SOURCE, delivery_id: "e1", force: false, reason: None };
    world.pass(1);
    replay(&world.ports, &world.settings, &asked, world.now).await.unwrap().expect("it is kept");
    world.settle().await;
    assert!(world.newest().values().all(|tag| tag == "v2"), "{:?}", world.newest());
}

/// The last of equal contents that tell no time is what counts.
#[tokio::test]
async fn what_was_told_again_meanwhile_stays() {
    let mut world = World::new(3).await;
    world.told(&push("e1", "v2", 2)).await;
    world.settle().await;
    world.pass(1);
    world.told(&push("e2", "v3", 3)).await;
    let held = world.held();
    world.pass(1);
    world.told(&push("e3", "v2", 2)).await;
    world.settle().await;
    world.finish(&held).await;
    assert!(world.newest().values().all(|tag| tag == "v2"), "{:?}", world.newest());
}

#[tokio::test]
async fn messages_that_are_lost_or_come_twice() {
    let mut world = World::new(9).await;
    let first = push("e1", "v2", 2);
    world.told(&first).await;
    let held = world.held();
    step::sweep(&world.ports, world.now).await.unwrap();
    assert_eq!(world.held(), held, "the sweep sends what was lost");
    let twice = [held.clone(), held.clone()].concat();
    world.finish(&twice).await;
    assert_eq!(world.rollouts().len(), 9);
    world.pass(60);
    step::sweep(&world.ports, world.now).await.unwrap();
    assert!(world.held().is_empty(), "it is finished");
    world.finish(&held).await;
    world.finish(&[(SOURCE.to_owned(), "gone".to_owned())]).await;
    assert_eq!(world.rollouts().len(), 9);
    assert!(world.told(&first).await.iter().all(|told| told.ends_with("duplicate")));
}

/// Two pushes within a second have one key, and some senders give none: what is left of them is not mixed up.
#[tokio::test]
async fn without_a_key_of_its_own() {
    let mut world = World::new(5).await;
    let nameless = |tag: &str, digest| delivery(vec![notice(REPOSITORY, None, tag, Some(digest))]);
    world.told(&nameless("v2", 2)).await;
    let held = world.held();
    let twice = [held.clone(), held].concat();
    world.pass(1);
    world.told(&nameless("v3", 3)).await;
    let newer = world.held();
    world.finish(&twice).await;
    assert_eq!(world.rollouts().len(), 5 + 2, "p1 and p2 have both");
    world.finish(&newer).await;
    assert!(world.newest().values().all(|tag| tag == "v3"), "{:?}", world.newest());
    assert_eq!(world.rollouts().len(), 5 + 5);
}

/// How a call ends that is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    Before,
    After,
}

/// Ports of which one call fails, before or after its effect, and every one after it: a function that dies there.
struct Dying {
    store: Arc<dyn Store>,
    queues: Arc<dyn Queues>,
    left: AtomicU32,
    cut: Cut,
}

#[derive(Debug, thiserror::Error)]
#[error("the function died")]
struct Died;

impl Dying {
    /// Whether the call has its effect, and whether it is answered.
    fn call(&self) -> (bool, bool) {
        let left = self.left.load(Ordering::Relaxed);
        self.left.store(left.saturating_sub(1), Ordering::Relaxed);
        match left {
            0 => (false, false),
            1 => (self.cut == Cut::After, false),
            _ => (true, true),
        }
    }

    fn read(&self) -> Result<(), StoreError> {
        if self.call().1 { Ok(()) } else { Err(StoreError::Unavailable(Box::new(Died))) }
    }
}

#[async_trait]
impl Store for Dying {
    async fn get(&self, key: &Key, freshness: Freshness) -> Result<Option<Item>, StoreError> {
        self.read()?;
        self.store.get(key, freshness).await
    }

    async fn query(&self, query: &Query) -> Result<Page, StoreError> {
        self.read()?;
        self.store.query(query).await
    }

    async fn scan(&self, table: Table, after: Option<&str>, limit: Option<u32>) -> Result<Page, StoreError> {
        self.read()?;
        self.store.scan(table, after, limit).await
    }

    async fn write(&self, writes: &[Write]) -> Result<(), WriteError> {
        let (effect, answered) = self.call();
        let written = if effect { self.store.write(writes).await } else { Ok(()) };
        if answered { written } else { Err(StoreError::Unavailable(Box::new(Died)).into()) }
    }
}

#[async_trait]
impl Queues for Dying {
    async fn send(&self, jobs: &[Job], delay_seconds: u32) -> Result<(), QueueError> {
        let (effect, answered) = self.call();
        if effect {
            self.queues.send(jobs, delay_seconds).await?;
        }
        if answered { Ok(()) } else { Err(QueueError(Box::new(Died))) }
    }
}

impl World {
    fn dying(&self, calls: u32, cut: Cut) -> Ports {
        let (store, queues) = (Arc::clone(&self.ports.store), Arc::clone(&self.ports.queues));
        let dying = Arc::new(Dying { store, queues, left: AtomicU32::new(calls), cut });
        Ports { store: Arc::<Dying>::clone(&dying), queues: dying, ..self.ports.clone() }
    }
}

#[tokio::test]
async fn whoever_dies_loses_nothing_and_doubles_nothing() {
    for cut in [Cut::Before, Cut::After] {
        for digest in [Some(2), None] {
            for repeats in [true, false] {
                let mut calls = 1;
                loop {
                    let label = format!("{cut:?} call {calls}, digest {digest:?}, repeats: {repeats}");
                    let mut world = World::new(7).await;
                    let first = delivery(vec![notice(REPOSITORY, Some("e1"), "v2", digest)]);
                    let answered = world.deliver(&world.dying(calls, cut), &first).await.is_ok();
                    if answered {
                        assert!(calls > 10, "{label}");
                        break;
                    }
                    world.pass(15);
                    if repeats {
                        world.told(&first).await;
                    }
                    step::sweep(&world.ports, world.now).await.unwrap();
                    world.settle().await;
                    let rollouts = world.rollouts().len();
                    // A sender that does not repeat may have told nobody; but what was taken is finished.
                    assert!(rollouts == 7 || !repeats && rollouts <= 2, "{label}: {rollouts}");
                    let told = world.told(&first).await;
                    world.settle().await;
                    assert_eq!(world.rollouts().len(), 7, "{label}: {told:?}");
                    assert!(
                        !told.iter().any(|told| told.ends_with("rollout_created")) || !repeats,
                        "{label}: {told:?}"
                    );
                    calls += 1;
                }
            }
        }
    }
}

#[tokio::test]
async fn whoever_dies_behind_the_queue_is_gone_on_after() {
    for cut in [Cut::Before, Cut::After] {
        for digest in [Some(2), None] {
            let mut calls = 1;
            loop {
                let label = format!("{cut:?} call {calls}, digest {digest:?}");
                let mut world = World::new(9).await;
                let first = delivery(vec![notice(REPOSITORY, Some("e1"), "v2", digest)]);
                world.told(&first).await;
                let held = world.held();
                let (source, delivery_id) = &held[0];
                let ports = world.dying(calls, cut);
                let done = webhook::finish(&ports, &world.settings, source, delivery_id, world.now).await;
                world.pass(90);
                if done.is_err() {
                    world.finish(&held).await;
                } else {
                    assert!(calls > 10, "{label}");
                }
                step::sweep(&world.ports, world.now).await.unwrap();
                world.settle().await;
                assert_eq!(world.rollouts().len(), 9, "{label}");
                let told = world.told(&first).await;
                assert!(told.len() == 9 && told.iter().all(|told| told.ends_with("duplicate")), "{label}: {told:?}");
                if done.is_ok() {
                    break;
                }
                calls += 1;
            }
        }
    }
}
