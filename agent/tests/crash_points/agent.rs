//! The agent dies at every point.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use futures::StreamExt as _;

use super::failpoint::{End, Failpoint};
use super::scene::{Scene, Stage};
use super::world::{Device, World};

/// Devices at a time on the one engine: they mostly wait.
const AT_A_TIME: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_point_leaves_new_and_healthy_or_old_and_running() {
    let Some(stage) = Stage::set("crashes").await else { return };
    let devices = Device::several(AT_A_TIME);
    let traces = futures::future::join_all(stage.scenes.iter().zip(&devices).map(|(scene, device)| async {
        let world = World::new(&stage, scene, device).await;
        let trace = world.live_on().await.trace();
        world.is_as_it_should_be(false, "without a crash").await;
        eprintln!("{}: {} points: {}", scene.name(), trace.len(), trace.join(", "));
        trace
    }));
    let traces = traces.await;
    let crashes: Vec<(&Scene, usize, &str)> = stage
        .scenes
        .iter()
        .zip(&traces)
        .flat_map(|(scene, trace)| trace.iter().enumerate().map(move |(crash, point)| (scene, crash, *point)))
        .collect();

    let (free, done, began, all) = (Mutex::new(devices), AtomicUsize::new(0), Instant::now(), crashes.len());
    futures::stream::iter(crashes)
        .for_each_concurrent(AT_A_TIME, async |(scene, crash, point)| {
            let device = free.lock().unwrap_or_else(PoisonError::into_inner).pop().expect("one for each");
            let how = format!("crash at point {crash} ({point})");
            let world = World::new(&stage, scene, &device).await;
            let failpoint = Failpoint::of(crash as i64, End::Agent);
            assert!(
                world.live(&failpoint, End::Agent).await,
                "{}, {how}: not reached: {:?}",
                scene.name(),
                failpoint.trace()
            );
            assert_eq!(failpoint.trace().last(), Some(&point), "{}, {how}: each run has the same points", scene.name());
            world.live_on().await;
            world.is_as_it_should_be(false, &how).await;
            free.lock().unwrap_or_else(PoisonError::into_inner).push(device);
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            eprintln!("crash {done} of {all} after {} s: {}, {how}", began.elapsed().as_secs(), scene.name());
        })
        .await;
}
