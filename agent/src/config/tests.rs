use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;

fn read(text: &str) -> Result<Config, ConfigError> {
    Config::read(Path::new("/etc/tidegate/agent.toml"), text, &|_| None)
}

#[test]
fn the_shortest_file_gets_every_default() {
    let config = read("url = 'https://tidegate.example.com/prod/'").expect("a url is enough");
    assert_eq!(config.url, "https://tidegate.example.com/prod");
    assert_eq!(config.state_base(), config.url);
    assert_eq!(config.state_dir, Path::new("/var/lib/tidegate-agent"));
    assert_eq!(config.runtime_dir, Path::new("/run/tidegate-agent"));
    assert_eq!(config.engine.address, EngineAddress::Unix(PathBuf::from("/var/run/docker.sock")));
    assert_eq!(config.hooks.timeout, Duration::from_mins(1));
    assert_eq!(config.pull.concurrency, 2);
    assert_eq!(config.pull.bandwidth_limit, None);
}

#[test]
fn every_key_is_read() {
    let config = read(
        r#"
        url = "https://tidegate.example.com"
        device_state_url = "https://abc.lambda-url.eu-central-1.on.aws/"
        name = "gate 12"
        fleet_id = "production"
        timezone = "Europe/Berlin"
        provisioning_key_file = "/etc/tidegate/key"
        state_dir = "/data/agent"
        runtime_dir = "/run/agent"
        log_file = "/var/log/agent.log"
        [tags]
        region = "eu"
        [engine]
        socket = "tcp://proxy:2375"
        compose_file = "/etc/tidegate/compose.yaml"
        [pull]
        registry_config = "/etc/tidegate/registry.json"
        bandwidth_limit = "2MB/s"
        concurrency = 1
        keep_free = "1GiB"
        [health]
        allowed_commands = ["/usr/local/bin/check"]
        [hooks]
        directory = "/opt/hooks"
        timeout = "90s"
        "#,
    )
    .expect("everything is right");
    assert_eq!(config.state_base(), "https://abc.lambda-url.eu-central-1.on.aws");
    assert_eq!(config.device.tags["region"], "eu");
    assert_eq!(config.engine.address.to_string(), "tcp://proxy:2375");
    assert_eq!(config.pull.bandwidth_limit, Some(2_000_000));
    assert_eq!((config.pull.concurrency, config.pull.keep_free), (1, 1 << 30));
    assert_eq!(config.allowed_commands, [PathBuf::from("/usr/local/bin/check")]);
    assert_eq!(config.hooks.timeout, Duration::from_secs(90));
}

#[test]
fn mistakes_are_named() {
    for (label, text, told) in [
        ("no url", "", "url: expected the server's address"),
        ("no scheme", "url = 'tidegate.example.com'", "url: expected an address"),
        ("a password in it", "url = 'https://a:hunter2@example.com'", "without user"),
        ("an unknown key", "url = 'https://a.example'\nurll = 1", "unknown field `urll`"),
        ("and where", "url = 'https://a.example'\nurll = 1", "line 2, column 1"),
        ("in a table", "url = 'https://a.example'\n[pull]\nspeed = 1", "unknown field `speed`"),
        ("a relative path", "url = 'https://a.example'\nstate_dir = 'data'", "state_dir: expected an absolute path"),
        ("a zone", "url = 'https://a.example'\ntimezone = 'Berlin'", "timezone: expected an IANA name"),
        ("an amount", "url = 'https://a.example'\n[pull]\nbandwidth_limit = 'fast'", "pull.bandwidth_limit: expected"),
        ("no bandwidth", "url = 'https://a.example'\n[pull]\nbandwidth_limit = 0", "more than nothing"),
        ("no pulls", "url = 'https://a.example'\n[pull]\nconcurrency = 0", "pull.concurrency: expected a number"),
        ("a command", "url = 'https://a.example'\n[health]\nallowed_commands = ['check']", "health.allowed_commands"),
        ("a tag", "url = 'https://a.example'\n[tags]\n'a:b' = 'c'", "tags.a:b: expected a key without a colon"),
        ("a socket", "url = 'https://a.example'\n[engine]\nsocket = 'docker.sock'", "engine.socket: expected a socket"),
    ] {
        let error = read(text).expect_err(label).to_string();
        assert!(error.contains(told), "{label}: {error}");
        assert!(error.starts_with("/etc/tidegate/agent.toml"), "{label}: the file is named: {error}");
        assert!(!error.contains("hunter2"), "{label}: no secret is told");
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let text = "name = ''\nstate_dir = 'x'\n[hooks]\ntimeout = 'x'\n[pull]\nkeep_free = 'x'";
    let Err(ConfigError::Mistakes { mistakes, .. }) = read(text) else { panic!("there are mistakes") };
    let mut keys: Vec<_> = mistakes.iter().map(|mistake| mistake.key.as_str()).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["hooks.timeout", "name", "pull.keep_free", "state_dir", "url"]);
}

#[test]
fn the_environment_fills_gaps() {
    let environment = |name: &str| (name == "DOCKER_HOST").then(|| "unix:///run/podman.sock".to_owned());
    let read = |text: &str| Config::read(Path::new("x"), text, &environment).expect("is right").engine.address;
    assert_eq!(read("url = 'https://a.example'").to_string(), "unix:///run/podman.sock");
    let named = "url = 'https://a.example'\n[engine]\nsocket = '/other.sock'";
    assert_eq!(read(named).to_string(), "unix:///other.sock", "what the file says goes first");
}

#[test]
fn the_packaged_example_is_right_as_it_is_and_with_every_key_set() {
    let example = include_str!("../../packaging/agent.toml");
    read(example).expect("as it is");
    let all: String = example
        .lines()
        .map(|line| match line.strip_prefix("#") {
            // A comment has a space behind its mark, a key that is left out has none.
            Some(key) if !key.starts_with(' ') => format!("{key}\n"),
            Some(_) | None => format!("{line}\n"),
        })
        .collect();
    let config = read(&all).unwrap_or_else(|error| panic!("{error}\n{all}"));
    assert!(config.pull.bandwidth_limit.is_some() && config.log_file.is_some() && !config.device.tags.is_empty());
}
