//! Others that are in the way: on the port, with the name, and in the registry's place.

use bollard::models::ContainerCreateBody;
use bollard::query_parameters::CreateContainerOptionsBuilder;
use tidegate_rig::{Login, Settings};

use super::device::{Device, Special};
use super::server::Progress;
use super::world::{World, push};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_are_left_alone_and_not_believed() {
    let Some(world) = World::set("hostile").await else { return };
    tokio::join!(
        a_port(&world),
        a_name(&world),
        a_registry_that_lies(&world),
        a_spoilt_layer(&world),
        a_registry_that_wants_to_know_who_asks(&world),
    );
}

/// Somebody listens where the new container is to stand beside the old one.
async fn a_port(world: &World) {
    let v1 = world.push("port/app", "v1", &world.image("v1")).await;
    let device = Device::up(world, "port-taken", &v1, Special { blue_green: true, ..Special::default() }).await;
    device.serves("v1").await;
    // The engine takes any of the two ports, so both are taken but for the old container's own.
    let strangers: Vec<_> = [device.port, device.port + 1]
        .iter()
        .filter_map(|&port| std::net::TcpListener::bind(("127.0.0.1", port)).ok())
        .collect();
    assert_eq!(strangers.len(), 1, "one is the old container's");
    device.server.offer(world.push("port/app", "v2", &world.image("v2")).await);
    let ended = device.until("the end", device.server.ends()).await;
    let told = ["image_pulled", "container_updating", "update_failed port_taken", "rolled_back port_taken"];
    assert_eq!(device.server.told(), told, "{}", device.log());
    assert_eq!(ended, Progress::RolledBack);
    drop(strangers);
    device.serves("v1").await;
    device.is_tidy().await;
}

/// A stranger's container has the name that the new one is to have.
async fn a_name(world: &World) {
    let v1 = world.push("name/app", "v1", &world.image("v1")).await;
    let device = Device::up(world, "name-taken", &v1, Special::default()).await;
    let docker = world.rig.engine.client().await.expect("a client");
    let options = CreateContainerOptionsBuilder::default().name("name-taken-web-1.tidegate-next").build();
    let own = docker.inspect_container("name-taken-web-1", None).await.expect("it runs");
    let body = ContainerCreateBody { image: own.image, ..ContainerCreateBody::default() };
    let stranger = docker.create_container(Some(options), body).await.expect("made").id;
    device.server.offer(world.push("name/app", "v2", &world.image("v2")).await);
    let ended = device.until("the end", device.server.ends()).await;
    let told = ["image_pulled", "container_updating", "update_failed name_taken", "rolled_back name_taken"];
    assert_eq!(device.server.told(), told, "{}", device.log());
    assert_eq!(ended, Progress::RolledBack);
    device.serves("v1").await;
    let kept = docker.inspect_container(&stranger, None).await.expect("it is there");
    assert_eq!(kept.name.as_deref(), Some("/name-taken-web-1.tidegate-next"), "nobody touched it");
}

/// The layers are not those that the image's configuration says.
async fn a_registry_that_lies(world: &World) {
    let v1 = world.push("lies/app", "v1", &world.image("v1")).await;
    let device = Device::up(world, "lies", &v1, Special::default()).await;
    device.server.offer(world.push("lies/app", "v2", &world.image("v2").mismatched()).await);
    is_refused(&device, "update_failed corrupt_image").await;
}

/// A layer in the registry is not what its digest says.
async fn a_spoilt_layer(world: &World) {
    let v1 = world.push("spoilt/app", "v1", &world.image("v1")).await;
    let device = Device::up(world, "spoilt", &v1, Special::default()).await;
    let registry = world.registry("spoilt-registry", Settings::default()).await;
    let pushed = registry.push("spoilt/app", "v2", &world.image("v2").extra(100_000)).await.expect("pushed");
    registry.corrupt(pushed.layers.last().expect("a layer")).expect("spoilt");
    let new = tidegate_agent::image::Image { image: pushed.reference, digest: Some(pushed.digest) };
    device.server.offer(new);
    is_refused(&device, "update_failed corrupt_image").await;
}

async fn a_registry_that_wants_to_know_who_asks(world: &World) {
    let v1 = world.push("asks/app", "v1", &world.image("v1")).await;
    let device = Device::up(world, "asks", &v1, Special::default()).await;
    let settings = Settings { login: Some(Login::TESTER), ..Settings::default() };
    let registry = world.registry("asking-registry", settings).await;
    device.server.offer(push(&registry, "asks/app", "v2", &world.image("v2")).await);
    is_refused(&device, "update_failed registry_denied").await;
}

/// Nothing of the new image runs, and the old one does.
async fn is_refused(device: &Device<'_>, why: &str) {
    let ended = device.until("the end", device.server.ends()).await;
    assert_eq!(device.server.told(), [why], "{}: {}", device.name, device.log());
    assert_eq!(ended, Progress::Failed, "{}", device.name);
    device.serves("v1").await;
    device.is_tidy().await;
}
