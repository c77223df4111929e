//! A fleet of simulated devices: enrolled, run side by side, looked at from outside, and kept for the next run.

mod enrol;
mod saved;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use tidegate_agent::agent::{Agent, Ended, Ports, Setting};
use tidegate_agent::image::Image;
use tidegate_agent::server::http::{Client, HttpLink};
use tidegate_agent::server::secret::Secret;
use tidegate_agent::simulated::{
    Durations, FaultProfile, NoStore, SimulatedContainers, SimulatedHost, SimulatedRuntime,
};
use tidegate_agent::state::memory::{Memory, Running};
use tidegate_agent::state::snapshot::{Doing, Snapshot, Tally};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;

use crate::api::Api;
use crate::device::faults::Lot;
use crate::device::link::LinkInTurns;

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
    agent: Agent<LinkInTurns, SimulatedRuntime<ProfileOnDevice>, SimulatedHost, NoStore>,
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
    pub(crate) fn start(api: &Api, devices: Vec<SavedDevice>, world: &World) -> Result<Self> {
        let concurrency = world.concurrency.max(1);
        let turns = Arc::new(Semaphore::new(concurrency));
        let url = api.connection().url.trim_end_matches('/');
        let client = Client::keeping(concurrency, url)?;
        let spread = devices.len() as f64 / FIRST_POLLS_PER_SECOND;
        let mut tasks = JoinSet::new();
        let mut members = Vec::new();
        for device in devices {
            let SavedDevice { number, uuid, token, memory, containers } = device;
            let lot = Lot::draw(world.seed, number, "device");
            let seen = watch::Sender::new(Snapshot { memory: memory.clone(), ..Snapshot::default() });
            let offline = world.is_offline(number);
            let profile_of = Arc::clone(&world.profile_of);
            let profile_of: ProfileOnDevice = Box::new(move |image| profile_of(number, image));
            let runtime = Arc::new(SimulatedRuntime::new(containers, profile_of, durations(lot)));
            if !offline {
                let known = uuid.parse().with_context(|| format!("device {number} has no uuid: {uuid}"))?;
                let link = HttpLink::new(client.clone(), url, known, Secret::new(&token));
                let link = LinkInTurns { link, turns: Arc::clone(&turns) };
                let ports =
                    Ports { link, runtime: Arc::clone(&runtime), host: Arc::new(SimulatedHost), store: NoStore };
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
            members.push(Member { number, uuid, token, offline, seen, runtime });
        }
        Ok(Self { members, tasks })
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

#[cfg(test)]
mod tests {
    use tidegate_agent::server::link::Link as _;
    use tidegate_agent::server::report::StateReport;

    use super::*;
    use crate::api::{Call, Caller};
    use crate::routes_in_memory::host;

    #[tokio::test]
    async fn a_device_whose_token_was_revoked_is_denied_and_runs_on() {
        let api = host().await;
        let image = Image { image: "docker.io/x/a:v1".to_owned(), digest: None };
        let kind = Kind { fleet: "f".to_owned(), service: "app".to_owned(), image, tags: BTreeMap::new() };
        let devices = enrol(&api, &kind, 0..2, 2, || {}).await.expect("enrolled");
        let uuid = devices[0].uuid.clone();
        // Somebody enrols as this device, and uses the token: that revokes the one from before.
        let allow = format!("/api/v1/devices/{uuid}/allow-reenrolment");
        api.post(allow, &serde_json::Value::Null).await.expect("allowed");
        let again = serde_json::json!({"uuid": uuid, "fleet_id": "f", "services": {}});
        let again = Call::new(reqwest::Method::POST, "/api/v1/devices", Caller::Provisioning).json(&again);
        let enrolled: serde_json::Value = api.once(&again).await.expect("taken").read().expect("JSON");
        let token = Secret::new(enrolled["token"].as_str().expect("a token"));
        let url = &api.connection().url;
        let client = Client::keeping(1, url).expect("a client");
        let nothing = StateReport { services: BTreeMap::new(), reports: Vec::new() };
        let mut link = HttpLink::new(client, url, uuid.parse().expect("a uuid"), token);
        link.report(&nothing).await.expect("taken");

        let profile_of: ProfileOf = Arc::new(|_, _| FaultProfile::Healthy);
        let world = World { profile_of, seed: 1, offline_rate: 0.0, concurrency: 2 };
        let fleet = Fleet::start(&api, devices, &world).expect("started");
        let both = async {
            while fleet.census() != BTreeMap::from([(Doing::Denied, 1), (Doing::Idle, 1)]) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), both).await.unwrap_or_else(|_| panic!("{:?}", fleet.census()));
        let denied = fleet.standings().into_iter().find(|one| one.uuid == uuid).expect("it is there");
        assert!(denied.running["app"].healthy && denied.tally.last_error.is_some_and(|why| why.contains("401")));
    }
}
