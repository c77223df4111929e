//! Updates that go well, and that do not.

use futures::future::join_all;
use tidegate_agent::image::Image;
use tidegate_domain::image::Digest;

use super::device::{Device, Special};
use super::server::Progress;
use super::world::World;

/// What is told of an update that goes well.
const WELL: &[&str] = &["image_pulled", "container_updating", "update_completed", "health_check_passed"];
/// And of one whose image does not work.
const BACK: &[&str] = &[
    "image_pulled",
    "container_updating",
    "update_completed",
    "health_check_failed unhealthy",
    "rolled_back unhealthy",
];

/// A row: a name, what its new image is made to do, what is special about the device, and what is told.
type Row<'a> = (&'static str, tidegate_rig::Image, Special<'a>, &'a [&'a str]);

fn rows(world: &World) -> Vec<Row<'static>> {
    let v2 = || world.image("v2");
    let plain = Special::default();
    let full = Special { config: "[pull]\nkeep_free = \"900000GB\"", ..plain };
    let impatient = Special { compose: "    stop_grace_period: 1s\n", ..plain };
    // Not now, the first time.
    let later = "test -e \"$0.asked\" || { : >\"$0.asked\"; echo busy; exit 75; }";
    vec![
        ("good", v2(), plain, WELL),
        ("beside", v2(), Special { blue_green: true, ..plain }, WELL),
        ("hangs-on-stop", v2(), impatient, WELL),
        ("ends-at-once", v2().with("EXIT", "3"), plain, BACK),
        ("unhealthy", v2().with("HEALTH", "bad"), plain, BACK),
        ("missing", v2(), plain, &["update_failed image_not_found"]),
        ("other-platform", v2().on("linux/s390x"), plain, &["update_skipped wrong_platform"]),
        ("disk-full", v2(), full, &["update_failed disk_full"]),
        (
            "hook-says-no",
            v2(),
            Special { hook: "echo no; exit 1", ..plain },
            &["image_pulled", "update_failed hook_failed"],
        ),
        (
            "hook-says-later",
            v2(),
            Special { hook: later, ..plain },
            &["image_pulled", "update_blocked locked", "container_updating", "update_completed", "health_check_passed"],
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_ends_as_documented() {
    let Some(world) = World::set("outcomes").await else { return };
    join_all(rows(&world).into_iter().map(|row| Box::pin(goes(&world, row)))).await;
}

async fn goes(world: &World, (label, image, special, told): Row<'_>) {
    let old = world.image("v1");
    let old = if label == "hangs-on-stop" { old.hangs_on_stop() } else { old };
    let old = world.push(&format!("team/{label}"), "v1", &old).await;
    let pushed = world.push(&format!("team/{label}"), "v2", &image).await;
    let new = if label == "missing" {
        let digest = Digest::parse(&format!("sha256:{}", "7".repeat(64))).ok();
        Image { image: world.rig.registry.reference("team/missing:v3"), digest }
    } else {
        pushed
    };
    let (ends, serves) = match told.last() {
        Some(&"health_check_passed") => (Progress::Healthy, "v2"),
        Some(last) if last.starts_with("rolled_back") => (Progress::RolledBack, "v1"),
        Some(last) if last.starts_with("update_skipped") => (Progress::Skipped, "v1"),
        Some(_) | None => (Progress::Failed, "v1"),
    };
    if label == "disk-full" {
        // What runs came when there was room.
        world.fetch(&old).await;
    }
    let device = Device::up(world, label, &old, special).await;
    device.serves("v1").await;
    device.server.offer(new);
    let ended = device.until("the end", device.server.ends()).await;
    assert_eq!(device.server.told(), told, "{label}: {}", device.log());
    assert_eq!(ended, ends, "{label}");
    device.serves(serves).await;
    device.is_tidy().await;
    eprintln!("{label}: as documented");
}
