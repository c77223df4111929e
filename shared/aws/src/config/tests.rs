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
    assert_eq!(config.secrets, SecretsPlace { arn: None, kept_seconds: 300, endpoint_url: None });
}

#[test]
fn what_is_set_is_read() {
    let config = read(&[
        ("DEFAULT_STRATEGY", "manual"),
        ("STAGED_BATCHES", "5%,50%,100%"),
        ("BATCH_DELAY_MINUTES", "2"),
        ("MAX_FAILURE_RATE", "0.1"),
        ("AUTO_ROLLBACK", "false"),
        ("ALLOWED_REGISTRIES", "hub.docker.com,ghcr.io,registry.example.com:5000"),
        ("SECRETS_ARN", "arn:aws:secretsmanager:eu-central-1:1:secret:tidegate/prod-a1b2c3"),
        ("SECRETS_KEPT_SECONDS", "60"),
    ])
    .unwrap();
    assert_eq!(config.policy.update_strategy, Strategy::Manual);
    assert_eq!(config.policy.batch_delay_seconds, 120);
    assert_eq!(config.policy.max_failure_rate, Rate::parse("10%").unwrap());
    assert!(!config.policy.auto_rollback);
    let hosts = config.policy.allowed_registries.unwrap();
    assert_eq!(hosts.hosts(), ["docker.io", "ghcr.io", "registry.example.com:5000"]);
    let arn = config.secrets.arn.unwrap();
    assert_eq!((arn.split(':').next_back(), config.secrets.kept_seconds), (Some("tidegate/prod-a1b2c3"), 60));
}

#[test]
fn every_mistake_is_named() {
    let error = read(&[
        ("TABLE_PREFIX", " "),
        ("BATCH_DELAY_MINUTES", "soon"),
        ("DEFAULT_STRATEGY", "yolo"),
        ("SECRETS_KEPT_SECONDS", "301"),
    ])
    .unwrap_err();
    let names: Vec<_> = error.0.iter().map(|error| error.name).collect();
    let expected = ["TABLE_PREFIX", "DEFAULT_STRATEGY", "BATCH_DELAY_MINUTES", "SECRETS_KEPT_SECONDS"];
    assert_eq!(names, expected);
    assert!(error.to_string().contains("yolo"), "{error}");
}

#[test]
fn what_was_got_is_told_once() {
    for name in [
        "DEFAULT_STRATEGY",
        "STAGED_BATCHES",
        "BATCH_DELAY_MINUTES",
        "MAX_FAILURE_RATE",
        "AUTO_ROLLBACK",
        "ALLOWED_REGISTRIES",
        "RETENTION_DAYS",
    ] {
        let error = read(&[(name, "a b/c")]).unwrap_err().to_string();
        assert_eq!(error.matches("a b/c").count(), 1, "{error}");
    }
}
