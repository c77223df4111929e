use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::testing::{Folder, Server, config, enrolled};

async fn examined(config: &Config) -> (String, u8) {
    let answer = doctor(Path::new("agent.toml"), Ok(config.clone()), &Arguments::default()).await.expect("it looks");
    (answer.text, answer.code)
}

fn word<'a>(text: &'a str, what: &str) -> &'a str {
    let line = text.lines().find(|line| line.get(6..).is_some_and(|rest| rest.starts_with(what)));
    line.unwrap_or_else(|| panic!("{what} is looked at:\n{text}")).split_whitespace().next().unwrap_or_default()
}

#[tokio::test]
async fn an_enrolled_device_is_well_but_for_its_engine() {
    let folder = Folder::new();
    let server = Server::answering(&[
        ("200 OK", &["Date: Wed, 21 Oct 2015 07:28:00 GMT"], "{}"),
        ("200 OK", &[], r#"{"ignored": []}"#),
    ])
    .await;
    let compose = folder.path().join("compose.yaml");
    std::fs::write(&compose, "services:\n  web:\n    image: docker.io/a/b:1\n").expect("written");
    let registry = folder.path().join("registry.json");
    std::fs::write(&registry, r#"{"auths": {"ghcr.io": {"auth": "aHVudGVyMg=="}}}"#).expect("written");
    let socket = folder.path().join("docker.sock");
    let further = format!(
        "engine = {{ socket = '{}', compose_file = '{}' }}\npull = {{ registry_config = '{}' }}",
        socket.display(),
        compose.display(),
        registry.display()
    );
    let config = config(&folder, &server.url, &further);
    enrolled(&config, "tgd_hunter2");

    let (text, code) = examined(&config).await;
    for (what, expected) in [
        ("configuration", "ok"),
        ("state", "ok"),
        ("identity", "ok"),
        ("server", "ok"),
        ("clock", "warn"),
        ("token", "ok"),
        ("engine", "FAIL"),
        ("Compose file", "ok"),
        ("registries", "ok"),
        ("hooks", "ok"),
    ] {
        assert_eq!(word(&text, what), expected, "{what}:\n{text}");
    }
    assert_eq!(code, 1, "no engine is a failure");
    assert!(!text.contains("hunter2") && !text.contains("aHVudGVy"), "{text}");
    let asked = server.asked();
    assert!(asked[0].starts_with("GET /api/v1/health ") && !asked[0].contains("hunter2"), "{}", asked[0]);
    assert!(asked[1].starts_with("PATCH ") && asked[1].ends_with("{}"), "a poll would ask for work: {}", asked[1]);
}

#[tokio::test]
async fn a_revoked_token_an_open_key_and_a_bad_hook_are_told_with_their_remedy() {
    let folder = Folder::new();
    let server =
        Server::answering(&[("200 OK", &[], "{}"), ("401 Unauthorized", &[], r#"{"detail": "no such token"}"#)]).await;
    let key = folder.path().join("key");
    std::fs::write(&key, "pk_hunter2").expect("written");
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o644)).expect("its owner may");
    let config = config(&folder, &server.url, &format!("provisioning_key_file = '{}'", key.display()));
    let identity = enrolled(&config, "tgd_hunter2");
    std::fs::create_dir(&config.hooks.directory).expect("made");
    let hook = config.hooks.directory.join("pre-update");
    std::fs::write(&hook, "#!/bin/sh\n").expect("written");
    std::fs::set_permissions(&hook, PermissionsExt::from_mode(0o777)).expect("its owner may");

    let (text, _) = examined(&config).await;
    for (what, expected) in [("token", "FAIL"), ("key", "warn"), ("hooks", "FAIL")] {
        assert_eq!(word(&text, what), expected, "{what}:\n{text}");
    }
    for remedy in [&format!("/devices/{}/allow-reenrolment", identity.uuid), "chmod o= ", "chmod o-w "] {
        assert!(text.contains(remedy), "{remedy}:\n{text}");
    }
    assert!(!text.contains("hunter2"), "{text}");
}

#[tokio::test]
async fn a_configuration_that_is_wrong_is_all_that_is_told() {
    let wrong = Config::read(Path::new("agent.toml"), "urll = 1", &|_| None);
    let answer = doctor(Path::new("agent.toml"), wrong, &Arguments { json: true }).await.expect("it looks");
    let told: serde_json::Value = serde_json::from_str(&answer.text).expect("JSON");
    assert_eq!((answer.code, told[0]["outcome"].as_str()), (1, Some("fail")));
    assert!(told[0]["seen"].as_str().is_some_and(|seen| seen.contains("`urll`")), "{told}");
    assert_eq!(told.as_array().map(Vec::len), Some(1));
}
