//! What goes wrong, by its stable word.

use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use std::sync::Arc;

use tidegate_agent::fault::Reason;
use tidegate_agent::registry::Credentials;
use tidegate_agent::runtime::docker::{DockerRuntime, Setup};
use tidegate_agent::runtime::{Checks as _, Containers as _, Images as _, Place, Services as _, State};
use tidegate_domain::health::Probe;

use super::bench::{at, check, sleeper, with_engine};

#[tokio::test]
async fn a_stranger_has_the_name() {
    with_engine("stranger", |bench| async move {
        let image = bench.image("1", &[]).await;
        let runtime =
            bench.declaring(&format!("services: {{web: {{image: '{}', command: /bin/sleep 600}}}}", image.image));
        let name = format!("{}-web-1", bench.name);
        let stranger = bench.run_by_hand(&name, sleeper(&image, None)).await;
        let containers = runtime.containers("web").await.expect("it answers");
        assert_eq!((containers[0].place, containers[0].ours), (Place::Live, false));
        let fault = bench.create(&runtime, "web", &image, Place::Live, "a").await.expect_err("the name is taken");
        assert_eq!(fault.reason, Reason::NameTaken);
        assert!(fault.why.contains(&name) && fault.why.contains(&stranger.0[..12]), "{fault}");
        // A name is taken also for one that moves.
        let next = bench.create(&runtime, "web", &image, Place::Next, "a").await.expect("that name is free");
        let fault = runtime.rename(&next, "web", Place::Live).await.expect_err("the name is taken");
        assert_eq!(fault.reason, Reason::NameTaken, "{fault}");
        assert_eq!(bench.inspect(&stranger).await["State"]["Status"], "running", "never touched");
    })
    .await;
}

#[tokio::test]
async fn the_port_is_taken() {
    with_engine("port", |bench| async move {
        let image = bench.image("1", &["CMD [\"/bin/sleep\",\"600\"]"]).await;
        let taken = std::net::TcpListener::bind("0.0.0.0:0").expect("there is a free port");
        let port = taken.local_addr().expect("it has one").port();
        let runtime =
            bench.declaring(&format!("services: {{web: {{image: '{}', ports: ['{port}:80']}}}}", image.image));
        let id = bench.create(&runtime, "web", &image, Place::Live, "a").await.expect("it can be made");
        let fault = runtime.start(&id).await.expect_err("the port is taken");
        assert_eq!(fault.reason, Reason::PortTaken, "{fault}");
        drop(taken);
        assert_eq!(runtime.start(&id).await, Ok(()), "it heals when the port is free");
    })
    .await;
}

#[tokio::test]
async fn it_ends_at_once() {
    with_engine("ends", |bench| async move {
        let image = bench.image("1", &[]).await;
        let text = format!(
            "services: {{none: {{image: '{0}', command: [/bin/none]}}, three: {{image: '{0}', command: [/bin/sh, -c, 'echo the pump is cold; exit 3']}}}}",
            image.image
        );
        let runtime = bench.declaring(&text);
        let none = bench.create(&runtime, "none", &image, Place::Live, "a").await.expect("it can be made");
        let fault = runtime.start(&none).await.expect_err("there is no such program");
        assert_eq!(fault.reason, Reason::ExitsAtOnce, "{fault}");
        assert!(fault.why.contains("/bin/none"), "{fault}");

        let three = bench.create(&runtime, "three", &image, Place::Live, "a").await.expect("it can be made");
        assert_eq!(runtime.start(&three).await, Ok(()));
        let fault = runtime.probe("three", &three, &check(Probe::ContainerRunning)).await.expect_err("it ended");
        assert_eq!(fault.reason, Reason::ExitsAtOnce);
        assert!(fault.why.contains("ended with 3"), "{fault}");
        assert_eq!(runtime.last_words(&three).await, "the pump is cold");
        let containers = runtime.containers("three").await.expect("it answers");
        assert_eq!(at(&containers, Place::Live).map(|one| one.state.clone()), Some(State::Exited(3)));
    })
    .await;
}

#[tokio::test]
async fn it_hangs_on_stop() {
    with_engine("hangs", |bench| async move {
        let image =
            bench.image("1", &["CMD [\"/bin/sh\",\"-c\",\"trap '' TERM; while true; do sleep 1; done\"]"]).await;
        let runtime = bench.declaring(&format!("services: {{web: {{image: '{}'}}}}", image.image));
        let id = bench.create(&runtime, "web", &image, Place::Live, "a").await.expect("it can be made");
        assert_eq!(runtime.start(&id).await, Ok(()));
        let begun = Instant::now();
        assert_eq!(runtime.stop(&id, Duration::from_secs(1)).await, Ok(()));
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
        let containers = runtime.containers("web").await.expect("it answers");
        assert_eq!(containers[0].state, State::Exited(137), "it was killed");
    })
    .await;
}

#[tokio::test]
async fn the_image_is_not_here() {
    with_engine("absent", |bench| async move {
        let image = bench.image("1", &[]).await;
        let runtime =
            bench.declaring(&format!("services: {{web: {{image: '{}', command: /bin/sleep 600}}}}", image.image));
        let other = tidegate_agent::image::Image { image: format!("{}:none", bench.name), digest: None };
        assert_eq!(runtime.present(&other).await, Ok(None));
        let fault = bench.create(&runtime, "web", &other, Place::Live, "a").await.expect_err("it is not here");
        assert_eq!(fault.reason, Reason::ImageNotFound, "{fault}");
        let content = runtime.present(&image).await.expect("it answers");
        assert!(content.is_some(), "an image that no registry knows has its id");
        let pinned = tidegate_agent::image::Image { digest: content.clone(), ..image.clone() };
        assert_eq!(runtime.present(&pinned).await, Ok(content));
        let nowhere = tidegate_agent::image::Image { image: "127.0.0.1:1/app:1".to_owned(), digest: None };
        let fault = runtime.pull(&nowhere, &|_| ()).await.expect_err("nobody is there");
        assert_eq!(fault.reason, Reason::RegistryUnavailable, "{fault}");
    })
    .await;
}

fn engine_at(socket: &str) -> DockerRuntime {
    DockerRuntime::new(Setup {
        address: socket,
        project: None,
        credentials: Arc::new(Credentials::new(None)),
        relayed: None,
        programs: Vec::new(),
        state: std::path::Path::new("/nonexistent"),
    })
}

/// Needs no engine: that is the point.
#[tokio::test]
async fn an_engine_that_is_away_or_hangs() {
    let fault = engine_at("/nonexistent/docker.sock").services().await.expect_err("it is away");
    assert_eq!(fault.reason, Reason::EngineUnavailable);
    assert!(fault.why.contains("/nonexistent/docker.sock"), "{fault}");

    let socket = std::env::temp_dir().join(format!("tidegate-{}.sock", uuid::Uuid::now_v7().simple()));
    let listener = UnixListener::bind(&socket).expect("the socket can be made");
    let fault = engine_at(&socket.display().to_string()).services().await.expect_err("it hangs");
    assert_eq!(fault.reason, Reason::EngineUnavailable, "{fault}");
    drop(listener);
    let fault = engine_at(&socket.display().to_string()).services().await.expect_err("nobody listens");
    assert_eq!(fault.reason, Reason::EngineUnavailable, "{fault}");
    std::fs::remove_file(socket).expect("it is there");
}
