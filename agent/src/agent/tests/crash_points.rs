//! The power is cut at every call, and again at every call of what comes after: whatever was begun ends in the new
//! image, healthy, or the old one, running, and the server hears one true story.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidegate_domain::event::DeviceEvent;
use tidegate_domain::health::HealthCheck;
use tidegate_domain::image::Digest;
use tokio::sync::Notify;

use super::*;
use crate::container_spec::Strategy;
use crate::fault::Fault;
use crate::image::Pulled;
use crate::runtime::{Checks, Container, ContainerId, Containers, Create, Images, Place, Service, Services};
use crate::server::report::Taken;
use crate::server::target::TargetState;
use crate::simulated::{Durations, FaultProfile, SimulatedContainers, SimulatedHost, SimulatedRuntime};

type SimulatedContainer = SimulatedRuntime<Box<dyn Fn(&Image) -> FaultProfile + Send + Sync>>;

/// Burns down by one at every call, and cuts the power at its end: from then on nothing happens any more.
struct Failpoint {
    left: AtomicI64,
    dead: AtomicBool,
    blown: Notify,
}

impl Failpoint {
    fn of(calls: i64) -> Arc<Self> {
        Arc::new(Self { left: AtomicI64::new(calls), dead: AtomicBool::new(false), blown: Notify::new() })
    }

    fn burns(&self) -> bool {
        if self.left.fetch_sub(1, Ordering::Relaxed) <= 0 {
            self.dead.store(true, Ordering::Relaxed);
        }
        self.dead.load(Ordering::Relaxed)
    }

    async fn pass(&self) {
        if self.burns() {
            self.blown.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An engine on a device whose power is cut before or after any call.
struct CrashingRuntime {
    runtime: Arc<SimulatedContainer>,
    failpoint: Arc<Failpoint>,
    services: Vec<&'static str>,
    never_both: bool,
}

impl CrashingRuntime {
    async fn around<T>(&self, call: impl Future<Output = T>) -> T {
        self.failpoint.pass().await;
        let answer = call.await;
        for service in &self.services {
            let running = self.runtime.look(service).iter().filter(|(_, _, running)| *running).count();
            assert!(running <= 1 || !self.never_both, "{service} runs twice: {:?}", self.runtime.look(service));
        }
        self.failpoint.pass().await;
        answer
    }
}

impl Services for CrashingRuntime {
    async fn services(&self) -> Result<BTreeMap<String, Service>, Fault> {
        self.around(self.runtime.services()).await
    }

    async fn containers(&self, service: &str) -> Result<Vec<Container>, Fault> {
        self.around(self.runtime.containers(service)).await
    }
}

impl Images for CrashingRuntime {
    async fn present(&self, image: &Image) -> Result<Option<Digest>, Fault> {
        self.around(self.runtime.present(image)).await
    }

    async fn pull(&self, image: &Image, progress: &(dyn Fn(Pulled) + Send + Sync)) -> Result<Digest, Fault> {
        self.around(self.runtime.pull(image, progress)).await
    }

    async fn prune(&self, keep: &[Image]) -> Result<(), Fault> {
        self.around(self.runtime.prune(keep)).await
    }
}

impl Containers for CrashingRuntime {
    async fn create(&self, create: &Create<'_>) -> Result<ContainerId, Fault> {
        self.around(self.runtime.create(create)).await
    }

    async fn start(&self, id: &ContainerId) -> Result<(), Fault> {
        self.around(self.runtime.start(id)).await
    }

    async fn stop(&self, id: &ContainerId, grace: Duration) -> Result<(), Fault> {
        self.around(self.runtime.stop(id, grace)).await
    }

    async fn suspend_restart_policy(&self, id: &ContainerId) -> Result<(), Fault> {
        self.around(self.runtime.suspend_restart_policy(id)).await
    }

    async fn resume_restart_policy(&self, id: &ContainerId) -> Result<(), Fault> {
        self.around(self.runtime.resume_restart_policy(id)).await
    }

    async fn rename(&self, id: &ContainerId, service: &str, to: Place) -> Result<(), Fault> {
        self.around(self.runtime.rename(id, service, to)).await
    }

    async fn serve(&self, id: &ContainerId, service: &str) -> Result<(), Fault> {
        self.around(self.runtime.serve(id, service)).await
    }

    async fn remove(&self, id: &ContainerId) -> Result<(), Fault> {
        self.around(self.runtime.remove(id)).await
    }
}

impl Checks for CrashingRuntime {
    async fn probe(&self, service: &str, id: &ContainerId, check: &HealthCheck) -> Result<(), Fault> {
        self.around(self.runtime.probe(service, id, check)).await
    }

    async fn last_words(&self, id: &ContainerId) -> String {
        self.runtime.last_words(id).await
    }
}

/// A journal that stops when the power does.
struct Slot {
    kept: Arc<Mutex<Vec<u8>>>,
    failpoint: Arc<Failpoint>,
}

impl StateStore for Slot {
    fn write(&mut self, state: &[u8]) -> std::io::Result<()> {
        if !self.failpoint.burns() {
            *lock(&self.kept) = state.to_vec();
        }
        Ok(())
    }
}

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

/// The way to it, which can be cut like everything else: then nobody knows whether a word arrived.
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

/// What happens.
#[derive(Debug, Clone, Copy)]
struct Scene {
    strategy: Strategy,
    profile: FaultProfile,
    services: &'static [&'static str],
    takes_back: bool,
    /// The whole device is cut off, not the agent alone.
    power: bool,
}

struct World {
    scene: Scene,
    runtime: Arc<SimulatedContainer>,
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

    /// Lets the agent live until the fuse is blown or all is quiet; says how many calls it made.
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
            store: Slot { kept: Arc::clone(&self.kept), failpoint: Arc::clone(&failpoint) },
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
            () = failpoint.blown.notified() => {
                if self.scene.power {
                    self.runtime.power_cut();
                }
                None
            }
        }
    }

    fn is_as_it_should_be(&self, cut: &str) {
        let good = self.scene.profile == FaultProfile::Healthy && !self.scene.takes_back;
        let (tag, progress) = if good { ("v2", Progress::Healthy) } else { ("v1", Progress::RolledBack) };
        let server = lock(&self.server);
        let scene = self.scene;
        for service in scene.services {
            let expected = [(Place::Live, tag.to_owned(), true)];
            assert_eq!(self.runtime.look(service), expected, "{scene:?}, {cut}, {service}");
            assert!(self.runtime.serves(service), "{scene:?}, {cut}, {service} has its names");
            assert_eq!(server.runs[*service], (tag.to_owned(), true), "{scene:?}, {cut}, {service} as told");
        }
        assert_eq!(server.progress, progress, "{scene:?}, {cut}: {:?}", server.heard);
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
async fn a_cut_at_any_call_leaves_new_and_healthy_or_old_and_running() {
    for scene in scenes() {
        let whole = World::new(scene);
        let calls = whole.live(i64::MAX / 2).await.expect("it lives");
        whole.is_as_it_should_be("without a cut");
        for cut in 0..calls {
            let world = World::new(scene);
            assert!(world.live(cut).await.is_none(), "{scene:?}: fewer calls than {cut}");
            world.live(i64::MAX / 2).await.expect("it lives");
            world.is_as_it_should_be(&format!("cut at call {cut} of {calls}"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nor_does_a_second_cut_while_the_first_is_mended() {
    // Of one service, with the power: a device that is cut off loses all that an agent that is killed does.
    for scene in scenes().filter(|scene| scene.services.len() == 1 && scene.power) {
        let calls = World::new(scene).live(i64::MAX / 2).await.expect("it lives");
        for first in 0..calls {
            for second in 0.. {
                let world = World::new(scene);
                world.live(first).await;
                let uncut = world.live(second).await.is_some();
                world.live(i64::MAX / 2).await.expect("it lives");
                world.is_as_it_should_be(&format!("cut at call {first} and {second}"));
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
        for cut in 0..calls {
            let world = World::new(scene);
            world.live(cut).await;
            let later = Timestamp::from_second(1_800_000_000).expect("a time");
            *lock(&world.kept) = serde_json::to_vec(&Memory::after_loss(later)).expect("a memory");
            world.live(i64::MAX / 2).await.expect("it lives");
            for service in scene.services {
                let look = world.runtime.look(service);
                let live = look.len() == 1 && look[0].0 == Place::Live && look[0].2;
                assert!(live, "{scene:?}, cut at call {cut} of {calls}: {look:?}");
            }
        }
    }
}
