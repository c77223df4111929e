//! The functions: which there are, what each is told, and how long each may take.

use std::collections::BTreeSet;

use serde_json::json;

use crate::document::{Template, list, target};

const FUNCTIONS: [&str; 9] = [
    "batch-worker",
    "device-state",
    "event-publisher",
    "policies",
    "public",
    "recorder",
    "rollout-step",
    "rollouts",
    "webhooks",
];

/// What every function is told, beside the secrets.
const VARIABLES: [&str; 22] = [
    "RUST_LOG",
    "TABLE_PREFIX",
    "STEP_QUEUE_URL",
    "STEP_QUEUE_ARN",
    "BATCH_QUEUE_URL",
    "EVENT_BUS_NAME",
    "SCHEDULER_GROUP",
    "SCHEDULER_ROLE_ARN",
    "DEFAULT_STRATEGY",
    "STAGED_BATCHES",
    "BATCH_DELAY_MINUTES",
    "HEALTH_CHECK_TIMEOUT_SECONDS",
    "HEALTH_CHECK_RETRIES",
    "HEALTH_CHECK_INTERVAL_SECONDS",
    "MAX_FAILURE_RATE",
    "MAX_CONSECUTIVE_FAILURES",
    "AUTO_ROLLBACK",
    "ROLLBACK_TIMEOUT_SECONDS",
    "ALLOWED_REGISTRIES",
    "POLL_IDLE_SECONDS",
    "POLL_NEAR_SECONDS",
    "RETENTION_DAYS",
];

/// Parameters and the defaults that the mission names.
const DEFAULTS: [(&str, &str); 11] = [
    ("DefaultStrategy", "staged"),
    ("StagedBatches", "10%,50%,100%"),
    ("BatchDelayMinutes", "30"),
    ("HealthCheckTimeoutSeconds", "300"),
    ("HealthCheckRetries", "3"),
    ("HealthCheckIntervalSeconds", "30"),
    ("MaxFailureRate", "0.2"),
    ("MaxConsecutiveFailures", "3"),
    ("AutoRollback", "true"),
    ("RollbackTimeoutSeconds", "600"),
    ("AllowedRegistries", "docker.io,ghcr.io"),
];

#[test]
fn there_are_nine_each_with_a_crate() {
    let template = Template::read();
    let names: BTreeSet<&str> = template.functions().map(|(name, _)| name).collect();
    assert_eq!(names, BTreeSet::from(FUNCTIONS));
    for (name, function) in template.functions() {
        assert_eq!(function["CodeUri"], format!("../target/lambda/{name}"), "cargo lambda build writes there");
        let manifest = format!("{}/../functions/{name}/Cargo.toml", env!("CARGO_MANIFEST_DIR"));
        let manifest = std::fs::read_to_string(&manifest).unwrap_or_else(|_| panic!("{manifest} can be read"));
        assert!(manifest.contains(&format!("name = \"{name}\"")), "the binary of {name} has its name");
    }
}

#[test]
fn every_variable_is_set() {
    let template = Template::read();
    let shared = template.shared_by_functions()["Environment"]["Variables"].as_object().expect("variables");
    let names: BTreeSet<&str> = shared.keys().map(String::as_str).collect();
    assert_eq!(names, BTreeSet::from(VARIABLES));
}

#[test]
fn defaults_are_the_missions() {
    let template = Template::read();
    let parameters = template.section("Parameters");
    for (name, wanted) in DEFAULTS {
        let default = &parameters.get(name).unwrap_or_else(|| panic!("there is no parameter {name}"))["Default"];
        let text = default.as_str().map_or_else(|| default.to_string(), str::to_owned);
        assert_eq!(text, wanted, "{name}");
    }
}

#[test]
fn every_function_has_a_timeout_a_role_and_logs_that_end() {
    let template = Template::read();
    for (name, function) in template.functions() {
        let timeout = function["Timeout"].as_u64().unwrap_or_else(|| panic!("{name} has no timeout of its own"));
        assert!((1..=60).contains(&timeout), "{name}: {timeout} s");
        let logs = template.properties(target(&function["LoggingConfig"]["LogGroup"]));
        assert_eq!(logs["RetentionInDays"]["Ref"], "LogRetentionDays", "{name}");
        assert_eq!(logs["LogGroupName"]["Fn::Sub"], format!("/aws/lambda/${{AWS::StackName}}-{name}"));
    }
}

#[test]
fn a_role_belongs_to_one_function() {
    let template = Template::read();
    let roles: BTreeSet<&str> = template.functions().map(|(_, function)| target(&function["Role"])).collect();
    assert_eq!(roles.len(), FUNCTIONS.len());
}

#[test]
fn http_functions_end_before_the_api_gives_up() {
    let template = Template::read();
    for (name, function) in template.functions() {
        if matches!(name, "public" | "webhooks" | "policies" | "rollouts" | "device-state") {
            assert!(function["Timeout"].as_u64().is_some_and(|seconds| seconds < 30), "{name}: API Gateway waits 30 s");
        }
    }
}

#[test]
fn the_devices_function_has_a_url_and_a_limit() {
    let template = Template::read();
    let with_url: Vec<&str> = template
        .functions()
        .filter(|(_, function)| !function["FunctionUrlConfig"].is_null())
        .map(|(name, _)| name)
        .collect();
    assert_eq!(with_url, ["device-state"]);
    let (_, function) = template.functions().find(|(name, _)| *name == "device-state").expect("it exists");
    assert_eq!(function["ReservedConcurrentExecutions"]["Fn::If"][0], "ReserveDeviceState");
    assert!(template.section("Parameters")["DeviceStateConcurrency"]["Default"].as_u64() > Some(0));
}

#[test]
fn pause_and_rollback_have_concurrency_that_nobody_else_can_use_up() {
    let template = Template::read();
    let (_, function) = template.functions().find(|(name, _)| *name == "rollouts").expect("it exists");
    let reserved = &function["ReservedConcurrentExecutions"];
    assert_eq!(reserved["Fn::If"], json!(["ReserveRollouts", {"Ref": "RolloutsConcurrency"}, {"Ref": "AWS::NoValue"}]));
    assert!(template.section("Parameters")["RolloutsConcurrency"]["Default"].as_u64() > Some(0));
}

#[test]
fn tracing_is_off_until_it_is_asked_for_and_then_allowed_to_every_function() {
    let template = Template::read();
    assert_eq!(template.shared_by_functions()["Tracing"], json!({"Fn::If": ["Traced", "Active", "PassThrough"]}));
    assert_eq!(template.section("Parameters")["Tracing"]["Default"], "false");
    let policy = template.properties("TracingPolicy");
    let mut allowed: Vec<&str> = list(&policy["Roles"]).iter().map(target).collect();
    let mut roles: Vec<&str> = template.functions().map(|(_, function)| target(&function["Role"])).collect();
    allowed.sort_unstable();
    roles.sort_unstable();
    assert_eq!(allowed, roles);
    let actions = &policy["PolicyDocument"]["Statement"][0]["Action"];
    assert_eq!(actions, &json!(["xray:PutTraceSegments", "xray:PutTelemetryRecords"]));
}
