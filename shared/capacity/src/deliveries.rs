//! Deliveries in large stacks: what an answer, its repeat, what it leaves for later and the planning behind it take, given
//! a clock.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tidegate_domain::ids::{DeviceUuid, PolicyId};
use tidegate_domain::image::Repository;
use tidegate_domain::policy::{Origin, PolicyDefaults, RawPolicy, WrittenPolicy};
use tidegate_domain::webhook::{Delivery, Entry, Kind};
use tidegate_engine::entities::device_images::{self, DeviceImage};
use tidegate_engine::entities::policies;
use tidegate_engine::ports::{Job, Ports};
use tidegate_engine::settings::Settings;
use tidegate_engine::webhook::Ingested;
use tidegate_engine::{EngineError, plan, webhook};
use tidegate_testkit::entropy::SeededEntropy;
use tidegate_testkit::memory::MemoryPorts;

use crate::error::CapacityError;

const REPOSITORY: &str = "ghcr.io/acme/gateway";

/// A stack.
#[derive(Debug, Clone, Copy)]
pub struct Stack {
    /// Devices that run the pushed image's repository.
    pub devices: u32,
    /// Policies.
    pub policies: u32,
    /// How many of them are about the repository, each for a fleet of its own.
    pub matching: u32,
    /// Tags that one delivery tells of.
    pub entries: u32,
}

/// What was measured.
#[derive(Debug, Clone)]
pub struct Took {
    /// The answer.
    pub answer: Duration,
    /// The answer to the same delivery again.
    pub again: Duration,
    /// Freezing the order of the first rollout's devices.
    pub freezing: Duration,
    /// Rollouts that began with the answer.
    pub rollouts: usize,
    /// Those that the answer left for later, behind the queue, and what all of them took.
    pub later: usize,
    /// See [`Self::later`].
    pub behind: Duration,
    /// Read units of the answer.
    pub reads: f64,
    /// Write units of the answer.
    pub writes: f64,
}

/// Measures, by a clock that tells how long it has been running.
pub async fn measure(stack: Stack, clock: &(dyn Fn() -> Duration + Sync)) -> Result<Took, CapacityError> {
    let memory = MemoryPorts::default();
    let ports = memory.ports(Arc::new(SeededEntropy::new(18)));
    fill(&ports, stack).await?;
    let delivery = delivery(stack)?;
    let now = Timestamp::UNIX_EPOCH;
    let (begun, units) = (clock(), memory.store.meter().total());
    let told = ingest(&ports, &delivery, now).await?;
    let (answered, cost) = (clock(), memory.store.meter().total() - units);
    let again = ingest(&ports, &delivery, now).await?;
    let repeated = clock();
    if again.deliveries.iter().any(|told| told.status == "rollout_created") {
        return Err(CapacityError::Unexpected { wanted: "the first answer", what: format!("{again:?}") });
    }
    let created: Vec<_> = told.deliveries.iter().filter(|told| told.status == "rollout_created").collect();
    let first = created.first().and_then(|told| told.rollout_id.clone());
    let first = first
        .ok_or(CapacityError::Unexpected { wanted: "a rollout", what: format!("{:?}", told.deliveries.first()) })?;
    let later = told.deliveries.iter().filter(|told| told.status == "accepted").count();
    let before = clock();
    go_on(&memory, &ports, now).await?;
    let behind = clock().saturating_sub(before);
    let before = clock();
    plan::freeze(&ports, &first).await?;
    Ok(Took {
        answer: answered.saturating_sub(begun),
        again: repeated.saturating_sub(answered),
        freezing: clock().saturating_sub(before),
        rollouts: created.len(),
        later,
        behind,
        reads: cost.reads,
        writes: cost.writes,
    })
}

async fn ingest(ports: &Ports, delivery: &Delivery, now: Timestamp) -> Result<Ingested, EngineError> {
    webhook::ingest(ports, &Settings::default(), "bench", delivery, now).await
}

/// Does what the answer left for later, until nothing is left; what would come after that stays undone.
async fn go_on(memory: &MemoryPorts, ports: &Ports, now: Timestamp) -> Result<(), EngineError> {
    loop {
        let sent = memory.queues.take().into_iter().filter_map(|sent| match sent.job {
            Job::Deliver { source, delivery_id } => Some((source, delivery_id)),
            _ => None,
        });
        let left: BTreeSet<(String, String)> = sent.collect();
        if left.is_empty() {
            return Ok(());
        }
        for (source, delivery_id) in left {
            webhook::finish(ports, &Settings::default(), &source, &delivery_id, now).await?;
        }
    }
}

async fn fill(ports: &Ports, stack: Stack) -> Result<(), CapacityError> {
    let repository = repository()?;
    let fleets = stack.matching.max(1);
    for n in 0..stack.devices {
        let id = (ports.entropy.u128() ^ u128::from(n)).to_be_bytes();
        let image = DeviceImage {
            device_uuid: DeviceUuid(uuid::Builder::from_random_bytes(id).into_uuid()),
            fleet_id: format!("fleet-{:04}", n % fleets),
            tags: [("region".to_owned(), "eu".to_owned())].into(),
        };
        ports.store.write(&[device_images::put(&repository, &image)]).await.map_err(EngineError::from)?;
    }
    for n in 0..stack.policies {
        let about = if n < stack.matching { REPOSITORY.to_owned() } else { format!("{REPOSITORY}-{n:04}") };
        let raw = json!({
            "name": format!("policy-{n:04}"), "image_pattern": format!("{about}:*"), "fleet_id": format!("fleet-{n:04}"),
        });
        let wrong = |what: String| CapacityError::Unexpected { wanted: "a policy", what };
        let raw = RawPolicy::from_json("", &raw).map_err(|errors| wrong(format!("{errors:?}")))?;
        let id = PolicyId::trusted(format!("01POLICY{n:04}"));
        let policy = raw
            .validate(&PolicyDefaults::default(), id, Timestamp::UNIX_EPOCH, Origin::Api)
            .map_err(|errors| wrong(format!("{errors:?}")))?;
        ports.store.write(&[policies::create(&WrittenPolicy::from(&policy))]).await.map_err(EngineError::from)?;
    }
    Ok(())
}

fn delivery(stack: Stack) -> Result<Delivery, CapacityError> {
    let repository = repository()?;
    let entry = |n: u32| {
        let notice = json!({
            "repository": repository, "tag": format!("1.4.{n}"), "digest": format!("sha256:{n:064x}"),
            "keys": [format!("distribution/event/{n}")], "media_type": null, "event_time": null, "noted_host": null,
        });
        Ok(Entry::Push(serde_json::from_value(notice)?))
    };
    let entries = (0..stack.entries.max(1)).map(entry).collect::<Result<_, CapacityError>>()?;
    Ok(Delivery { kind: Kind::Distribution, body_sha256: "0".repeat(64), entries })
}

fn repository() -> Result<Repository, CapacityError> {
    Repository::parse(REPOSITORY)
        .map_err(|error| CapacityError::Unexpected { wanted: "a repository", what: error.to_string() })
}
