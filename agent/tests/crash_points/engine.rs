//! The engine dies at random points, and comes back.

use std::time::Duration;

use futures::future::join_all;
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::sync::Notify;

use super::failpoint::{End, Failpoint};
use super::scene::Stage;
use super::world::{Device, UNCUT, World};

/// How often it dies: each time once, under all four scenes.
const SEEDS: u64 = 12;

/// Most points that one of them passes before.
const LATEST: i64 = 45;

/// Docker that was killed while it started a container keeps that container's port when it is back ("port is already
/// allocated"), although nothing runs there, until it is restarted: which the agent asks for, and gets here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_engine_leaves_new_and_healthy_or_old_and_running() {
    let Some(stage) = Stage::set("killed").await else { return };
    let devices = Device::several(stage.scenes.len());
    for seed in 0..SEEDS {
        let mut random = SmallRng::seed_from_u64(seed);
        // At a point of one of them, which is any point of the others.
        let (whose, point) = (random.random_range(0..stage.scenes.len()), random.random_range(5..LATEST));
        let gone = Duration::from_millis(random.random_range(0..1500));
        let worlds = join_all(stage.scenes.iter().zip(&devices).map(|(scene, one)| World::new(&stage, scene, one)));
        let worlds = worlds.await;
        let failpoints: Vec<_> =
            (0..worlds.len()).map(|n| Failpoint::of(if n == whose { point } else { UNCUT }, End::Other)).collect();
        let quiet = Notify::new();
        let lives = async {
            join_all(worlds.iter().zip(&failpoints).map(|(world, failpoint)| world.live(failpoint, End::Other))).await;
            quiet.notify_one();
        };
        let kill = async {
            failpoints[whose].reached().await;
            stage.rig.engine.kill().await.expect("killed");
            tokio::time::sleep(gone).await;
            stage.rig.engine.restart().await.expect("back");
        };
        let how = format!("engine killed at point {point} of {} (seed {seed})", stage.scenes[whose].name());
        eprintln!("{how}, gone for {gone:?}");
        let service = async {
            loop {
                tokio::select! {
                    biased;
                    () = quiet.notified() => return,
                    () = stage.restart.notified() => {}
                }
                eprintln!("  the engine is restarted, as a device asks");
                stage.rig.engine.restart().await.expect("back");
            }
        };
        tokio::join!(lives, kill, service);
        for ((world, failpoint), scene) in worlds.iter().zip(&failpoints).zip(&stage.scenes) {
            // A good image that a dead engine made look bad is taken back; a bad one never stays.
            world.is_as_it_should_be(true, &format!("{how}, itself at {:?}", failpoint.trace())).await;
            eprintln!("  {} ends {:?}", scene.name(), world.progress());
        }
    }
}
