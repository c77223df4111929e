//! What happens, and what must come of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bollard::Docker;
use bollard::models::ContainerCreateBody;
use bollard::query_parameters::CreateContainerOptionsBuilder;
use tidegate_agent::container_spec::Strategy;
use tidegate_agent::image::Image;
use tidegate_agent::registry::Credentials;
use tidegate_agent::runtime::Images as _;
use tidegate_agent::runtime::docker::{DockerRuntime, Setup};
use tidegate_rig::{Pushed, Rig, Settings, Tools};
use tokio::sync::Notify;

/// A swap from v1 to v2.
#[derive(Debug, Clone)]
pub(super) struct Scene {
    pub(super) strategy: Strategy,
    /// Whether v2 is healthy.
    pub(super) good: bool,
    pub(super) old: Image,
    pub(super) new: Image,
}

impl Scene {
    pub(super) fn name(&self) -> String {
        named(self.strategy, self.good)
    }
}

fn named(strategy: Strategy, good: bool) -> String {
    let how = match strategy {
        Strategy::Recreate => "recreate",
        Strategy::BlueGreen => "blue-green",
    };
    format!("{how}-{}", if good { "healthy" } else { "unhealthy" })
}

/// A folder of one test's own, gone with it.
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("{} was not cleared away: {error}", self.0.display());
        }
    }
}

/// The engine with the images of all scenes on it.
pub(super) struct Stage {
    pub(super) scenes: Vec<Scene>,
    pub(super) docker: Docker,
    /// A device wants the engine to be restarted.
    pub(super) restart: Arc<Notify>,
    // Before its folder.
    pub(super) rig: Rig,
    pub(super) folder: Folder,
}

impl Stage {
    /// `None`, said aloud, where no engine can be had.
    pub(super) async fn set(name: &str) -> Option<Self> {
        let tools = Tools::of_tests(env!("CARGO_TARGET_TMPDIR")).await?;
        // Of the HTTP client that the agent and the rig share; another test may have done so.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = Folder::new(name);
        let rig = Rig::with(tools, &folder.0, Settings::default(), |line| eprintln!("{line}")).await;
        let rig = rig.unwrap_or_else(|error| panic!("the rig does not come up: {error}"));
        let docker = rig.engine.client().await.expect("a client");
        let mut stage = Self { scenes: Vec::new(), docker, restart: Arc::default(), rig, folder };
        for strategy in [Strategy::Recreate, Strategy::BlueGreen] {
            for good in [true, false] {
                let scene = stage.scene(strategy, good).await;
                stage.scenes.push(scene);
            }
        }
        Some(stage)
    }

    /// Each scene has a repository of its own.
    async fn scene(&self, strategy: Strategy, good: bool) -> Scene {
        let repository = format!("team/{}", named(strategy, good));
        let image = |version| self.rig.app.image(version);
        let health = if good { "ok" } else { "bad" };
        let old = self.push(&repository, "v1", &image("v1")).await;
        let new = self.push(&repository, "v2", &image("v2").with("HEALTH", health)).await;
        Scene { strategy, good, old, new }
    }

    async fn push(&self, repository: &str, tag: &str, image: &tidegate_rig::Image) -> Image {
        let pushed = self.rig.registry.push(repository, tag, image).await.expect("pushed");
        let Pushed { reference, digest, .. } = pushed;
        let image = Image { image: reference, digest: Some(digest) };
        let runtime = self.runtime(None, &self.folder.0);
        runtime.pull(&image, &|_| {}).await.expect("pulled");
        // What is in somebody's use is not pruned: agents that are done would prune what others are about to run.
        let body = ContainerCreateBody { image: Some(image.image.clone()), ..ContainerCreateBody::default() };
        let name = format!("keeps-{}-{tag}", repository.replace('/', "-"));
        let options = CreateContainerOptionsBuilder::default().name(&name).build();
        self.docker.create_container(Some(options), body).await.expect("made");
        image
    }

    /// The engine as an agent has it, with its state in a folder.
    pub(super) fn runtime(
        &self,
        project: Option<tidegate_agent::container_spec::Project>,
        state: &Path,
    ) -> Arc<DockerRuntime> {
        Arc::new(DockerRuntime::new(Setup {
            address: &self.rig.engine.socket().to_string_lossy(),
            project,
            credentials: Arc::new(Credentials::new(None)),
            relayed: None,
            programs: Vec::new(),
            state,
        }))
    }
}
