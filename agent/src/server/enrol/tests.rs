use std::path::Path;

use super::*;
use crate::testing::{Folder, Server};

const KNOWN: &str = r#"{"type": "urn:tidegate:problem:already_enrolled", "title": "Conflict", "detail": "known"}"#;

struct Device {
    folder: Folder,
    server: Server,
    config: Config,
}

impl Device {
    async fn with(answers: &[(&str, &[&str], &str)]) -> Self {
        let server = Server::answering(answers).await;
        let text = format!("url = '{}'\nfleet_id = 'production'\n[tags]\nregion = 'eu'", server.url);
        let config = Config::read(Path::new("agent.toml"), &text, &|_| None).expect("is right");
        Self { folder: Folder::new(), server, config }
    }

    fn file(&self) -> IdentityFile {
        IdentityFile::within(self.folder.path())
    }

    async fn enrol(&self) -> Result<Identity, EnrolError> {
        let client = Client::new(&self.config.url).expect("TLS can be set up");
        let facts = Facts {
            services: BTreeMap::from([("web".to_owned(), "docker.io/a/b:1".to_owned())]),
            platform: Some("linux/amd64".to_owned()),
            machine: Some("gate12".to_owned()),
        };
        enrol(&client, &self.config, &self.file(), &Secret::new("pk_hunter2"), &facts).await
    }
}

fn credential(uuid: Uuid, token: &str) -> String {
    format!(r#"{{"uuid": "{uuid}", "token": "{token}"}}"#)
}

#[tokio::test]
async fn a_lost_answer_leaves_one_device_that_asks_as_itself() {
    let device =
        Device::with(&[("503 Service Unavailable", &["Retry-After: 9"], ""), ("409 Conflict", &[], KNOWN)]).await;
    let lost = device.enrol().await.expect_err("no answer");
    assert!(matches!(lost, EnrolError::Later { after: Some(after), .. } if after.as_secs() == 9), "{lost}");
    let kept = device.file().load().expect("readable").expect("kept before the call");
    assert_eq!(kept.token, None);

    let again = device.enrol().await.expect_err("the server knows it");
    assert!(again.to_string().contains(&format!("{}/allow-reenrolment", kept.uuid)), "{again}");
    let asked = device.server.asked();
    for request in &asked {
        assert!(request.contains(&format!(r#""uuid":"{}""#, kept.uuid)), "{request}");
        assert!(request.contains("authorization: Bearer pk_hunter2\r\n") && !request.contains("current_token"));
    }
    assert!(asked[0].contains(r#""name":"gate12","fleet_id":"production","platform":"linux/amd64""#), "{}", asked[0]);
    assert!(asked[0].contains(r#""tags":{"region":"eu"},"services":{"web":{"image":"docker.io/a/b:1"}}"#));
}

#[tokio::test]
async fn a_token_is_kept_and_shown_to_get_another() {
    let folder = Folder::new();
    let uuid = Uuid::new_v4();
    let answers = [credential(uuid, "tgd_one"), credential(uuid, "tgd_two")];
    let device = Device::with(&[("201 Created", &[], &answers[0]), ("201 Created", &[], &answers[1])]).await;
    let device = Device { folder, ..device };
    device.file().save(&Identity::unknown(uuid, &device.config.url)).expect("written");
    for (token, shown) in [("tgd_one", None), ("tgd_two", Some("tgd_one"))] {
        let identity = device.enrol().await.expect("enrolled");
        assert_eq!(device.file().load().expect("readable"), Some(identity.clone()));
        assert_eq!(identity.token, Some(Secret::new(token)));
        let asked = device.server.asked().pop().expect("it was asked");
        let shows = shown.map(|token| format!(r#""current_token":"{token}""#));
        assert_eq!(asked.contains("current_token"), shows.is_some());
        assert!(shows.is_none_or(|shows| asked.contains(&shows)), "{asked}");
    }
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let other = credential(Uuid::from_u128(1), "tgd_one");
    for (status, body, passes, told) in [
        ("401 Unauthorized", r#"{"detail": "no such key"}"#, false, "no such key (401)"),
        ("403 Forbidden", r#"{"detail": "bound to other fleets"}"#, false, "bound to other fleets"),
        ("422 Unprocessable Content", r#"{"detail": "not allowed"}"#, false, "not allowed"),
        ("409 Conflict", r#"{"detail": "try again"}"#, true, "try again"),
        ("404 Not Found", "", true, "Not Found (404)"),
        ("502 Bad Gateway", "<html>", true, "Bad Gateway (502)"),
        ("201 Created", "<html>", true, "cannot be read"),
        ("201 Created", other.as_str(), false, "another device"),
    ] {
        let error = Device::with(&[(status, &[], body)]).await.enrol().await.expect_err(status);
        assert_eq!(matches!(error, EnrolError::Later { .. }), passes, "{status}: {error}");
        assert!(error.to_string().contains(told), "{status}: {error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}

#[test]
fn an_identity_made_elsewhere_is_taken_but_replaces_no_other() {
    let folder = Folder::new();
    let file = IdentityFile::within(folder.path());
    let (uuid, url) = (Uuid::new_v4(), "https://a.example");
    adopt(&file, url, Uuid::nil(), Secret::new("tgd_a")).expect_err("no uuid of a device");
    adopt(&file, url, uuid, Secret::new("two words")).expect_err("no token");
    adopt(&file, url, uuid, Secret::new("tgd_a")).expect("taken");
    adopt(&file, url, uuid, Secret::new("tgd_b")).expect("the same device's next token");
    let error = adopt(&file, url, Uuid::new_v4(), Secret::new("tgd_c")).expect_err("another device");
    assert!(error.to_string().contains(&uuid.to_string()), "{error}");
    assert_eq!(file.load().expect("readable").and_then(|it| it.token), Some(Secret::new("tgd_b")));
}

#[test]
fn a_provisioning_key_is_one_line_of_a_file() {
    let folder = Folder::new();
    let path = folder.path().join("key");
    let text = format!("url = 'https://a.example'\nprovisioning_key_file = '{}'", path.display());
    let config = Config::read(Path::new("x"), &text, &|_| None).expect("is right");
    assert!(provisioning_key(&config).expect_err("not there").to_string().contains("cannot be read"));
    for (text, usable) in [("pk_one\n", true), ("", false), ("two\nlines", false)] {
        std::fs::write(&path, text).expect("written");
        assert_eq!(provisioning_key(&config).is_ok(), usable, "{text:?}");
    }
    let none = Config { provisioning_key_file: None, ..config };
    assert!(matches!(provisioning_key(&none), Err(EnrolError::NoKey)));
}
