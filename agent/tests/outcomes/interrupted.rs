//! What breaks off in the middle: the registry, the server, the agent; and who says wait, or no more.

use std::time::Duration;

use tidegate_rig::Settings;

use super::device::{Device, Special};
use super::server::{Mood, Progress};
use super::world::{World, push};

/// A pull that takes some seconds.
const SLOW: Special<'static> =
    Special { config: "[pull]\nbandwidth_limit = \"1MB/s\"", compose: "", hook: "", blue_green: false };
const LARGE: usize = 6_000_000;

const GOES_WELL: [&str; 4] = ["image_pulled", "container_updating", "update_completed", "health_check_passed"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_breaks_off_goes_on() {
    let Some(world) = World::set("interrupted").await else { return };
    tokio::join!(
        the_registry_goes_and_comes_back(&world),
        the_registry_goes_for_good(&world),
        the_agent_is_killed_in_a_pull(&world),
        the_server_goes_in_a_swap(&world),
        a_lock_is_waited_for(&world),
        the_token_is_revoked(&world),
        the_device_is_deleted(&world),
    );
}

async fn the_registry_goes_and_comes_back(world: &World) {
    let v1 = world.push("back/app", "v1", &world.image("v1")).await;
    let device = Device::up(world, "registry-back", &v1, SLOW).await;
    let registry = world.registry("back", Settings::default()).await;
    device.server.offer(push(&registry, "back/app", "v2", &world.image("v2").extra(LARGE)).await);
    device.until("the pull", device.pulls()).await;
    registry.stop().await.expect("stopped");
    tokio::time::sleep(Duration::from_secs(2)).await;
    registry.restart().await.expect("back");
    ends_well(&device, &GOES_WELL).await;
}

async fn the_registry_goes_for_good(world: &World) {
    let v1 = world.push("gone/app", "v1", &world.image("v1")).await;
    let device = Device::up(world, "registry-gone", &v1, SLOW).await;
    let registry = world.registry("gone", Settings::default()).await;
    device.server.offer(push(&registry, "gone/app", "v2", &world.image("v2").extra(LARGE)).await);
    device.until("the pull", device.pulls()).await;
    registry.stop().await.expect("stopped");
    let ended = device.until("the end", device.server.ends()).await;
    let told = ["update_failed registry_unavailable"];
    assert_eq!(device.server.told(), told, "{}", device.log());
    assert_eq!(ended, Progress::Failed);
    device.serves("v1").await;
    device.is_tidy().await;
}

async fn the_agent_is_killed_in_a_pull(world: &World) {
    let v1 = world.push("killed/app", "v1", &world.image("v1")).await;
    let mut device = Device::up(world, "agent-killed", &v1, SLOW).await;
    device.server.offer(world.push("killed/app", "v2", &world.image("v2").extra(LARGE)).await);
    device.until("the pull", device.pulls()).await;
    device.dies().await;
    device.serves("v1").await;
    device.starts();
    let ended = device.until("the end", device.server.ends()).await;
    assert_eq!(ended, Progress::Healthy, "{}", device.log());
    device.serves("v2").await;
    device.is_tidy().await;
}

async fn the_server_goes_in_a_swap(world: &World) {
    let v1 = world.push("server/app", "v1", &world.image("v1")).await;
    let device = Device::up(world, "server-gone", &v1, Special::default()).await;
    device.server.offer(world.push("server/app", "v2", &world.image("v2")).await);
    device.until("the word to swap", device.server.allows_the_swap()).await;
    device.server.mood(Mood::Silent);
    device.serves("v2").await;
    device.server.mood(Mood::Answers);
    ends_well(&device, &GOES_WELL).await;
}

async fn a_lock_is_waited_for(world: &World) {
    let v1 = world.push("lock/app", "v1", &world.image("v1")).await;
    let device = Device::up(world, "locked", &v1, Special::default()).await;
    let locked = device.call(&["lock", "--service", "web", "--reason", "calibrating"]).await;
    assert!(locked.status.success(), "{locked:?}");
    device.server.offer(world.push("lock/app", "v2", &world.image("v2")).await);
    device.until("the word of the lock", device.server.hears("update_blocked locked")).await;
    device.serves("v1").await;
    let unlocked = device.call(&["unlock", "--service", "web"]).await;
    assert!(unlocked.status.success(), "{unlocked:?}");
    let ended = device.until("the end", device.server.ends()).await;
    assert_eq!(ended, Progress::Healthy, "{}", device.log());
    device.serves("v2").await;
    device.is_tidy().await;
}

async fn the_token_is_revoked(world: &World) {
    let v1 = world.push("revoked/app", "v1", &world.image("v1")).await;
    let device = Device::up(world, "revoked", &v1, Special::default()).await;
    device.server.mood(Mood::Denies);
    let says_so = async {
        while !device.status().await["token"].to_string().contains("denied") {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    device.until("status to say that the token is not taken", says_so).await;
    device.serves("v1").await;
    device.is_tidy().await;
}

async fn the_device_is_deleted(world: &World) {
    let v1 = world.push("deleted/app", "v1", &world.image("v1")).await;
    let device = Device::up(world, "deleted", &v1, Special::default()).await;
    device.server.mood(Mood::HasDeleted);
    let says_so = async {
        while !device.log().contains("deleted") {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    device.until("the agent to say that it is deleted", says_so).await;
    device.serves("v1").await;
    device.is_tidy().await;
}

async fn ends_well(device: &Device<'_>, told: &[&str]) {
    let ended = device.until("the end", device.server.ends()).await;
    assert_eq!(device.server.told(), told, "{}: {}", device.name, device.log());
    assert_eq!(ended, Progress::Healthy, "{}", device.name);
    device.serves("v2").await;
    device.is_tidy().await;
}
