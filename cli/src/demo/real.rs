//! The demo for real: five agents with containers on a real engine, images in a real registry that tells of its pushes by
//! itself, and the same stack.
//!
//! Engine and registry are the rig's: nothing is installed, and all of it is gone at the end. The stack stays, as after
//! any demo.

mod agents;
mod containers;
mod story;
mod verdict;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tidegate_rig::{Notifications, Rig, Settings, Tools};

use super::scene::{BAD, GOOD, Scene};
use super::watch::Watch;
use crate::api::{Api, Connection};
use crate::board::Board;
use crate::progress::Progress;
use crate::stack::{self, Access, Project, UpOptions};
use crate::{bus, seed};

use agents::Agents;
use story::Story;
use verdict::Verdict;

/// Of the image that everything begins with.
const FIRST: &str = "v1";

/// Runs the demo with so many devices.
pub(crate) async fn run(devices: usize, port: Option<u16>) -> Result<Verdict> {
    Tools::may_start_an_engine()?;
    let project = Project::find()?;
    let progress = Progress::new();
    let program = stack::agent(&project, &progress).await?;
    let tools = tools(&project, &progress).await?;
    let options = UpOptions { port, ..UpOptions::default() };
    let access = stack::up(&project, &options, &progress, async |access, progress| {
        seed::policies(&project, access, progress).await
    })
    .await?;
    // Not what an earlier run left, whose containers are gone.
    let folder = Folder::make(project.state_file("real"))?;
    let rig = bring_up(tools, &folder.0, &access, &progress).await?;
    let pushes = Pushes { rig: &rig };
    let api = Api::new(Connection::from(&access))?;
    let scene = Scene::set(&api, rig.registry.host(), &policy()).await?;
    pushes.push(&scene, FIRST).await?;
    let board = Board::new();
    board.say(&format!("The policy {} guards {} on the fleet {}", scene.name, scene.repository, scene.name));
    let mut agents = Agents::start(&program, &folder.0, devices, &access, &rig, &scene)?;
    let (events, alerts) = (bus::Captured::events(&access)?, bus::Captured::alerts(&access)?);
    let watch = Watch { api: &api, events, alerts, board };
    let docker = rig.engine.client().await?;
    let told = Story { watch, scene: &scene, pushes: &pushes, agents: &mut agents, docker }.tell().await;
    // Before the engine: they would take its end for a fault.
    agents.end().await;
    told
}

/// Three batches of five devices (1, 2, 2), and a check that asks the container.
fn policy() -> Value {
    json!({
        "staged_batches": ["20%", "60%", "100%"],
        "health_check": { "type": "http", "endpoint": "http://localhost:8080/health", "expected_status": 200,
            "timeout_seconds": 2, "retry_count": 4, "interval_seconds": 1 },
        "health_check_timeout_seconds": 30,
        "rollback_timeout_seconds": 90,
    })
}

/// The programs, where the tests have them too: the target folder of this program.
async fn tools(project: &Project, progress: &Progress) -> Result<Tools> {
    let step = progress.step("Looking for a container engine and a registry");
    let named = std::env::var_os("TIDEGATE_TEST_TOOLS").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let built = std::env::current_exe().ok().and_then(|program| Some(program.ancestors().nth(2)?.to_path_buf()));
    let target = built.filter(|target| target.join("CACHEDIR.TAG").is_file());
    let folder = named.unwrap_or_else(|| target.unwrap_or_else(|| project.root().join("target")).join("test-tools"));
    let tools = Tools::find_or_fetch(&folder, |line| step.note(line)).await?;
    step.done("A container engine and a registry are here");
    Ok(tools)
}

async fn bring_up(tools: Tools, folder: &Path, access: &Access, progress: &Progress) -> Result<Rig> {
    let step = progress.step("Starting a container engine and a registry");
    let settings = Settings {
        notifications: Some(Notifications {
            url: &format!("{}/api/v1/webhooks/docker-registry", access.url),
            authorization: &format!("Bearer {}", access.webhook_secret),
        }),
        ..Settings::default()
    };
    let rig = Rig::with(tools, folder, settings, |line| step.note(line)).await?;
    step.done(&format!("A container engine and a registry run, at {}", rig.registry.host()));
    Ok(rig)
}

/// What is pushed to the registry: the same small service in three versions, the last of which is never healthy.
struct Pushes<'a> {
    rig: &'a Rig,
}

impl Pushes<'_> {
    /// Pushes a version; the registry tells the stack.
    async fn push(&self, scene: &Scene, tag: &str) -> Result<tidegate_rig::Pushed> {
        let image = self.rig.app.image(tag);
        let image = if tag == BAD { image.with("HEALTH", "bad") } else { image };
        let pushed = self.rig.registry.push(scene.repository.path(), tag, &image).await;
        pushed.with_context(|| format!("{tag} was not pushed"))
    }
}

/// A folder that is empty at first and gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn make(path: PathBuf) -> Result<Self> {
        let cleared = std::fs::remove_dir_all(&path);
        if let Err(error) = cleared
            && error.kind() != std::io::ErrorKind::NotFound
        {
            return Err(error).with_context(|| format!("{} cannot be cleared", path.display()));
        }
        std::fs::create_dir_all(&path).with_context(|| format!("{} cannot be made", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What the agents and the engine wrote helps where something went wrong.
        if std::env::var_os("TIDEGATE_DEMO_KEEP").is_some() {
            crate::stderr::line(format_args!("kept: {}", self.0.display()));
        } else if let Err(error) = std::fs::remove_dir_all(&self.0) {
            crate::stderr::line(format_args!("{} was not cleared away: {error}", self.0.display()));
        }
    }
}
