//! One engine and one registry for all cases.

use std::path::{Path, PathBuf};

use bollard::query_parameters::CreateImageOptionsBuilder;
use futures::TryStreamExt as _;
use tidegate_agent::image::Image;
use tidegate_rig::{Pushed, Registry, Rig, Settings, Tools};

/// A folder of one test's own, gone with it.
pub(super) struct Folder(pub(super) PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("{} was not cleared away: {error}", self.0.display());
        }
    }
}

pub(super) struct World {
    // Before its folder.
    pub(super) rig: Rig,
    pub(super) tools: Tools,
    pub(super) folder: Folder,
}

impl World {
    /// `None`, said aloud, where no engine can be had.
    pub(super) async fn set(name: &str) -> Option<Self> {
        let tools = Tools::of_tests(env!("CARGO_TARGET_TMPDIR")).await?;
        // Of the HTTP client that the agent and the rig share; another test may have done so.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        let folder = Folder(path);
        let rig = Rig::with(tools.clone(), &folder.0, Settings::default(), |line| eprintln!("{line}")).await;
        let rig = rig.unwrap_or_else(|error| panic!("the rig does not come up: {error}"));
        Some(Self { rig, tools, folder })
    }

    /// The small service's image of this version.
    pub(super) fn image(&self, version: &str) -> tidegate_rig::Image {
        self.rig.app.image(version)
    }

    /// Puts it into the registry.
    pub(super) async fn push(&self, repository: &str, tag: &str, image: &tidegate_rig::Image) -> Image {
        push(&self.rig.registry, repository, tag, image).await
    }

    /// Lets the engine have it already.
    pub(super) async fn fetch(&self, image: &Image) {
        let docker = self.rig.engine.client().await.expect("a client");
        let options = CreateImageOptionsBuilder::default().from_image(&image.image).build();
        docker.create_image(Some(options), None, None).try_collect::<Vec<_>>().await.expect("pulled");
    }

    /// Another registry, which a case can do with what it likes.
    pub(super) async fn registry(&self, name: &str, settings: Settings<'_>) -> Registry {
        Registry::start(&self.tools, &self.folder.0.join(name), settings).await.expect("a registry")
    }
}

/// Each repository's images are of their own content: what another case pulled is here already.
pub(super) async fn push(registry: &Registry, repository: &str, tag: &str, image: &tidegate_rig::Image) -> Image {
    let own = image.clone().with("CASE", repository);
    let Pushed { reference, digest, .. } = registry.push(repository, tag, &own).await.expect("pushed");
    Image { image: reference, digest: Some(digest) }
}
