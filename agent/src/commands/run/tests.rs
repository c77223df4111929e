use uuid::Uuid;

use super::*;
use crate::identity::{Identity, IdentityFile};
use crate::journal::Journal;
use crate::link::Link;
use crate::secret::Secret;
use crate::testing::{Folder, Server, config};

fn silent() -> Notifier {
    Notifier::new(&|_| None)
}

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
    let token = Some(Secret::new("tgd_one"));
    let identity = Identity { token, ..Identity::unknown(Uuid::new_v4(), &server.url) };
    IdentityFile::within(&config.state_dir).save(&identity).expect("written");
    for state in [None, Some(b"one".to_vec())] {
        let not_asked = async || anyhow::bail!("an enrolled device is not asked what it runs");
        let mut prepared = prepare(&config, &silent(), not_asked).await.expect("prepared");
        assert_eq!((&prepared.identity, &prepared.state), (&identity, &state));
        prepared.journal.write(b"one").expect("written");
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
    let prepared = prepare(&config, &silent(), with_web).await.expect("prepared");
    assert_eq!((prepared.identity.uuid, prepared.token.reveal()), (uuid, "tgd_one"));
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    assert!(asked[1].contains(r#""services":{"web":{"image":"docker.io/a/b:1"}}"#), "{}", asked[1]);
}

#[tokio::test]
async fn what_nobody_mends_by_waiting_is_an_error() {
    let folder = Folder::new();
    let without_key = config(&folder, "http://127.0.0.1:1", "");
    let _instance = Instance::take(&without_key).expect("the first one");
    let error = prepare(&without_key, &silent(), with_web).await.expect_err("no key");
    assert!(error.to_string().contains("provisioning key"), "{error}");

    let path = without_key.state_dir.join("identity.json");
    std::fs::write(&path, "{}").expect("written");
    let error = prepare(&without_key, &silent(), with_web).await.expect_err("open to all");
    assert!(error.to_string().contains("chmod 600"), "{error}");
}

#[tokio::test]
async fn a_damaged_journal_does_not_keep_the_agent_from_its_work() {
    let folder = Folder::new();
    let config = config(&folder, "http://127.0.0.1:1", "");
    let token = Some(Secret::new("tgd_one"));
    let identity = Identity { token, ..Identity::unknown(Uuid::new_v4(), &config.url) };
    IdentityFile::within(&config.state_dir).save(&identity).expect("written");
    std::fs::write(config.state_dir.join("journal"), "nonsense").expect("written");
    let prepared = prepare(&config, &silent(), with_web).await.expect("prepared");
    assert_eq!(prepared.state, None);
    assert!(config.state_dir.join("journal.damaged").exists());
}
