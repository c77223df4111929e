//! A device in the midst of a scene: its container, its journal, its server.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bollard::errors::Error;
use bollard::models::{ContainerInspectResponse, RestartPolicyNameEnum};
use bollard::query_parameters::{InspectContainerOptions, ListContainersOptionsBuilder, RemoveContainerOptionsBuilder};
use jiff::Timestamp;
use tidegate_agent::agent::{Agent, Ports, Setting};
use tidegate_agent::compose::{self, Variables};
use tidegate_agent::container_spec::{Project, Strategy};
use tidegate_agent::fault::Fault;
use tidegate_agent::hooks::{HookAnswer, HookCall};
use tidegate_agent::host::Host;
use tidegate_agent::locks::Lock;
use tidegate_agent::runtime::docker::DockerRuntime;
use tidegate_agent::runtime::{Containers as _, Create, Place};
use tidegate_agent::state::memory::Memory;
use tidegate_agent::state::snapshot::Snapshot;
use tidegate_agent::state::store::StateStore;
use tidegate_agent::state::store::file::FileStore;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};

use super::failpoint::{CrashingRuntime, CrashingStore, End, Failpoint};
use super::scene::{Scene, Stage};
use super::server::{Line, Progress, Server};

/// More points than any life has.
pub(super) const UNCUT: i64 = i64::MAX / 2;

/// A device among others on one engine: its own project and ports.
#[derive(Debug, Clone)]
pub(super) struct Device {
    pub(super) project: String,
    /// This one and the next.
    pub(super) port: u16,
}

impl Device {
    /// So many, with pairs of free ports: below those that the system gives to anybody.
    pub(super) fn several(count: usize) -> Vec<Self> {
        // Of the tests that run at once in this process, each gets its own.
        static TAKEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
        let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        let first = 16_000 + u16::try_from(std::process::id() % 8_000).expect("a small number") * 2;
        let free =
            |port: &u16| [*port, port + 1].iter().all(|&port| std::net::TcpListener::bind(("0.0.0.0", port)).is_ok());
        let ports = (first..32_700).chain(2_000..first).step_by(2).filter(|port| !taken.contains(port)).filter(free);
        let devices: Vec<_> =
            ports.take(count).enumerate().map(|(n, port)| Self { project: format!("device{n}"), port }).collect();
        assert_eq!(devices.len(), count, "there are no free ports");
        taken.extend(devices.iter().map(|device| device.port));
        devices
    }

    fn compose(&self, scene: &Scene) -> Project {
        let (strategy, ports) = match scene.strategy {
            Strategy::Recreate => ("recreate", self.port.to_string()),
            Strategy::BlueGreen => ("blue-green", format!("{}-{}", self.port, self.port + 1)),
        };
        let text = format!(
            "name: {}\nservices:\n  web:\n    image: '{}'\n    restart: always\n    stop_signal: SIGKILL\n    \
             ports: ['127.0.0.1:{ports}:8080']\n    labels: {{tidegate.update-strategy: {strategy}}}\n",
            self.project, scene.old.image
        );
        compose::parse(Path::new("/compose.yaml"), &text, None, &Variables::new()).expect("a project")
    }
}

/// A device that is watched for a wish to restart the engine, and else has nothing.
struct Watched(Arc<Notify>);

impl Host for Watched {
    fn lock(&self, _service: &str) -> Option<Lock> {
        None
    }

    async fn hook(&self, _call: HookCall<'_>) -> Result<HookAnswer, Fault> {
        Ok(HookAnswer::GoOn)
    }

    fn ask_engine_restart(&self) -> bool {
        self.0.notify_one();
        true
    }
}

/// The device, with what survives its agent.
pub(super) struct World<'a> {
    stage: &'a Stage,
    scene: &'a Scene,
    device: Device,
    runtime: Arc<DockerRuntime>,
    state: PathBuf,
    server: Arc<Mutex<Server>>,
}

impl<'a> World<'a> {
    /// The old image runs, and the server offers the new one.
    pub(super) async fn new(stage: &'a Stage, scene: &'a Scene, device: &Device) -> Self {
        let state = stage.folder.0.join(&device.project);
        let _ = std::fs::remove_dir_all(&state);
        std::fs::create_dir_all(&state).expect("a folder");
        let runtime = stage.runtime(Some(device.compose(scene)), &state);
        let server = Server::new(scene.old.clone(), scene.new.clone(), device.port);
        let server = Arc::new(Mutex::new(server));
        let world = Self { stage, scene, device: device.clone(), runtime, state, server };
        for name in world.names().await {
            let options = RemoveContainerOptionsBuilder::default().force(true).build();
            stage.docker.remove_container(&name, Some(options)).await.expect("removed");
        }
        // A killed engine leaves links of containers that are gone on the network's bridge, with addresses that others
        // get in later lives.
        let removed = stage.docker.remove_network(&format!("{}_default", device.project)).await;
        let fine = matches!(removed, Ok(()) | Err(Error::DockerResponseServerError { status_code: 404, .. }));
        assert!(fine, "{removed:?}");
        let create = Create {
            service: "web",
            image: &scene.old,
            place: Place::Live,
            like: None,
            created_for: "the beginning",
            serves: true,
        };
        let id = world.runtime.create(&create).await.expect("made");
        world.runtime.start(&id).await.expect("started");
        let memory = Memory::running([("web".to_owned(), scene.old.clone())]);
        let mut store = world.store().0;
        store.write(&serde_json::to_vec(&memory).expect("a memory")).expect("written");
        world
    }

    fn store(&self) -> (FileStore, Option<Memory>) {
        let opened = FileStore::open(&self.state.join("journal")).expect("opened");
        assert_eq!(opened.set_aside, None, "the journal is whole");
        let memory = opened.state.map(|state| serde_json::from_slice(&state).expect("a whole state"));
        (opened.store, memory)
    }

    /// Lets an agent live over the store as it is, until the failpoint is reached or all is quiet; says whether it crashed.
    pub(super) async fn live(&self, failpoint: &Arc<Failpoint>, end: End) -> bool {
        let (store, memory) = self.store();
        let ports = Ports {
            link: Line { server: Arc::clone(&self.server), failpoint: Arc::clone(failpoint) },
            runtime: Arc::new(CrashingRuntime { runtime: Arc::clone(&self.runtime), failpoint: Arc::clone(failpoint) }),
            host: Arc::new(Watched(Arc::clone(&self.stage.restart))),
            store: CrashingStore { store, failpoint: Arc::clone(failpoint) },
        };
        let (seen, _watched) = watch::channel(Snapshot::default());
        let setting = Setting { draw: 1, clock: Timestamp::now, seen, wake: Arc::new(Notify::new()) };
        let mut agent = Agent::new(ports, memory.expect("something was written"), setting);
        let life = async {
            Box::pin(agent.recover()).await;
            for _ in 0..3 {
                Box::pin(agent.turn()).await.expect("it is not deleted");
            }
        };
        let crash = async {
            match end {
                End::Agent => failpoint.reached().await,
                End::Other => std::future::pending().await,
            }
        };
        // Many live at once: each on the heap.
        let life = Box::pin(life);
        tokio::select! {
            biased;
            () = crash => true,
            () = life => false,
        }
    }

    /// Lets a new agent bring it to its end.
    pub(super) async fn live_on(&self) -> Arc<Failpoint> {
        let failpoint = Failpoint::of(UNCUT, End::Agent);
        self.live(&failpoint, End::Agent).await;
        failpoint
    }

    /// How far the server sees it.
    pub(super) fn progress(&self) -> Progress {
        self.server.lock().unwrap_or_else(PoisonError::into_inner).progress
    }

    /// One container, which runs what it should; and the server knows. `may_go_back`: also where v2 is a good one.
    pub(super) async fn is_as_it_should_be(&self, may_go_back: bool, how: &str) {
        let (progress, heard, why, told) = {
            let server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
            (server.progress, server.heard.clone(), server.why.clone(), server.runs.clone())
        };
        let how = format!("{}, {how}: {heard:?} {why:?}", self.scene.name());
        let new = self.scene.good && !(may_go_back && progress == Progress::RolledBack);
        let (version, image, ended) = if new {
            ("v2", &self.scene.new, Progress::Healthy)
        } else {
            ("v1", &self.scene.old, Progress::RolledBack)
        };
        assert_eq!(progress, ended, "{how}");
        assert_eq!(told, Some((image.image.clone(), true)), "{how}, as told");

        let name = format!("{}-web-1", self.device.project);
        assert_eq!(self.names().await, [name.as_str()], "{how}");
        let inspected = self.inspect(&name).await;
        let running = inspected.state.as_ref().and_then(|state| state.running);
        assert_eq!(running, Some(true), "{how}: {:?}", inspected.state);
        let policy = inspected.host_config.as_ref().and_then(|host| host.restart_policy.clone());
        assert_eq!(policy.and_then(|policy| policy.name), Some(RestartPolicyNameEnum::ALWAYS), "{how}");
        let held = std::fs::read_to_string(self.state.join("held.json")).unwrap_or_else(|_| "{}".to_owned());
        assert_eq!(held.trim(), "{}", "{how}: nothing is held");
        let network = format!("{}_default", self.device.project);
        let networks = inspected.network_settings.as_ref().and_then(|settings| settings.networks.as_ref());
        let aliases = networks.and_then(|networks| networks.get(&network)?.aliases.clone()).unwrap_or_default();
        assert!(aliases.iter().any(|alias| alias == "web"), "{how}: it has its names: {aliases:?}");
        assert_eq!(version_at(&inspected).await.as_deref(), Some(version), "{how}");
    }

    /// The names of its containers.
    async fn names(&self) -> Vec<String> {
        let options = ListContainersOptionsBuilder::default().all(true).build();
        let all = self.stage.docker.list_containers(Some(options)).await.expect("listed");
        let names = all.into_iter().filter_map(|one| one.names?.into_iter().next());
        let names = names.map(|name| name.trim_start_matches('/').to_owned());
        names.filter(|name| name.starts_with(&format!("{}-", self.device.project))).collect()
    }

    async fn inspect(&self, name: &str) -> ContainerInspectResponse {
        self.stage.docker.inspect_container(name, None::<InspectContainerOptions>).await.expect("it is there")
    }
}

/// What a container answers at the port that it publishes; one that was just started may need a moment.
async fn version_at(inspected: &ContainerInspectResponse) -> Option<String> {
    let ports = inspected.network_settings.as_ref()?.ports.as_ref()?.get("8080/tcp")?.as_ref()?;
    let port: u16 = ports.first()?.host_port.as_ref()?.parse().ok()?;
    let began = Instant::now();
    loop {
        match get(port).await {
            Ok(answer) if answer.starts_with("HTTP/1.1 200 ") => {
                return answer.rsplit("\r\n").next().map(ToOwned::to_owned);
            }
            _ if began.elapsed() > Duration::from_secs(10) => return None,
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn get(port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(b"GET /version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
