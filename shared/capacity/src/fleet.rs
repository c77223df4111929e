//! A fleet with a policy, on a database of its own: what runs behind the devices' requests, with a clock of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use futures::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tidegate_domain::device::{Device, Running, Service, Track};
use tidegate_domain::ids::{DeviceUuid, PolicyId, RolloutId};
use tidegate_domain::image::{ImageRef, Repository};
use tidegate_domain::pin::Pin;
use tidegate_domain::policy::{Origin, PolicyDefaults, RawPolicy, WrittenPolicy};
use tidegate_domain::rollout::Rollout;
use tidegate_domain::webhook::{Delivery, Entry, Kind};
use tidegate_engine::entities::device_images::{self, DeviceImage};
use tidegate_engine::entities::{devices, events, policies, policy_names, rollouts, rows};
use tidegate_engine::memory::RolloutMemory;
use tidegate_engine::ports::{Change, Freshness, Job, Meter, Ports, Table, Units};
use tidegate_engine::settings::Settings;
use tidegate_engine::{EngineError, jobs, publish, record, step, webhook};
use tidegate_testkit::entropy::SeededEntropy;
use tidegate_testkit::memory::{MemoryBus, MemoryQueues, MemoryRegistry, MemoryScheduler, item_bytes};

use crate::error::CapacityError;
use crate::tables::{Place, Tables};

/// Calls of the database at the same time.
pub(crate) const AT_ONCE: usize = 16;

/// The service whose image is updated, and what it is updated from and to.
pub(crate) const SERVICE: &str = "app";
const OLD: &str = "ghcr.io/acme/gateway:1.4.1@sha256:";
const NEW: &str = "ghcr.io/acme/gateway:1.4.2@sha256:";

/// The only policy: what the mission sets, in every value that it leaves out.
const POLICY: &str = "gateways";
const PATTERN: &str = "ghcr.io/acme/gateway:*";

/// 2026-11-23T12:00:00Z: the clock's first moment.
const BEGIN: i64 = 1_795_435_200;

/// What was done without a device's request, and what it cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Work {
    /// Steps of the rollout.
    Step,
    /// The registry, asked for the digest.
    Resolve,
    /// Freezing the order and assigning devices.
    Plan,
    /// Looking for late devices.
    Deadlines,
    /// Going on with what is left of large deliveries.
    Deliver,
    /// The devices' stream.
    Record,
}

/// The fleet and everything behind it.
pub(crate) struct Fleet {
    pub(crate) ports: Ports,
    pub(crate) memory: RolloutMemory,
    pub(crate) now: Timestamp,
    pub(crate) devices: Vec<DeviceUuid>,
    pub(crate) new: ImageRef,
    /// Requests of devices so far.
    pub(crate) requests: AtomicU64,
    tables: Tables,
    meter: Arc<Meter>,
    queues: Arc<MemoryQueues>,
    scheduler: Arc<MemoryScheduler>,
    waiting: Vec<(Timestamp, Job)>,
    costs: BTreeMap<Work, Units>,
    largest: BTreeMap<Table, usize>,
}

impl Fleet {
    /// `size` devices that run the old image, and report so.
    pub(crate) async fn enrolled(place: Place, size: u32) -> Result<Self, CapacityError> {
        let tables = Tables::new(place).await?;
        let (queues, scheduler) = (Arc::<MemoryQueues>::default(), Arc::<MemoryScheduler>::default());
        let ports = Ports {
            store: tables.store(),
            queues: Arc::<MemoryQueues>::clone(&queues),
            scheduler: Arc::<MemoryScheduler>::clone(&scheduler),
            bus: Arc::<MemoryBus>::default(),
            registry: Arc::<MemoryRegistry>::default(),
            entropy: Arc::new(SeededEntropy::new(u64::from(size))),
        };
        let mut fleet = Self {
            memory: RolloutMemory::default(),
            now: Timestamp::from_second(BEGIN).unwrap_or(Timestamp::UNIX_EPOCH),
            devices: (0..size).map(|n| uuid(n, ports.entropy.u128())).collect(),
            new: image(NEW, 'b')?,
            requests: AtomicU64::new(0),
            meter: tables.meter(),
            tables,
            ports,
            queues,
            scheduler,
            waiting: Vec::new(),
            costs: BTreeMap::new(),
            largest: BTreeMap::new(),
        };
        fleet.store_policy().await?;
        fleet.store_devices().await?;
        fleet.record().await?;
        Ok(fleet)
    }

    async fn store_policy(&self) -> Result<(), CapacityError> {
        let id = PolicyId::new(self.now, 1);
        let policy = RawPolicy::new(POLICY, PATTERN)
            .validate(&PolicyDefaults::default(), id, self.now, Origin::Api)
            .map_err(CapacityError::Policy)?;
        let policy = WrittenPolicy::from(&policy);
        let writes = [policies::create(&policy), policy_names::take(&policy, &policy_names::NameRecord::default())];
        Ok(self.ports.store.write(&writes).await.map_err(EngineError::from)?)
    }

    async fn store_devices(&self) -> Result<(), CapacityError> {
        let old = image(OLD, 'a')?;
        let all = self.devices.iter().enumerate().map(|(n, device)| {
            let device = self.device(n, *device, &old);
            let image = DeviceImage {
                device_uuid: device.device_uuid,
                fleet_id: device.fleet_id.clone(),
                tags: device.tags.clone(),
            };
            let writes = [devices::create(&device), device_images::put(&old.repository, &image)];
            async move { self.ports.store.write(&writes).await.map_err(EngineError::from) }
        });
        Ok(stream::iter(all).buffer_unordered(AT_ONCE).try_collect::<()>().await?)
    }

    /// A device as its enrolment and its first report leave it, with everything that it can tell.
    fn device(&self, n: usize, device_uuid: DeviceUuid, old: &ImageRef) -> Device {
        let pin = Pin { tag: old.tag.clone(), digest: old.digest.clone() };
        let running = Running {
            tag: old.tag.clone(),
            digest: old.digest.clone(),
            status: Some("running".to_owned()),
            healthy: Some(true),
            before_swap: false,
        };
        let service = Service { repository: old.repository.clone(), running: Some(running) };
        Device {
            device_uuid,
            rev: 1,
            name: Some(format!("gateway-{n:06}")),
            fleet_id: "harbour".to_owned(),
            tags: BTreeMap::from([("site".to_owned(), format!("dock-{}", n % 40))]),
            timezone: Some("Europe/Berlin".to_owned()),
            platform: Some("linux/arm64/v8".to_owned()),
            // As long as the hash of a token in base 64.
            token_hash: "t".repeat(43),
            next_token_hash: None,
            reenrol_until: None,
            services: BTreeMap::from([(SERVICE.to_owned(), service)]),
            tracks: BTreeMap::from([(old.repository.clone(), Track { baseline: Some(pin), ..Track::default() })]),
            enrolled_at: self.now,
            last_seen: self.now,
            deleted_at: None,
            log: Vec::new(),
        }
    }

    /// The repository of the image.
    pub(crate) fn repository(&self) -> &Repository {
        &self.new.repository
    }

    /// What the call costs by itself.
    pub(crate) async fn cost<T>(&self, call: impl Future<Output = T>) -> (T, Units) {
        let before = self.meter.total();
        let done = call.await;
        (done, self.meter.total() - before)
    }

    /// What work of this kind has cost so far.
    pub(crate) fn cost_of(&self, work: Work) -> Units {
        self.costs.get(&work).copied().unwrap_or_default()
    }

    /// A registry tells of the new image; a rollout follows.
    pub(crate) async fn push(&self) -> Result<RolloutId, CapacityError> {
        let key = "ghcr/delivery/45c9331b-ae56-4fca-b2a5-8f4ad5e6b2cd";
        let notice = json!({
            "repository": self.repository(), "tag": self.new.tag, "digest": self.new.digest, "keys": [key],
            "media_type": null, "event_time": null, "noted_host": null,
        });
        let entries = vec![Entry::Push(serde_json::from_value(notice)?)];
        let delivery = Delivery { kind: Kind::Ghcr, body_sha256: "0".repeat(64), entries };
        let told = webhook::ingest(&self.ports, &Settings::default(), "default", &delivery, self.now).await?;
        let created = told.deliveries.iter().find_map(|told| told.rollout_id.clone());
        created.ok_or_else(|| CapacityError::Unexpected { wanted: "a new rollout", what: format!("{told:?}") })
    }

    /// The rollout as it is stored; outside of what is measured.
    pub(crate) async fn rollout(&self, id: &RolloutId) -> Result<Rollout, CapacityError> {
        let found = rollouts::get(&*self.ports.store, id, Freshness::Consistent).await?;
        Ok(found.ok_or(EngineError::NotFound("rollout"))?)
    }

    /// Size of the largest item, in bytes, that a streamed table was seen to have.
    pub(crate) fn largest(&self, table: Table) -> usize {
        self.largest.get(&table).copied().unwrap_or(0)
    }

    /// Size of the rollout's item in bytes.
    pub(crate) async fn rollout_bytes(&self, id: &RolloutId) -> Result<usize, CapacityError> {
        let item = self.ports.store.get(&rollouts::key(id), Freshness::Consistent).await.map_err(EngineError::from)?;
        Ok(item.as_ref().map_or(0, item_bytes))
    }

    /// Lets time pass.
    pub(crate) fn advance(&mut self, seconds: i64) {
        self.now = self.now.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX);
    }

    /// Lets time pass until a message or a wake-up is due. Says whether there is one.
    pub(crate) fn skip_to_next(&mut self) -> bool {
        let due = self.due();
        self.waiting.extend(due.into_iter().map(|job| (self.now, job)));
        let messages = self.waiting.iter().map(|(at, _)| *at);
        let next = messages.chain(self.scheduler.peek().into_iter().map(|wakeup| wakeup.at)).min();
        self.now = next.map_or(self.now, |at| at.max(self.now));
        next.is_some()
    }

    /// The sweep: a step of every live rollout.
    pub(crate) async fn sweep(&mut self) -> Result<(), CapacityError> {
        let (swept, cost) = self.cost(step::sweep(&self.ports, self.now)).await;
        swept?;
        *self.costs.entry(Work::Step).or_default() += cost;
        self.settle().await
    }

    /// Lets the consumers of streams catch up: the recorder, then the publisher.
    pub(crate) async fn record(&mut self) -> Result<Units, CapacityError> {
        let before = self.meter.total();
        for table in [Table::Devices, Table::DeviceRollouts, Table::Events] {
            loop {
                let changes = self.tables.next(table).await?;
                if changes.is_empty() {
                    break;
                }
                let sizes = changes.iter().filter_map(|change| change.new.as_deref()).map(item_bytes);
                let largest = self.largest.entry(table).or_default();
                *largest = sizes.fold(*largest, usize::max);
                consume(&self.ports, table, &changes, self.now).await?;
            }
        }
        let cost = self.meter.total() - before;
        *self.costs.entry(Work::Record).or_default() += cost;
        Ok(cost)
    }

    /// Lets everything happen that is due: the stream, messages, wake-ups; until nothing is left.
    pub(crate) async fn settle(&mut self) -> Result<(), CapacityError> {
        loop {
            self.record().await?;
            let jobs = self.due();
            if jobs.is_empty() {
                return Ok(());
            }
            for job in jobs {
                self.work(job).await?;
            }
        }
    }

    /// Takes the messages and wake-ups that are due.
    fn due(&mut self) -> Vec<Job> {
        for sent in self.queues.take() {
            let delay = SignedDuration::from_secs(i64::from(sent.delay_seconds));
            self.waiting.push((self.now.saturating_add(delay).unwrap_or(Timestamp::MAX), sent.job));
        }
        let wakeups = self.scheduler.take_due(self.now).into_iter();
        let mut jobs: Vec<Job> = wakeups.map(|wakeup| Job::Step { rollout_id: wakeup.rollout_id }).collect();
        let (due, later) = std::mem::take(&mut self.waiting).into_iter().partition(|(at, _)| *at <= self.now);
        self.waiting = later;
        jobs.extend(Vec::<(Timestamp, Job)>::into_iter(due).map(|(_, job)| job));
        jobs
    }

    async fn work(&mut self, job: Job) -> Result<(), CapacityError> {
        let (ports, memory, now) = (&self.ports, &self.memory, self.now);
        let before = self.meter.total();
        let kind = match job {
            Job::Step { .. } | Job::Keep { .. } => Work::Step,
            Job::Resolve { .. } => Work::Resolve,
            Job::Plan { .. } | Job::PlanPage { .. } => Work::Plan,
            Job::CheckDeadlines { .. } => Work::Deadlines,
            Job::Deliver { .. } => Work::Deliver,
        };
        jobs::run(ports, &Settings::default(), memory, &job, now).await?;
        *self.costs.entry(kind).or_default() += self.meter.total() - before;
        Ok(())
    }
}

/// What a stream's function does with a batch.
async fn consume(ports: &Ports, table: Table, changes: &[Change], now: Timestamp) -> Result<(), EngineError> {
    let mut entries = Vec::new();
    let mut images = Vec::new();
    for change in changes {
        let Some(new) = change.new.as_deref() else { continue };
        match table {
            Table::Devices => images.push(devices::parse(new.clone())?),
            Table::DeviceRollouts => {
                let old = change.old.as_deref().map(|old| rows::parse(old.clone())).transpose()?;
                entries.extend(publish::of_row(old.as_ref(), &rows::parse(new.clone())?));
            }
            Table::Events => entries.push(publish::of_event(&events::parse(new.clone())?)),
            Table::DeviceImages
            | Table::Policies
            | Table::Images
            | Table::Rollouts
            | Table::RolloutJournal
            | Table::Deliveries => {}
        }
    }
    record::record(ports, &images, now).await?;
    publish::publish(ports, &entries).await
}

/// A uuid as a device would make one, of version 4.
fn uuid(n: u32, random: u128) -> DeviceUuid {
    let bytes = (random ^ u128::from(n)).to_be_bytes();
    DeviceUuid(uuid::Builder::from_random_bytes(bytes).into_uuid())
}

fn image(reference: &str, digit: char) -> Result<ImageRef, CapacityError> {
    let text = format!("{reference}{}", digit.to_string().repeat(64));
    ImageRef::parse(&text).map_err(|error| CapacityError::Unexpected { wanted: "an image", what: error.to_string() })
}
