//! The rig itself: a real engine runs what a real registry got, and both can be made to fail.

use std::collections::HashMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use bollard::Docker;
use bollard::errors::Error;
use bollard::models::{
    ContainerCreateBody, ContainerState, HostConfig, NetworkCreateRequest, PortBinding, RestartPolicy,
    RestartPolicyNameEnum,
};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, CreateImageOptionsBuilder, InspectContainerOptions, StartContainerOptions,
    StopContainerOptionsBuilder,
};
use futures::TryStreamExt as _;
use serde_json::Value;
use tidegate_rig::{Check, Image, Kind, Login, Notifications, Registry, Rig, Settings, Tools};

/// A folder of one test's own, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("rig-{name}-{}", std::process::id()));
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

async fn rig(folder: &Folder) -> Option<Rig> {
    let tools = Tools::of_tests(env!("CARGO_TARGET_TMPDIR")).await?;
    let rig = Rig::with(tools, &folder.0, Settings::default(), |line| eprintln!("{line}")).await;
    Some(rig.unwrap_or_else(|error| panic!("the rig does not come up: {error}")))
}

async fn pull(docker: &Docker, reference: &str) -> Result<(), Error> {
    let options = CreateImageOptionsBuilder::new().from_image(reference).build();
    docker.create_image(Some(options), None, None).try_collect::<Vec<_>>().await.map(drop)
}

/// Runs a container that publishes its port 8080; the port on this machine.
async fn run(docker: &Docker, name: &str, image: &str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    drop(listener);
    let binding = PortBinding { host_ip: Some("127.0.0.1".to_owned()), host_port: Some(port.to_string()) };
    let always = RestartPolicy { name: Some(RestartPolicyNameEnum::ALWAYS), maximum_retry_count: None };
    let body = ContainerCreateBody {
        image: Some(image.to_owned()),
        exposed_ports: Some(vec!["8080/tcp".to_owned()]),
        host_config: Some(HostConfig {
            port_bindings: Some(HashMap::from([("8080/tcp".to_owned(), Some(vec![binding]))])),
            restart_policy: Some(always),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    };
    let options = CreateContainerOptionsBuilder::new().name(name).build();
    docker.create_container(Some(options), body).await.expect("created");
    docker.start_container(name, None::<StartContainerOptions>).await.expect("started");
    port
}

async fn get(port: u16, path: &str) -> Option<(u16, String)> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build().expect("a client");
    let response = client.get(format!("http://127.0.0.1:{port}{path}")).send().await.ok()?;
    Some((response.status().as_u16(), response.text().await.ok()?))
}

/// Looks until it finds something.
async fn until<T>(what: &str, seconds: u64, look: impl AsyncFn() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(began.elapsed() < Duration::from_secs(seconds), "not within {seconds} s: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn state(docker: &Docker, name: &str) -> ContainerState {
    let inspected = docker.inspect_container(name, None::<InspectContainerOptions>).await.expect("it is there");
    inspected.state.expect("it has a state")
}

#[tokio::test]
async fn what_is_pushed_is_pulled_and_runs_and_comes_back_after_a_crash_of_the_engine() {
    let folder = Folder::new("crash");
    let Some(rig) = rig(&folder).await else { return };
    let check = Check { interval: Duration::from_millis(500), retries: 1 };
    let image = rig.app.image("1.0.0").check(check).with("HEALTH", "ok");
    let pushed = rig.registry.push("team/app", "v1", &image).await.expect("pushed");
    let docker = rig.engine.client().await.expect("a client");
    pull(&docker, &pushed.reference).await.expect("pulled");
    let inspected = docker.inspect_image(&pushed.reference).await.expect("it is there");
    let by_digest = format!("{}@{}", rig.registry.reference("team/app"), pushed.digest);
    assert_eq!(inspected.repo_digests, Some(vec![by_digest]), "the digest that was pushed is the one that came");

    let port = run(&docker, "app", &pushed.reference).await;
    until("/version answers", 20, async || get(port, "/version").await.filter(|got| got.1 == "1.0.0")).await;
    let healthy = async || {
        let health = state(&docker, "app").await.health?.status?;
        (health.as_ref() == "healthy").then_some(())
    };
    until("its own health check says so", 20, healthy).await;

    let first = state(&docker, "app").await.started_at;
    rig.engine.kill().await.expect("killed");
    assert!(docker.ping().await.is_err(), "the engine is gone");
    assert_eq!(get(port, "/version").await.map(|got| got.0), None, "its ports are forwarded by it");
    rig.engine.restart().await.expect("back");
    until("the container is back", 30, async || get(port, "/version").await.filter(|got| got.1 == "1.0.0")).await;
    assert_ne!(state(&docker, "app").await.started_at, first, "it was started anew");

    let (stopped, began) = (StopContainerOptionsBuilder::new().t(20).build(), Instant::now());
    docker.stop_container("app", Some(stopped)).await.expect("stopped");
    assert!(began.elapsed() < Duration::from_secs(10), "it ends promptly: {:?}", began.elapsed());

    let made = docker.create_network(NetworkCreateRequest { name: "mine".to_owned(), ..Default::default() }).await;
    let network = format!("br-{}", &made.expect("made").id[..12]);
    let (root, bridge) = (folder.0.join("engine/root"), rig.engine.bridge().to_owned());
    assert!(root.exists() && has_link(&bridge) && has_link(&network));
    drop(rig);
    assert!(!root.exists(), "nothing is left of it");
    assert!(!has_link(&bridge) && !has_link(&network), "nor of its networks");
    assert!(has_link("lo"));
}

/// Whether the machine has this network link.
fn has_link(name: &str) -> bool {
    Path::new("/sys/class/net").join(name).exists()
}

/// What is to be seen of a container.
type Holds = fn(&ContainerState) -> bool;

#[tokio::test]
async fn images_misbehave_as_they_are_told() {
    let folder = Folder::new("behaviour");
    let Some(rig) = rig(&folder).await else { return };
    let docker = rig.engine.client().await.expect("a client");
    let app = &rig.app;
    let cases: [(&str, Image, Holds); 2] = [
        ("ends at once", app.image("1").with("EXIT", "3"), |state| state.exit_code == Some(3)),
        ("is unhealthy", app.image("1").with("HEALTH", "bad").check(QUICK), |state| {
            state.health.as_ref().and_then(|health| health.status).is_some_and(|status| status.as_ref() == "unhealthy")
        }),
    ];
    for (n, (label, image, holds)) in cases.into_iter().enumerate() {
        let pushed = rig.registry.push("team/app", &format!("case-{n}"), &image).await.expect("pushed");
        pull(&docker, &pushed.reference).await.expect("pulled");
        let name = format!("case-{n}");
        run(&docker, &name, &pushed.reference).await;
        until(label, 20, async || holds(&state(&docker, &name).await).then_some(())).await;
    }

    let slow =
        rig.registry.push("team/app", "late", &app.image("1").with("HEALTH", "ok-after:3")).await.expect("pushed");
    pull(&docker, &slow.reference).await.expect("pulled");
    let port = run(&docker, "late", &slow.reference).await;
    let code = async |wanted: u16| get(port, "/health").await.filter(|got| got.0 == wanted);
    until("not healthy at first", 10, async || code(503).await).await;
    until("healthy later", 20, async || code(200).await).await;

    let hangs = rig.registry.push("team/app", "hangs", &app.image("1").hangs_on_stop()).await.expect("pushed");
    pull(&docker, &hangs.reference).await.expect("pulled");
    run(&docker, "hangs", &hangs.reference).await;
    let (stopped, began) = (StopContainerOptionsBuilder::new().t(2).build(), Instant::now());
    docker.stop_container("hangs", Some(stopped)).await.expect("stopped");
    assert!(began.elapsed() >= Duration::from_secs(2), "it hangs until it is killed: {:?}", began.elapsed());
}

/// Tells soon.
const QUICK: Check = Check { interval: Duration::from_millis(500), retries: 1 };

#[tokio::test]
async fn a_registry_can_be_hostile_and_gone() {
    let folder = Folder::new("hostile");
    let Some(rig) = rig(&folder).await else { return };
    let docker = rig.engine.client().await.expect("a client");
    let (app, registry) = (&rig.app, &rig.registry);

    let altered = registry.push("team/app", "altered", &app.image("1").extra(50_000)).await.expect("pushed");
    registry.corrupt(&altered.layers[1]).expect("altered");
    let refused = pull(&docker, &altered.reference).await.expect_err("refused").to_string();
    assert!(refused.contains("verif") || refused.contains("digest"), "{refused}");

    let lost = registry.push("team/app", "lost", &app.image("1").extra(50_000)).await.expect("pushed");
    registry.lose(&lost.layers[1]).expect("lost");
    pull(&docker, &lost.reference).await.expect_err("a layer is missing");

    let other = registry.push("team/app", "other", &app.image("1").mismatched()).await.expect("pushed");
    let refused = pull(&docker, &other.reference).await.expect_err("refused").to_string();
    assert!(refused.contains("configuration"), "{refused}");

    let images = [app.image("2"), app.image("2").on("linux/arm64/v8")];
    for kind in [Kind::Oci, Kind::Docker] {
        let index = registry.push_index(kind, "team/two", "v2", &images).await.expect("pushed");
        pull(&docker, &index.reference).await.expect("pulled");
        let digests = docker.inspect_image(&index.reference).await.expect("it is there").repo_digests;
        assert!(digests.unwrap_or_default().iter().any(|digest| digest.ends_with(index.digest.as_str())), "{kind:?}");
    }
    let elsewhere = registry.push_index(Kind::Oci, "team/arm", "v1", &[images[1].clone()]).await.expect("pushed");
    let refused = pull(&docker, &elsewhere.reference).await.expect_err("refused").to_string();
    assert!(refused.contains("no match") || refused.contains("no matching"), "{refused}");

    let later = registry.push("team/app", "later", &app.image("3")).await.expect("pushed");
    registry.stop().await.expect("gone");
    pull(&docker, &later.reference).await.expect_err("nobody is there");
    registry.restart().await.expect("back");
    pull(&docker, &later.reference).await.expect("what was pushed is there");
}

#[tokio::test]
async fn two_engines_do_not_collide() {
    let (one, two) = (Folder::new("one"), Folder::new("two"));
    let (Some(one), Some(two)) = tokio::join!(rig(&one), rig(&two)) else { return };
    for (rig, version) in [(&one, "1"), (&two, "2")] {
        let pushed = rig.registry.push("team/app", "v1", &rig.app.image(version)).await.expect("pushed");
        let docker = rig.engine.client().await.expect("a client");
        pull(&docker, &pushed.reference).await.expect("pulled");
        let port = run(&docker, "app", &pushed.reference).await;
        until(version, 20, async || get(port, "/version").await.filter(|got| got.1 == version)).await;
    }
}

#[tokio::test]
async fn pushes_are_told_and_a_login_is_wanted() {
    type Heard = Arc<Mutex<Vec<(Option<String>, Value)>>>;
    let Some(tools) = Tools::of_tests(env!("CARGO_TARGET_TMPDIR")).await else { return };
    let heard = Heard::default();
    let hear = async |State(heard): State<Heard>, headers: HeaderMap, body: String| {
        let authorization = headers.get("authorization").and_then(|value| value.to_str().ok()).map(str::to_owned);
        heard.lock().expect("whole").push((authorization, serde_json::from_str(&body).expect("JSON")));
    };
    let router = Router::new().route("/hook", post(hear)).with_state(Arc::clone(&heard));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/hook", listener.local_addr().expect("bound"));
    tokio::spawn(async move { axum::serve(listener, router).await });

    let folder = Folder::new("told");
    let settings = Settings {
        notifications: Some(Notifications { url: &url, authorization: "Bearer it-is-me" }),
        login: Some(Login::TESTER),
        ..Settings::default()
    };
    let registry = Registry::start(&tools, &folder.0, settings).await.expect("a registry");
    let app = tidegate_rig::App::build(&tools).await.expect("compiled");
    let pushed = registry.push("team/app", "v1", &app.image("1")).await.expect("pushed");
    let refused = reqwest::get(format!("http://{}/v2/team/app/manifests/v1", registry.host())).await.expect("answered");
    assert_eq!(refused.status(), 401);

    let event = until("the push is told", 20, async || {
        let heard = heard.lock().expect("whole");
        let (authorization, body) = heard.iter().find(|(_, body)| body["events"][0]["target"]["tag"] == "v1")?;
        assert_eq!(authorization.as_deref(), Some("Bearer it-is-me"));
        Some(body["events"][0].clone())
    })
    .await;
    assert_eq!(event["action"], "push");
    assert_eq!(event["target"]["digest"], pushed.digest.as_str());
    assert_eq!(event["target"]["repository"], "team/app");
    assert_eq!(event["request"]["host"], registry.host());
}
