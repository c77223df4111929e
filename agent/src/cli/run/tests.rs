use uuid::Uuid;

use super::*;
use crate::image::Image;
use crate::server::identity::{Identity, IdentityFile};
use crate::server::link::Link;
use crate::server::secret::Secret;
use crate::simulated::{Durations, FaultProfile, SimulatedContainers, SimulatedRuntime};
use crate::state::memory::Memory;
use crate::state::store::StateStore;
use crate::testing::{Folder, Server, config, enrolled};

async fn with_web() -> anyhow::Result<BTreeMap<String, String>> {
    Ok(BTreeMap::from([("web".to_owned(), "docker.io/a/b:1".to_owned())]))
}

/// A configuration with a provisioning key, in this folder.
fn with_key(folder: &Folder, url: &str) -> Config {
    let key = folder.path().join("key");
    std::fs::write(&key, "pk_one\n").expect("written");
    config(folder, url, &format!("provisioning_key_file = '{}'", key.display()))
}

#[tokio::test]
async fn a_device_that_is_enrolled_asks_for_no_key_and_finds_its_state_again() {
    let folder = Folder::new();
    let answer = ("200 OK", &[][..], r#"{"services": {}}"#);
    let server = Server::answering(&[answer, answer]).await;
    let config = config(&folder, &server.url, "");
    let identity = enrolled(&config, "tgd_one");
    let web = Image { image: "docker.io/a/b:1".to_owned(), digest: None };
    let kept = Memory::running([("web".to_owned(), web)]);
    for round in 0..2 {
        let not_asked = async || anyhow::bail!("an enrolled device is not asked what it runs");
        let mut prepared = prepare(&config, not_asked).await.expect("prepared");
        assert_eq!(prepared.identity, identity);
        assert_eq!(prepared.memory == kept, round == 1, "what was kept is known again");
        assert_ne!(prepared.memory, Memory::default(), "a known device that remembers nothing has lost it");
        prepared.store.write(&serde_json::to_vec(&kept).expect("it is data")).expect("written");
        prepared.link.poll(&[]).await.expect("the server answers");
    }
    assert!(server.asked().iter().all(|request| request.contains(&identity.uuid.to_string())));
}

#[tokio::test]
async fn a_new_device_enrols_itself_and_waits_for_a_server_that_is_away() {
    let folder = Folder::new();
    let uuid = Uuid::new_v4();
    let taken = format!(r#"{{"uuid": "{uuid}", "token": "tgd_one"}}"#);
    let answers = [("503 Service Unavailable", &["Retry-After: 0"][..], ""), ("201 Created", &[], taken.as_str())];
    let server = Server::answering(&answers).await;
    let config = with_key(&folder, &server.url);
    IdentityFile::within(&config.state_dir).save(&Identity::unknown(uuid, &server.url)).expect("written");
    let prepared = prepare(&config, with_web).await.expect("prepared");
    assert_eq!((prepared.identity.uuid, prepared.identity.token), (uuid, Some(Secret::new("tgd_one"))));
    assert_eq!(prepared.memory, Memory::default(), "a new device has lost nothing");
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    assert!(asked[1].contains(r#""services":{"web":{"image":"docker.io/a/b:1"}}"#), "{}", asked[1]);
}

#[tokio::test]
async fn what_nobody_mends_by_waiting_is_an_error() {
    let folder = Folder::new();
    let without_key = config(&folder, "http://127.0.0.1:1", "");
    let _instance = Instance::take(&without_key).expect("the first one");
    let error = prepare(&without_key, with_web).await.expect_err("no key");
    assert!(error.to_string().contains("provisioning key"), "{error}");

    let path = without_key.state_dir.join("identity.json");
    std::fs::write(&path, "{}").expect("written");
    let error = prepare(&without_key, with_web).await.expect_err("open to all");
    assert!(error.to_string().contains("chmod 600"), "{error}");
}

#[tokio::test]
async fn a_damaged_journal_does_not_keep_the_agent_from_its_work() {
    let folder = Folder::new();
    let config = config(&folder, "http://127.0.0.1:1", "");
    enrolled(&config, "tgd_one");
    let store = config.state_dir.join("journal");
    std::fs::write(&store, "nonsense").expect("written");
    let prepared = prepare(&config, with_web).await.expect("prepared");
    assert_ne!(prepared.memory, Memory::default(), "its numbers begin above all that it used");
    assert!(config.state_dir.join("journal.damaged").exists());

    let mut whole = prepared.store;
    whole.write(b"of another agent").expect("written");
    drop(whole);
    let prepared = prepare(&config, with_web).await.expect("prepared");
    assert_ne!(prepared.memory, Memory::default());
}

#[tokio::test]
async fn the_loop_polls_reports_and_tells_people() {
    let folder = Folder::new();
    let poll = ("200 OK", &["Tidegate-Poll-After: 3600"][..], r#"{"services": {}}"#);
    let server = Server::answering(&[("200 OK", &[], r#"{"ignored": []}"#), poll]).await;
    let config = config(&folder, &server.url, "");
    let _instance = Instance::take(&config).expect("the first one");
    let identity = enrolled(&config, "tgd_one");
    let prepared = prepare(&config, with_web).await.expect("prepared");
    let web = Image { image: "docker.io/a/b:1".to_owned(), digest: None };
    let containers = SimulatedContainers::running([("web".to_owned(), web)]);
    let runtime = SimulatedRuntime::new(containers, |_: &Image| FaultProfile::Healthy, Durations::of_device(0.0));
    assert_eq!(images(&runtime).await.expect("it answers")["web"], "docker.io/a/b:1");

    let told = async {
        loop {
            let status = crate::state::status::Status::read(&config.runtime_dir);
            if let Some(status) = status.ok().filter(|status| server.asked().len() == 2 && status.services.len() == 1) {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let status = tokio::select! {
        done = drive(&config, Arc::new(runtime), prepared) => panic!("it ends by itself: {done:?}"),
        status = tokio::time::timeout(Duration::from_secs(30), told) => status.expect("in time"),
    };
    assert_eq!(status.device_uuid, Some(identity.uuid));
    let asked = server.asked();
    assert!(asked[0].starts_with("PATCH ") && asked[0].contains(r#""web":{"image":"docker.io/a/b:1""#), "{}", asked[0]);
    assert!(asked[1].starts_with("GET "), "{}", asked[1]);
}

#[tokio::test]
async fn a_deleted_device_says_so_from_then_on() {
    let folder = Folder::new();
    let server = Server::answering(&[("410 Gone", &[], "")]).await;
    let config = config(&folder, &server.url, "");
    let _instance = Instance::take(&config).expect("the first one");
    enrolled(&config, "tgd_one");
    let prepared = prepare(&config, with_web).await.expect("prepared");
    let runtime = SimulatedRuntime::new(
        SimulatedContainers::running([]),
        |_: &Image| FaultProfile::Healthy,
        Durations::of_device(0.0),
    );
    let told = async {
        loop {
            let status = crate::state::status::Status::read(&config.runtime_dir);
            if status.is_ok_and(|status| status.token == crate::state::status::TokenState::Deleted) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        done = drive(&config, Arc::new(runtime), prepared) => panic!("it ends by itself: {done:?}"),
        told = tokio::time::timeout(Duration::from_secs(30), told) => told.expect("in time"),
    }
    assert_eq!(server.asked().len(), 1);
}
