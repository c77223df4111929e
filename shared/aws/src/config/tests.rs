use std::collections::BTreeMap;

use super::*;

const REQUIRED: [&str; 7] = [
    "TABLE_PREFIX",
    "STEP_QUEUE_URL",
    "BATCH_QUEUE_URL",
    "EVENT_BUS_NAME",
    "SCHEDULER_GROUP",
    "SCHEDULER_ROLE_ARN",
    "STEP_QUEUE_ARN",
];

fn read(more: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let required = REQUIRED.map(|name| (name, "x"));
    let variables: BTreeMap<&str, &str> = required.into_iter().chain(more.iter().copied()).collect();
    Config::read(&|name| variables.get(name).map(|value| (*value).to_owned()))
}

#[test]
fn what_is_not_set_is_the_missions() {
    let config = read(&[("STAGED_BATCHES", "")]).unwrap();
    assert_eq!(config.policy, PolicyDefaults::default());
    assert_eq!(config.pace, Pace { idle_seconds: 300, near_seconds: 30 });
    assert_eq!(config.access, Access::default());
}

#[test]
fn what_is_set_is_read() {
    let hash = "ab".repeat(32);
    let keys = format!("{hash}, {hash}:north|south");
    let config = read(&[
        ("DEFAULT_STRATEGY", "manual"),
        ("STAGED_BATCHES", "5%,50%,100%"),
        ("BATCH_DELAY_MINUTES", "2"),
        ("MAX_FAILURE_RATE", "0.1"),
        ("AUTO_ROLLBACK", "false"),
        ("ALLOWED_REGISTRIES", "hub.docker.com,ghcr.io,registry.example.com:5000"),
        ("PROVISIONING_KEY_HASHES", &keys),
        ("WEBHOOK_SECRETS", "old,new"),
    ])
    .unwrap();
    assert_eq!(config.policy.update_strategy, Strategy::Manual);
    assert_eq!(config.policy.batch_delay_seconds, 120);
    assert_eq!(config.policy.max_failure_rate, Rate::parse("10%").unwrap());
    assert!(!config.policy.auto_rollback);
    let hosts = config.policy.allowed_registries.unwrap();
    assert_eq!(hosts.hosts(), ["docker.io", "ghcr.io", "registry.example.com:5000"]);
    assert_eq!(config.access.provisioning_keys[1].fleets, ["north", "south"]);
    assert_eq!(config.access.webhook_secrets.len(), 2);
}

#[test]
fn every_mistake_is_named_and_no_secret_is() {
    let error = read(&[
        ("TABLE_PREFIX", " "),
        ("BATCH_DELAY_MINUTES", "soon"),
        ("DEFAULT_STRATEGY", "yolo"),
        ("SIGNING_KEY", "hunter2"),
        ("OPERATOR_TOKEN_HASHES", "hunter2"),
        ("REGISTRY_CREDENTIALS", "hunter2"),
        ("WEBHOOK_SECRETS", "hunter2,hunter2,hunter2"),
    ])
    .unwrap_err();
    let names: Vec<_> = error.0.iter().map(|error| error.name).collect();
    let expected = [
        "TABLE_PREFIX",
        "DEFAULT_STRATEGY",
        "BATCH_DELAY_MINUTES",
        "OPERATOR_TOKEN_HASHES",
        "WEBHOOK_SECRETS",
        "SIGNING_KEY",
        "REGISTRY_CREDENTIALS",
    ];
    assert_eq!(names, expected);
    assert!(!error.to_string().contains("hunter2"), "{error}");
    assert!(error.to_string().contains("yolo"), "{error}");
}

#[test]
fn a_configuration_does_not_print_its_secrets() {
    let key = "hunter2".repeat(5);
    let config = read(&[("SIGNING_KEY", &key), ("WEBHOOK_SECRETS", "hunter2")]).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
}
