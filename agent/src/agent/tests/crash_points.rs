//! The agent crashes at every call, and again at every call of what comes after: whatever was started ends in the new
//! image, healthy, or the old one, running, and the server hears one true story.

mod failpoint;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use tidegate_domain::event::DeviceEvent;

use self::failpoint::{CrashingRuntime, CrashingStore, Failpoint, lock};
use super::*;
use crate::container_spec::Strategy;
use crate::runtime::Place;
use crate::server::report::Taken;
use crate::server::target::TargetState;
use crate::simulated::{Durations, FaultProfile, SimulatedContainers, SimulatedHost, SimulatedRuntime};

type Simulated = SimulatedRuntime<Box<dyn Fn(&Image) -> FaultProfile + Send + Sync>>;

/// How far the device is, as the server sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Offered,
    Pulled,
    Healthy,
    Failed,
    Reverting,
    RolledBack,
}

/// The server, as far as one rollout on one device goes.
struct Server {
    progress: Progress,
    services: Vec<&'static str>,
    /// Everything is taken back once it is healthy.
    takes_back: bool,
    passed: Vec<String>,
    heard: BTreeMap<(u32, u32), DeviceEvent>,
    runs: BTreeMap<String, (String, bool)>,
}

impl Server {
    fn target(&self) -> TargetState {
        let (tag, rollout) = match self.progress {
            Progress::Offered => ("v2", Some(("update", "download", 1))),
            Progress::Pulled => ("v2", Some(("update", "swap", 1))),
            Progress::Healthy => ("v2", None),
            Progress::Failed | Progress::Reverting => ("v1", Some(("rollback", "swap", 1))),
            Progress::RolledBack => ("v1", None),
        };
        let Answer::Target(mut one) = super::target(tag, rollout) else { unreachable!("a target") };
        let service = one["services"]["app"].take();
        one["services"] = self.services.iter().map(|name| ((*name).to_owned(), service.clone())).collect();
        serde_json::from_value(one).expect("a target")
    }

    fn hear(&mut self, body: &StateReport) {
        for (name, runs) in &body.services {
            let tag = runs.image.rsplit(':').next().unwrap_or_default().to_owned();
            self.runs.insert(name.clone(), (tag, runs.healthy));
        }
        for report in &body.reports {
            let place = (report.attempt, report.seq);
            let known = self.heard.insert(place, report.event);
            if let Some(known) = known {
                assert_eq!(known, report.event, "one number {place:?} for two reports");
                continue;
            }
            self.progress = match (self.progress, report.event) {
                (Progress::Offered, DeviceEvent::ImagePulled) => Progress::Pulled,
                (Progress::Offered | Progress::Pulled, DeviceEvent::HealthCheckPassed) => {
                    self.passed.push(report.service.clone());
                    let all = self.passed.len() == self.services.len();
                    if all && self.takes_back {
                        Progress::Reverting
                    } else if all {
                        Progress::Healthy
                    } else {
                        Progress::Pulled
                    }
                }
                (_, DeviceEvent::HealthCheckFailed | DeviceEvent::UpdateFailed) => Progress::Failed,
                (_, DeviceEvent::RolledBack) => Progress::RolledBack,
                (progress, _) => progress,
            };
        }
    }
}

/// The way to it, which breaks like everything else: then nobody knows whether a word arrived.
struct Line {
    server: Arc<Mutex<Server>>,
    failpoint: Arc<Failpoint>,
}

impl Link for Line {
    async fn poll(&mut self, _known: &[String]) -> Result<Polled, LinkError> {
        self.failpoint.pass().await;
        let target = lock(&self.server).target();
        Ok(Polled::Target { target, etag: None, after: Duration::from_secs(10) })
    }

    async fn report(&mut self, body: &StateReport) -> Result<Reported, LinkError> {
        self.failpoint.pass().await;
        lock(&self.server).hear(body);
        self.failpoint.pass().await;
        Ok(Reported { taken: Taken::default(), etag: None })
    }
}

#[derive(Debug, Clone, Copy)]
struct Scene {
    strategy: Strategy,
    profile: FaultProfile,
    services: &'static [&'static str],
    takes_back: bool,
    /// The whole device loses its power, not the agent alone.
    power: bool,
}

struct World {
    scene: Scene,
    runtime: Arc<Simulated>,
    server: Arc<Mutex<Server>>,
    kept: Arc<Mutex<Vec<u8>>>,
}

impl World {
    fn new(scene: Scene) -> Self {
        let profile = scene.profile;
        // Of two services the second one fails, so that the first has to follow it back.
        let profile_of: Box<dyn Fn(&Image) -> FaultProfile + Send + Sync> =
            Box::new(move |image| if image.image.ends_with(":v2") { profile } else { FaultProfile::Healthy });
        let services = || scene.services.iter().map(|name| ((*name).to_owned(), pinned("v1")));
        let runtime =
            SimulatedRuntime::new(SimulatedContainers::running(services()), profile_of, Durations::of_device(0.5));
        let server = Server {
            progress: Progress::Offered,
            services: scene.services.to_vec(),
            takes_back: scene.takes_back,
            passed: Vec::new(),
            heard: BTreeMap::new(),
            runs: BTreeMap::new(),
        };
        let memory = serde_json::to_vec(&Memory::running(services())).expect("a memory");
        Self {
            scene,
            runtime: Arc::new(runtime.with_strategy(scene.strategy)),
            server: Arc::new(Mutex::new(server)),
            kept: Arc::new(Mutex::new(memory)),
        }
    }

    /// Lets the agent live until the failpoint is reached or all is quiet; says how many calls it made.
    async fn live(&self, calls: i64) -> Option<i64> {
        let failpoint = Failpoint::of(calls);
        let runtime = CrashingRuntime {
            runtime: Arc::clone(&self.runtime),
            failpoint: Arc::clone(&failpoint),
            services: self.scene.services.to_vec(),
            never_both: self.scene.strategy == Strategy::Recreate,
        };
        let ports = Ports {
            link: Line { server: Arc::clone(&self.server), failpoint: Arc::clone(&failpoint) },
            runtime: Arc::new(runtime),
            host: Arc::new(SimulatedHost),
            store: CrashingStore { kept: Arc::clone(&self.kept), failpoint: Arc::clone(&failpoint) },
        };
        let memory = serde_json::from_slice(&lock(&self.kept)).expect("a whole state");
        let (mut agent, _seen) = agent(ports, memory);
        let life = async {
            agent.recover().await;
            for _ in 0..3 {
                agent.turn().await.expect("it is not deleted");
            }
        };
        tokio::select! {
            () = life => Some(calls - failpoint.left.load(Ordering::Relaxed)),
            () = failpoint.reached.notified() => {
                if self.scene.power {
                    self.runtime.power_cut();
                }
                None
            }
        }
    }

    fn is_as_it_should_be(&self, crash: &str) {
        let good = self.scene.profile == FaultProfile::Healthy && !self.scene.takes_back;
        let (tag, progress) = if good { ("v2", Progress::Healthy) } else { ("v1", Progress::RolledBack) };
        let server = lock(&self.server);
        let scene = self.scene;
        for service in scene.services {
            let expected = [(Place::Live, tag.to_owned(), true)];
            assert_eq!(self.runtime.look(service), expected, "{scene:?}, {crash}, {service}");
            assert!(self.runtime.serves(service), "{scene:?}, {crash}, {service} has its names");
            assert_eq!(server.runs[*service], (tag.to_owned(), true), "{scene:?}, {crash}, {service} as told");
        }
        assert_eq!(server.progress, progress, "{scene:?}, {crash}: {:?}", server.heard);
    }
}

fn scenes() -> impl Iterator<Item = Scene> {
    const ONE: &[&str] = &["app"];
    const TWO: &[&str] = &["app", "side"];
    let what = [
        (FaultProfile::Healthy, false),
        (FaultProfile::Unhealthy, false),
        (FaultProfile::SwapFails, false),
        (FaultProfile::Healthy, true),
    ];
    combinations(&[Strategy::Recreate, Strategy::BlueGreen], &[ONE, TWO], &[false, true]).flat_map(
        move |(strategy, services, power)| {
            what.into_iter().map(move |(profile, takes_back)| Scene { strategy, profile, services, takes_back, power })
        },
    )
}

/// Every combination of three lists.
fn combinations<A: Copy, B: Copy, C: Copy>(a: &[A], b: &[B], c: &[C]) -> std::vec::IntoIter<(A, B, C)> {
    let mut all = Vec::new();
    for &a in a {
        for &b in b {
            all.extend(c.iter().map(|&c| (a, b, c)));
        }
    }
    all.into_iter()
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_call_leaves_new_and_healthy_or_old_and_running() {
    for scene in scenes() {
        let whole = World::new(scene);
        let calls = whole.live(i64::MAX / 2).await.expect("it lives");
        whole.is_as_it_should_be("without a crash");
        for crash in 0..calls {
            let world = World::new(scene);
            assert!(world.live(crash).await.is_none(), "{scene:?}: fewer calls than {crash}");
            world.live(i64::MAX / 2).await.expect("it lives");
            world.is_as_it_should_be(&format!("crash at call {crash} of {calls}"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nor_does_a_second_crash_while_the_first_is_mended() {
    // Of one service, with the power: a device without power loses all that an agent that is killed does.
    for scene in scenes().filter(|scene| scene.services.len() == 1 && scene.power) {
        let calls = World::new(scene).live(i64::MAX / 2).await.expect("it lives");
        for first in 0..calls {
            for second in 0.. {
                let world = World::new(scene);
                world.live(first).await;
                let uncut = world.live(second).await.is_some();
                world.live(i64::MAX / 2).await.expect("it lives");
                world.is_as_it_should_be(&format!("crash at call {first} and {second}"));
                if uncut {
                    break;
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_journal_leaves_one_container() {
    for scene in scenes() {
        let calls = World::new(scene).live(i64::MAX / 2).await.expect("it lives");
        for crash in 0..calls {
            let world = World::new(scene);
            world.live(crash).await;
            let later = Timestamp::from_second(1_800_000_000).expect("a time");
            *lock(&world.kept) = serde_json::to_vec(&Memory::after_loss(later)).expect("a memory");
            world.live(i64::MAX / 2).await.expect("it lives");
            for service in scene.services {
                let look = world.runtime.look(service);
                let live = look.len() == 1 && look[0].0 == Place::Live && look[0].2;
                assert!(live, "{scene:?}, crash at call {crash} of {calls}: {look:?}");
            }
        }
    }
}
