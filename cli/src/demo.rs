//! The main job in one go: a fleet, a good image that goes through three batches, a bad one that is stopped in its
//! first batch, and everything rolled back by one call.
//!
//! [`story`] does it, [`verdict`] says whether every device ended where it should. [`real`] does it with real agents,
//! a real registry and a real container engine.

mod real;
mod scene;
mod story;
mod summary;
mod verdict;
mod watch;

use std::sync::Arc;

use anyhow::Result;
use serde_json::json;

use crate::api::{Api, Connection};
use crate::board::Board;
use crate::fleet::{Fleet, Kind, World, enrol};
use crate::progress::Progress;
use crate::stack::{self, Project, UpOptions};
use crate::{bus, seed};

pub(crate) use real::run as run_real;
use scene::Scene;
use story::Story;
use verdict::Verdict;
use watch::Watch;

/// Calls that may be under way at once: the emulator takes no more at a time.
const CONCURRENCY: usize = 12;

/// Runs the demo with so many devices.
pub(crate) async fn run(devices: usize, port: Option<u16>) -> Result<Verdict> {
    let project = Project::find()?;
    let options = UpOptions { port, ..UpOptions::default() };
    let access = stack::up(&project, &options, &Progress::new(), async |access, progress| {
        seed::policies(&project, access, progress).await
    })
    .await?;
    let api = Api::new(Connection::from(&access))?;
    let mut board = Board::new();
    let scene = Scene::set(&api, scene::REGISTRY, &json!({})).await?;
    board.say(&format!("The policy {} guards {} on the fleet {}", scene.name, scene.repository, scene.name));
    let kind = Kind {
        fleet: scene.name.clone(),
        service: "app".to_owned(),
        image: scene.image("v1"),
        tags: [("demo".to_owned(), "yes".to_owned())].into(),
    };
    board.waits(&format!("enrolling {devices} devices"));
    let enrolled = enrol(&api, &kind, 0..devices, CONCURRENCY, || {}).await?;
    let world = World { profile_of: Arc::new(scene.profiles()), seed: 1, offline_rate: 0.0, concurrency: CONCURRENCY };
    let fleet = Fleet::start(&api, enrolled, &world)?;
    let (events, alerts) = (bus::Captured::events(&access)?, bus::Captured::alerts(&access)?);
    let story = Story { watch: Watch { api: &api, events, alerts, board }, scene: &scene, fleet: &fleet };
    story.tell().await
}
