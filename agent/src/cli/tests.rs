use clap::{CommandFactory, Parser};
use uuid::Uuid;

use super::*;
use crate::server::identity::IdentityFile;
use crate::state::instance::Instance;
use crate::testing::{Folder, Server, config};

/// Writes a configuration into the folder and runs a command line with it.
async fn told(folder: &Folder, words: &[&str]) -> anyhow::Result<Answer> {
    let file = folder.path().join("agent.toml");
    let line = ["tidegate-agent", "--config", file.to_str().expect("a plain path")];
    Arguments::try_parse_from(line.iter().chain(words)).expect("a right command line").dispatch().await
}

fn configured(url: &str) -> (Folder, Config) {
    let folder = Folder::new();
    let config = config(&folder, url, "");
    let at = |name: &str| folder.path().join(name).display().to_string();
    let text = format!("url = '{url}'\nstate_dir = '{}'\nruntime_dir = '{}'", at("state"), at("run"));
    std::fs::write(folder.path().join("agent.toml"), text).expect("written");
    (folder, config)
}

#[test]
fn the_command_line_is_well_formed() {
    Arguments::command().debug_assert();
    for (words, right) in [
        (&["enrol", "--uuid", "00000000-0000-4000-8000-000000000007"][..], false),
        (&["enrol", "--uuid", "00000000-0000-4000-8000-000000000007", "--token-file", "t"], true),
        (&["lock", "--for", "2h", "--reason", "why"], true),
        (&["lock", "--for", "soon"], false),
        (&["frobnicate"], false),
    ] {
        let line = ["tidegate-agent"].iter().chain(words);
        assert_eq!(Arguments::try_parse_from(line).is_ok(), right, "{words:?}");
    }
}

#[tokio::test]
async fn a_service_is_locked_and_unlocked() {
    let (folder, config) = configured("https://a.example");
    let answer = told(&folder, &["lock", "--service", "web", "--for", "2h", "--reason", "why"]).await.expect("locked");
    assert!(answer.text.starts_with("web is locked until 2"), "{}", answer.text);
    let locks = crate::locks::directory(&config.runtime_dir);
    let now = jiff::Timestamp::now();
    let lock = crate::locks::held(&locks, "web", now).expect("locked");
    let left = lock.until.expect("an end").duration_since(now).as_secs();
    assert!((7_190..=7_200).contains(&left), "{left}");
    assert_eq!(told(&folder, &["unlock", "--service", "web"]).await.expect("unlocked").text, "unlocked\n");
    assert_eq!(told(&folder, &["unlock"]).await.expect("none").text, "there was no such lock\n");
    assert!(told(&folder, &["lock", "--service", "../web"]).await.is_err());
}

#[tokio::test]
async fn status_tells_whether_an_agent_runs() {
    let (folder, config) = configured("https://a.example");
    let answer = told(&folder, &["status"]).await.expect("told");
    assert_eq!((answer.text.as_str(), answer.code), ("no agent runs\n", 3));
    let _held = Instance::take(&config).expect("the first one");
    let answer = told(&folder, &["status", "--json"]).await.expect("told");
    assert_eq!((answer.text.as_str(), answer.code), ("{\"running\":true,\"status\":null}\n", 0));
    let error = told(&folder, &["enrol"]).await.expect_err("an agent runs");
    assert_eq!(exit::code(&error), 75);
}

#[tokio::test]
async fn an_identity_is_brought_and_moved_but_not_lost() {
    let server = Server::answering(&[]).await;
    let (folder, config) = configured(&server.url);
    let (uuid, token) = (Uuid::new_v4().to_string(), folder.path().join("token"));
    std::fs::write(&token, "tgd_hunter2\n").expect("written");
    let token = token.display().to_string();
    let answer = told(&folder, &["enrol", "--uuid", &uuid, "--token-file", &token]).await.expect("taken");
    assert!(answer.text.contains(&uuid) && !answer.text.contains("hunter2"), "{}", answer.text);
    let answer = told(&folder, &["enrol"]).await.expect("nothing to do");
    assert!(answer.text.contains("enrolled already"), "{}", answer.text);

    let file = folder.path().join("agent.toml");
    let text = std::fs::read_to_string(&file).expect("readable").replace(&server.url, "https://b.example");
    std::fs::write(&file, text).expect("written");
    let error = told(&folder, &["enrol"]).await.expect_err("it belongs elsewhere");
    assert_eq!(exit::code(&error), 78);
    told(&folder, &["enrol", "--same-server"]).await.expect("moved");
    let moved = IdentityFile::within(&config.state_dir).load_for("https://b.example").expect("it belongs there");
    assert_eq!(moved.and_then(|it| it.token).map(|it| it.reveal().to_owned()).as_deref(), Some("tgd_hunter2"));
    assert!(server.asked().is_empty(), "nobody was asked");
}

#[tokio::test]
async fn a_wrong_configuration_is_told_with_its_code() {
    let folder = Folder::new();
    let error = told(&folder, &["status"]).await.expect_err("no file");
    assert_eq!(exit::code(&error), 78);
    let text = format!("{error:#}");
    assert!(text.starts_with(&folder.path().display().to_string()), "{text}");
    assert_eq!(text.matches("os error").count(), 1, "causes are told once: {text}");
    assert!(told(&folder, &["version"]).await.expect("needs none").text.starts_with("tidegate-agent "));
}
