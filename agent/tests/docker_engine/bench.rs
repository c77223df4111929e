//! A real engine with names of a test's own.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bollard::Docker;
use bollard::body_full;
use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, CreateImageOptionsBuilder, InspectContainerOptions, ListContainersOptionsBuilder,
    RemoveContainerOptionsBuilder, StartContainerOptions,
};
use futures::future::LocalBoxFuture;
use futures::{FutureExt, StreamExt};
use tidegate_agent::compose;
use tidegate_agent::container_spec::Project;
use tidegate_agent::image::Image;
use tidegate_agent::registry::Credentials;
use tidegate_agent::runtime::docker::{DockerRuntime, Setup};
use tidegate_agent::runtime::{Checks as _, Container, ContainerId, Containers as _, Create, Place};
use tidegate_domain::health::{HealthCheck, Probe};
use tokio::sync::RwLock;

/// Tests share the engine; the one that restarts it has it alone.
static ENGINE: RwLock<()> = RwLock::const_new(());

/// Time that a test gives a container to end by itself.
pub(crate) const GRACE: Duration = Duration::from_secs(10);

/// What a test works with.
pub(crate) struct Bench {
    pub(crate) docker: Docker,
    /// Begins every name of this test.
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    socket: String,
    busybox: PathBuf,
}

/// A variable that a test needs. Without it the test is skipped aloud, or fails where nothing may be left out.
pub(crate) fn needed(variable: &str) -> Option<String> {
    let read = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let value = read(variable);
    if value.is_none() {
        assert!(read("CI").as_deref() != Some("true"), "{variable} is not set, and nothing may be skipped");
        eprintln!("SKIPPED: {variable} is not set; this was not tested against a real container engine");
    }
    value
}

/// Runs a test against the engine, and removes its containers however it ends.
pub(crate) fn with_engine<'a, F: Future<Output = ()> + 'a>(
    name: &'a str,
    test: impl FnOnce(Arc<Bench>) -> F + 'a,
) -> LocalBoxFuture<'a, ()> {
    Box::pin(async move {
        let _shared = ENGINE.read().await;
        run(name, test).await;
    })
}

/// The same, with the engine for itself.
pub(crate) fn alone_with_engine<'a, F: Future<Output = ()> + 'a>(
    name: &'a str,
    test: impl FnOnce(Arc<Bench>) -> F + 'a,
) -> LocalBoxFuture<'a, ()> {
    Box::pin(async move {
        let _alone = ENGINE.write().await;
        run(name, test).await;
    })
}

async fn run<F: Future<Output = ()>>(name: &str, test: impl FnOnce(Arc<Bench>) -> F) {
    let (Some(socket), Some(busybox)) = (needed("TIDEGATE_TEST_ENGINE"), needed("TIDEGATE_TEST_BUSYBOX")) else {
        return;
    };
    let docker = Docker::connect_with_unix(&socket, 60, bollard::API_DEFAULT_VERSION).expect("the socket is there");
    let docker = docker.negotiate_version().await.expect("the engine answers");
    let id = uuid::Uuid::now_v7().simple().to_string();
    let name = format!("{name}{}", &id[20..]);
    let folder = std::env::temp_dir().join(format!("tidegate-engine-{name}"));
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    let bench = Arc::new(Bench { docker, name, folder, socket, busybox: busybox.into() });
    let ended = std::panic::AssertUnwindSafe(test(bench.clone())).catch_unwind().await;
    bench.clean().await;
    if let Err(panic) = ended {
        std::panic::resume_unwind(panic);
    }
}

impl Bench {
    /// An engine that adopts only.
    pub(crate) fn adopting(&self) -> DockerRuntime {
        self.runtime(None, &[])
    }

    /// An engine with a Compose file, whose project is the test's name.
    pub(crate) fn declaring(&self, services: &str) -> DockerRuntime {
        let text = format!("name: {}\n{services}", self.name);
        let file = self.folder.join("compose.yaml");
        let project = compose::parse(&file, &text, None, &BTreeMap::new());
        self.runtime(Some(project.unwrap_or_else(|error| panic!("{error}"))), &[])
    }

    pub(crate) fn runtime(&self, project: Option<Project>, programs: &[&str]) -> DockerRuntime {
        DockerRuntime::new(Setup {
            address: &self.socket,
            project,
            credentials: Arc::new(Credentials::new(None)),
            relayed: None,
            programs: programs.iter().map(PathBuf::from).collect(),
            state: &self.folder,
        })
    }

    /// Makes an image of busybox, with Dockerfile instructions.
    pub(crate) async fn image(&self, tag: &str, changes: &[&str]) -> Image {
        self.image_as(&self.name, tag, changes).await
    }

    pub(crate) async fn image_as(&self, repository: &str, tag: &str, changes: &[&str]) -> Image {
        let mut options = CreateImageOptionsBuilder::default().from_src("-").repo(repository).tag(tag).build();
        options.changes = changes.iter().map(|&change| change.to_owned()).collect();
        let archive = archive(&self.busybox, &self.folder.join("image"), &format!("{repository}:{tag}"));
        let lines: Vec<_> =
            self.docker.create_image(Some(options), Some(body_full(archive.into())), None).collect().await;
        for line in lines {
            let line = line.expect("the image can be imported");
            assert_eq!(line.error_detail, None);
        }
        Image { image: format!("{repository}:{tag}"), digest: None }
    }

    /// A container as somebody starts one by hand.
    pub(crate) async fn run_by_hand(&self, name: &str, body: ContainerCreateBody) -> ContainerId {
        let options = CreateContainerOptionsBuilder::default().name(name).build();
        let made = self.docker.create_container(Some(options), body).await.expect("it can be made");
        self.docker.start_container(&made.id, None::<StartContainerOptions>).await.expect("it can be started");
        ContainerId(made.id)
    }

    /// What the engine says of a container.
    pub(crate) async fn inspect(&self, id: &ContainerId) -> serde_json::Value {
        let inspected = self.docker.inspect_container(&id.0, None::<InspectContainerOptions>).await;
        serde_json::to_value(inspected.expect("it is there")).expect("it is JSON")
    }

    /// Makes a container in a place, for a piece of work of that name.
    pub(crate) async fn create(
        &self,
        runtime: &DockerRuntime,
        service: &str,
        image: &Image,
        place: Place,
        created_for: &str,
    ) -> Result<ContainerId, tidegate_agent::fault::Fault> {
        runtime.create(&Create { service, image, place, like: None, created_for, serves: true }).await
    }

    async fn clean(&self) {
        let options = ListContainersOptionsBuilder::default().all(true).build();
        let all = self.docker.list_containers(Some(options)).await.unwrap_or_default();
        for container in all {
            let named = container.names.iter().flatten().any(|name| name.contains(&self.name));
            if let Some(id) = container.id.filter(|_| named) {
                let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
                let _ = self.docker.remove_container(&id, Some(options)).await;
            }
        }
        let networks = self.docker.list_networks(None::<bollard::query_parameters::ListNetworksOptions>).await;
        for network in networks.unwrap_or_default() {
            if let Some(name) = network.name.filter(|name| name.contains(&self.name)) {
                let _ = self.docker.remove_network(&name).await;
            }
        }
        let images = self.docker.list_images(None::<bollard::query_parameters::ListImagesOptions>).await;
        for image in images.unwrap_or_default() {
            for name in image.repo_tags.iter().chain(&image.repo_digests).filter(|name| name.contains(&self.name)) {
                let options = None::<bollard::query_parameters::RemoveImageOptions>;
                let _ = self.docker.remove_image(name, options, None).await;
            }
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A file system of busybox with a page to serve, as an archive. Each image has content of its own.
fn archive(busybox: &Path, folder: &Path, page: &str) -> Vec<u8> {
    let _ = std::fs::remove_dir_all(folder);
    for inner in ["bin", "www", "tmp"] {
        std::fs::create_dir_all(folder.join(inner)).expect("the folder can be made");
    }
    std::fs::copy(busybox, folder.join("bin/busybox")).expect("the busybox can be copied");
    for applet in ["sh", "sleep", "httpd", "cat", "test", "nslookup", "trap", "echo", "false"] {
        std::os::unix::fs::symlink("busybox", folder.join("bin").join(applet)).expect("the link can be made");
    }
    std::fs::write(folder.join("www/index.html"), page).expect("the page can be written");
    let made = Command::new("tar").arg("-C").arg(folder).args(["-cf", "-", "."]).output().expect("tar can be run");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    made.stdout
}

/// The body of a container that sleeps for long, on this image.
pub(crate) fn sleeper(image: &Image, service: Option<&str>) -> ContainerCreateBody {
    ContainerCreateBody {
        image: Some(image.image.clone()),
        cmd: Some(["/bin/sleep", "600"].map(ToOwned::to_owned).into()),
        labels: service.map(|service| [("tidegate.service".to_owned(), service.to_owned())].into()),
        // Without it a process 1 hears no signal that it does not handle.
        host_config: Some(HostConfig { init: Some(false), ..HostConfig::default() }),
        stop_signal: Some("SIGKILL".to_owned()),
        ..ContainerCreateBody::default()
    }
}

/// A check of this kind, with time for a loaded machine.
pub(crate) fn check(probe: Probe) -> HealthCheck {
    HealthCheck { probe, timeout_seconds: 20, retry_count: 0, interval_seconds: 1 }
}

pub(crate) fn at(containers: &[Container], place: Place) -> Option<&Container> {
    containers.iter().find(|container| container.place == place)
}

/// Tries until it is well, for a minute at most: a container needs time to begin.
pub(crate) async fn until_well(runtime: &DockerRuntime, service: &str, id: &ContainerId, probe: Probe) {
    let check = check(probe);
    let mut last = String::new();
    for _ in 0..120 {
        match runtime.probe(service, id, &check).await {
            Ok(()) => return,
            Err(fault) => last = fault.why,
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    panic!("it does not get well: {last}");
}
