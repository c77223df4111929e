//! Devices come, leave, and are changed by hand.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::Rng;
use tidegate_domain::device::{Device, Running, Service, Track};
use tidegate_domain::ids::DeviceUuid;
use tidegate_domain::image::{ImageRef, Repository, Tag};
use tidegate_domain::pin::Pin;
use tidegate_domain::policy::WrittenPolicy;
use tidegate_engine::enrol;
use tidegate_engine::entities::device_images::{self, DeviceImage};
use tidegate_engine::entities::{devices, policies, policy_names};
use tidegate_engine::error::EngineError;
use tidegate_engine::ports::{Resolved, Store};

use super::agent::{Agent, SERVICE, Work};
use super::scenario::{FLEETS, REPOSITORY, TAG, digest};
use super::stage::{Event, Owner, Stage, Value};
use super::terse;
use crate::memory::Answer as RegistryAnswer;

const ZONES: [&str; 4] = ["Europe/Berlin", "America/Sao_Paulo", "Asia/Kolkata", "Mars/Olympus"];

fn repository() -> Repository {
    Repository::parse(REPOSITORY).expect("a repository")
}

/// The enrolment by which this device becomes known.
fn newcomer(device: &Device) -> enrol::Newcomer {
    let image = ImageRef::tagged(repository(), Tag::parse("v1").expect("a tag"));
    enrol::Newcomer {
        device_uuid: device.device_uuid,
        name: None,
        fleet_id: device.fleet_id.clone(),
        tags: device.tags.clone(),
        timezone: device.timezone.clone(),
        platform: None,
        services: BTreeMap::from([(SERVICE.to_owned(), image)]),
        token_hash: device.token_hash.clone(),
        current_token_hash: None,
        fleets: None,
    }
}

fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => unreachable!("the memory store answers at once"),
    }
}

impl Stage {
    pub(super) fn set_up_fleet(&mut self) {
        let store = Arc::clone(&self.memory.store);
        for policy in &self.scenario.policies {
            let policy = WrittenPolicy::from(policy);
            let name = policy_names::take(&policy, &policy_names::NameRecord::default());
            ready(store.write(&[policies::create(&policy), name])).expect("an empty store takes a policy");
        }
        self.oracle.watch_policies(&store);
        for push in self.scenario.pushes.clone() {
            let tag = Tag::parse(&format!("v{}", push.version)).expect("a tag");
            let image = ImageRef::tagged(repository(), tag);
            let answer = if push.resolvable {
                RegistryAnswer::Resolved(Resolved { digest: digest(push.content), platforms: BTreeMap::new() })
            } else {
                RegistryAnswer::NotPossible
            };
            self.memory.registry.set(image.clone(), answer.clone());
            if !push.resolvable {
                self.memory.registry.set(image.pinned(digest(push.content)), answer);
            }
        }
        for n in 0..self.scenario.devices {
            let device = self.new_device(FLEETS[self.scenario.fleets[n]]);
            let image = DeviceImage {
                device_uuid: device.device_uuid,
                fleet_id: device.fleet_id.clone(),
                tags: device.tags.clone(),
            };
            let writes = [devices::create(&device), device_images::put(&repository(), &image)];
            ready(store.write(&writes)).expect("an empty store takes devices");
            self.add_agent(&device);
            let first = self.rng.random_range(0..300_000);
            self.after(first, Event::Poll(n));
        }
    }

    fn new_device(&mut self, fleet: &str) -> Device {
        let uuid = uuid::Builder::from_random_bytes(self.rng.random()).into_uuid();
        let pin = Pin { tag: Some(Tag::parse("v1").expect("a tag")), digest: Some(digest(1)) };
        let running = Running {
            tag: pin.tag.clone(),
            digest: pin.digest.clone(),
            status: None,
            healthy: Some(true),
            before_swap: false,
        };
        // Some enrol with a tag alone; their first report tells the digest.
        let told = self.rng.random_range(0..4) > 0;
        let pin = Pin { digest: pin.digest.filter(|_| told), ..pin };
        let now = self.time();
        Device {
            device_uuid: DeviceUuid(uuid),
            rev: 1,
            name: None,
            fleet_id: fleet.to_owned(),
            tags: if uuid.as_bytes()[0].is_multiple_of(3) {
                BTreeMap::from([(TAG.to_owned(), "early".to_owned())])
            } else {
                BTreeMap::new()
            },
            timezone: Some(ZONES[self.rng.random_range(0..ZONES.len())].to_owned()),
            platform: None,
            token_hash: "hash".to_owned(),
            next_token_hash: None,
            reenrol_until: None,
            services: BTreeMap::from([(
                SERVICE.to_owned(),
                Service { repository: repository(), running: told.then_some(running) },
            )]),
            tracks: BTreeMap::from([(repository(), Track { baseline: Some(pin), ..Track::default() })]),
            enrolled_at: now,
            last_seen: now,
            deleted_at: None,
            log: Vec::new(),
        }
    }

    fn add_agent(&mut self, device: &Device) {
        let liar = self.one_in_thousand(self.scenario.lying);
        let terse = terse::drawn(self.seed, self.agents.len());
        let mut agent = Agent::new(device.device_uuid, ("v1".to_owned(), digest(1)), liar, terse);
        agent.untold = device.services.values().any(|service| service.running.is_none());
        self.agents.push(agent);
    }

    pub(super) fn join(&mut self) {
        let device = self.new_device(FLEETS[0]);
        let newcomer = newcomer(&device);
        let (ports, now) = (self.ports.clone(), self.time());
        let uuid = device.device_uuid;
        self.spawn_api(Owner::Join(uuid), async move {
            Value::Done(match enrol::enrol(&ports, &newcomer, now).await {
                Err(enrol::EnrolError::Engine(error)) => Err(error),
                Ok(_) | Err(_) => Ok(()),
            })
        });
    }

    /// It is enrolled, or half so: the agent lives all the same, and asks.
    pub(super) fn has_joined(&mut self, uuid: DeviceUuid, whole: bool) {
        if !whole {
            return;
        }
        self.coverage.met("fleet: a device joins");
        let liar = self.one_in_thousand(self.scenario.lying);
        let terse = terse::drawn(self.seed, self.agents.len());
        let mut agent = Agent::new(uuid, ("v1".to_owned(), digest(1)), liar, terse);
        agent.untold = true;
        self.agents.push(agent);
        let n = self.agents.len() - 1;
        self.after(1_000, Event::Poll(n));
    }

    pub(super) fn leave(&mut self, agent: usize) {
        let (ports, now, uuid) = (self.ports.clone(), self.time(), self.agents[agent].uuid);
        self.coverage.met("fleet: a device is deleted");
        self.spawn_api(
            Owner::Leave(agent),
            async move { Value::Done(enrol::delete(&ports, uuid, now).await.map(|_| ())) },
        );
    }

    /// An operator creates the narrower policy.
    pub(super) fn narrow(&mut self) {
        let Some((_, policy)) = self.scenario.narrow.clone() else { return };
        self.coverage.met("fleet: a narrower policy comes");
        self.tell(|| format!("operator: creates the policy {}", policy.name));
        let ports = self.ports.clone();
        self.spawn_api(Owner::Narrow, async move {
            let policy = WrittenPolicy::from(&policy);
            let name = policy_names::take(&policy, &policy_names::NameRecord::default());
            let write = ports.store.write(&[policies::create(&policy), name]).await;
            Value::Done(write.map_err(EngineError::from))
        });
    }

    pub(super) fn relocate(&mut self, agent: usize, fleet: usize) {
        let (ports, now, uuid) = (self.ports.clone(), self.time(), self.agents[agent].uuid);
        let fleet_id = FLEETS[fleet];
        self.coverage.met("fleet: a device is moved");
        self.tell(|| format!("operator: moves device {agent} to {fleet_id}"));
        let patch = enrol::Patch { fleet_id: Some(fleet_id.to_owned()), ..enrol::Patch::default() };
        self.spawn_api(Owner::Relocate(agent, fleet), async move {
            Value::Done(match enrol::patch(&ports, uuid, &patch, now).await {
                // It was deleted meanwhile.
                Err(EngineError::NotFound(_)) | Ok(_) => Ok(()),
                Err(error) => Err(error),
            })
        });
    }

    /// Somebody starts another image on a device that is at nothing.
    pub(super) fn change_by_hand(&mut self, n: usize, version: u32) {
        let now = self.now;
        let image = (format!("v{version}"), digest(self.scenario.content(version)));
        let agent = &mut self.agents[n];
        if agent.gone || agent.work != Work::Idle || agent.runs == image {
            return;
        }
        agent.runs = image;
        agent.healthy = true;
        agent.untold = true;
        agent.hand_at = Some(now);
        let (uuid, claims) = (agent.uuid, agent.claims());
        self.oracle.runs_something_else(uuid, claims);
        self.coverage.met("device: is changed by hand");
        self.tell(|| format!("somebody starts v{version} on device {n}"));
        self.after(500, Event::Tell(n));
    }
}
