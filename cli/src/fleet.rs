//! A fleet of simulated devices: enrolled, run side by side, looked at from outside, and kept for the next run.

mod enrol;
mod saved;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tidegate_agent::agent::{Agent, Ended, Ports, Setting};
use tidegate_agent::image::Image;
use tidegate_agent::state::memory::{Memory, Running};
use tidegate_agent::simulated::{SimulatedContainers, Durations, FaultProfile, NoStore, SimulatedRuntime, SimulatedHost};
use tidegate_agent::state::snapshot::{Doing, Snapshot, Tally};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;

use crate::api::Api;
use crate::device::faults::Lot;
use crate::device::link::HttpLink;

pub(crate) use enrol::{Kind, enrol};
pub(crate) use saved::{SavedDevice, SavedFleet};

/// First polls are spread so that about this many come in a second.
const FIRST_POLLS_PER_SECOND: f64 = 60.0;

/// Tells what happens on the device of this number with this image.
pub(crate) type ProfileOf = Arc<dyn Fn(usize, &Image) -> FaultProfile + Send + Sync>;

/// What the devices of a fleet share.
#[derive(Clone)]
pub(crate) struct World {
    /// Their fates.
    pub(crate) profile_of: ProfileOf,
    /// Draws what is drawn.
    pub(crate) seed: u64,
    /// The share of devices that never call, from 0 to 1.
    pub(crate) offline_rate: f64,
    /// Calls that may be under way at once.
    pub(crate) concurrency: usize,
}

impl World {
    fn is_offline(&self, number: usize) -> bool {
        Lot::draw(self.seed, number, "offline").share() < self.offline_rate
    }
}

/// A running fleet. Dropping it ends its devices.
pub(crate) struct Fleet {
    members: Vec<Member>,
    tasks: JoinSet<()>,
}

/// A device of the fleet.
struct Member {
    number: usize,
    uuid: String,
    token: String,
    offline: bool,
    seen: watch::Sender<Snapshot>,
    runtime: Arc<SimulatedRuntime<ProfileOnDevice>>,
}

/// What happens on one device with an image.
type ProfileOnDevice = Box<dyn Fn(&Image) -> FaultProfile + Send + Sync>;

/// A device's life: until the server knows it no more, or it goes silent.
async fn live(
    agent: Agent<HttpLink, SimulatedRuntime<ProfileOnDevice>, SimulatedHost, NoStore>,
    runtime: Arc<SimulatedRuntime<ProfileOnDevice>>,
    seen: watch::Sender<Snapshot>,
    first: Duration,
) {
    tokio::select! {
        Ended::Deleted = agent.run(first) => {}
        () = runtime.gone() => seen.send_modify(|seen| seen.doing = Doing::Vanished),
    }
}

/// How a device stands, looked at from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The device.
    pub(crate) uuid: String,
    /// What it is doing.
    pub(crate) doing: Doing,
    /// It never calls.
    pub(crate) offline: bool,
    /// What runs, by service.
    pub(crate) running: BTreeMap<String, Running>,
    /// What the server told it to run, by service.
    pub(crate) wanted: BTreeMap<String, Image>,
    /// What it did.
    pub(crate) tally: Tally,
}

impl Fleet {
    /// Lets the devices run.
    pub(crate) fn start(api: &Api, devices: Vec<SavedDevice>, world: &World) -> Self {
        let turns = Arc::new(Semaphore::new(world.concurrency.max(1)));
        let spread = devices.len() as f64 / FIRST_POLLS_PER_SECOND;
        let mut tasks = JoinSet::new();
        let members = devices.into_iter().map(|device| {
            let SavedDevice { number, uuid, token, memory, containers } = device;
            let lot = Lot::draw(world.seed, number, "device");
            let seen = watch::Sender::new(Snapshot { memory: memory.clone(), ..Snapshot::default() });
            let offline = world.is_offline(number);
            let profile_of = Arc::clone(&world.profile_of);
            let profile_of: ProfileOnDevice = Box::new(move |image| profile_of(number, image));
            let runtime = Arc::new(SimulatedRuntime::new(containers, profile_of, durations(lot)));
            if !offline {
                let link = HttpLink::new(api.clone(), &uuid, &token, Arc::clone(&turns));
                let ports = Ports { link, runtime: Arc::clone(&runtime), host: Arc::new(SimulatedHost), store: NoStore };
                let setting = Setting {
                    draw: lot.seed(),
                    clock: Timestamp::now,
                    seen: seen.clone(),
                    wake: Arc::new(Notify::new()),
                };
                let agent = Agent::new(ports, memory, setting);
                let first = Duration::from_secs_f64(lot.share() * spread);
                tasks.spawn(live(agent, Arc::clone(&runtime), seen.clone(), first));
            }
            Member { number, uuid, token, offline, seen, runtime }
        });
        Self { members: members.collect(), tasks }
    }

    /// How many devices there are.
    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    /// How every device stands.
    pub(crate) fn standings(&self) -> Vec<Standing> {
        self.members.iter().map(Member::standing).collect()
    }

    /// How many devices do what.
    pub(crate) fn census(&self) -> BTreeMap<Doing, usize> {
        let mut census = BTreeMap::new();
        for member in self.members.iter().filter(|member| !member.offline) {
            *census.entry(member.look(|seen| seen.doing)).or_insert(0) += 1;
        }
        census
    }

    /// Devices that never call.
    pub(crate) fn offline(&self) -> usize {
        self.members.iter().filter(|member| member.offline).count()
    }

    /// The devices as the next run finds them.
    pub(crate) fn save(&self) -> Vec<SavedDevice> {
        self.members
            .iter()
            .map(|member| SavedDevice {
                number: member.number,
                uuid: member.uuid.clone(),
                token: member.token.clone(),
                memory: member.look(|seen| seen.memory.clone()),
                containers: member.runtime.containers_now(),
            })
            .collect()
    }

    /// Ends every device where it is.
    pub(crate) async fn stop(&mut self) {
        self.tasks.shutdown().await;
    }
}

impl Member {
    fn look<T>(&self, at: impl FnOnce(&Snapshot) -> T) -> T {
        at(&self.seen.borrow())
    }

    fn standing(&self) -> Standing {
        self.look(|seen| Standing {
            uuid: self.uuid.clone(),
            doing: seen.doing,
            offline: self.offline,
            running: seen.memory.running.clone(),
            wanted: seen
                .memory
                .target
                .iter()
                .flat_map(|target| &target.services)
                .map(|(n, s)| (n.clone(), s.image.clone()))
                .collect(),
            tally: seen.tally.clone(),
        })
    }
}

fn durations(lot: Lot) -> Durations {
    Durations::of_device(lot.share())
}

/// A device that runs this and has told nobody anything yet.
pub(crate) fn fresh(service: &str, image: &Image) -> (Memory, SimulatedContainers) {
    let services = || [(service.to_owned(), image.clone())];
    (Memory::running(services()), SimulatedContainers::running(services()))
}
