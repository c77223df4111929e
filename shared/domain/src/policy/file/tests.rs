use serde_json::json;

use super::*;

fn parse(text: &str) -> Result<PolicyFile, Vec<FileError>> {
    parse_file(text, &PolicyDefaults::default())
}

#[test]
fn a_file_gives_bodies_with_its_defaults_filled_in() {
    let text = r#"
version: 1
defaults:
  health_check_timeout_seconds: 120
  batch_delay_minutes: 5
  fleet_id: production
  timezone: device
  fallback_timezone: Europe/Berlin
policies:
  - name: production-app
    image_pattern: docker.io/iotistic/app:*
    update_strategy: staged
    staged_batches: [1, 12.5%, "100%"]
    batch_delay: 45s
    max_failure_rate: 20%
    timezone: UTC
  - name: everywhere
    image_pattern: localhost:5000/app
    fleet_id: null
    max_failure_rate: 0.1
    maintenance_window_start: 02:00:00
    maintenance_window_end: "04:00:00"
    days: [mon, tue]
    device_tags: {region: us-east, on: yes}
"#;
    let bodies: Vec<_> = parse(text).unwrap().policies.iter().map(|raw| serde_json::to_value(raw).unwrap()).collect();
    assert_eq!(
        bodies,
        [
            json!({"name": "production-app", "image_pattern": "docker.io/iotistic/app:*", "update_strategy": "staged",
                   "staged_batches": [1, "12.5%", "100%"], "batch_delay": "45s", "max_failure_rate": "20%",
                   "health_check_timeout_seconds": 120, "fleet_id": "production", "timezone": "UTC"}),
            json!({"name": "everywhere", "image_pattern": "localhost:5000/app", "max_failure_rate": 0.1,
                   "batch_delay_minutes": 5, "health_check_timeout_seconds": 120,
                   "maintenance_window_start": "02:00:00", "maintenance_window_end": "04:00:00",
                   "timezone": "device", "fallback_timezone": "Europe/Berlin", "days": ["mon", "tue"],
                   "device_tags": {"region": "us-east", "on": "yes"}}),
        ]
    );
}

#[test]
fn the_smallest_files_are_files() {
    assert_eq!(parse("version: 1\npolicies: []\n").unwrap().policies, []);
    assert_eq!(
        parse("{version: 1, defaults: , policies: [{name: n, image_pattern: nginx}]}").unwrap().policies.len(),
        1
    );
}

#[test]
fn an_anchor_is_a_way_to_write_less() {
    let text =
        "version: 1\npolicies:\n- &base {name: a, image_pattern: o/a, soak_seconds: 1}\n- {<<: *base, name: b}\n";
    let policies = parse(text).unwrap().policies;
    assert_eq!((policies[1].name.as_deref(), policies[1].soak_seconds), (Some("b"), Some(1)));
}

#[test]
fn every_mistake_is_told_with_its_line_and_column() {
    let text = r"version: 2
polices: []
defaults:
  soak_secnds: 1
  name: all
policies:
  - name: a
    image_pattern: o/app
    health_check:
      type: tcp
      port: 0
    staged_batches: [10%, 50%]
  - image_pattern: O/App
    days: [mon]
    rack: 1
  - just a text
  - name: a
    image_pattern: o/app
";
    let told: Vec<_> = parse(text).unwrap_err().into_iter().map(|e| (e.line, e.column, e.field, e.detail)).collect();
    let expected = [
        (1, 10, "version", "expected 1"),
        (2, 1, "polices", "unknown field; did you mean policies?"),
        (4, 3, "defaults.soak_secnds", "unknown field; did you mean soak_seconds?"),
        (5, 3, "defaults.name", "is each policy's own and cannot be a default"),
        (11, 7, "policies[0].health_check.port", "expected a port from 1 to 65535"),
        (
            12,
            5,
            "policies[0].staged_batches",
            "the last entry must be \"100%\", so that every device is reached, got \"50%\"",
        ),
        (13, 20, "policies[1].image_pattern", ""),
        (13, 5, "policies[1].name", "expected a name of 1 to 100 characters, with no space at its ends"),
        (14, 5, "policies[1].days", "means nothing without maintenance_window_start and maintenance_window_end"),
        (15, 5, "policies[1].rack", "unknown field"),
        (16, 5, "policies[2]", "expected a policy: name, image_pattern and what else it says"),
        (17, 5, "policies[3].name", "\"a\" is taken by the policy in line 7; names are unique"),
    ];
    for (told, expected) in told.iter().zip(&expected) {
        assert_eq!((told.0, told.2.as_str()), (expected.0, expected.2), "{told:?}");
        if !expected.3.is_empty() {
            assert_eq!((told.1, told.3.as_str()), (expected.1, expected.3));
        }
    }
    assert_eq!(told.len(), expected.len(), "{told:?}");
}

#[test]
fn what_is_missing_is_told_at_its_policy() {
    let errors = parse("version: 1\npolicies:\n  - fleet_id: f\n  - name: n\n    image_pattern: nginx\n").unwrap_err();
    let places: Vec<_> = errors.iter().map(|e| (e.line, e.field.as_str())).collect();
    assert_eq!(places, [(3, "policies[0].image_pattern"), (3, "policies[0].name")]);
}

#[test]
fn a_mistake_in_the_defaults_is_told_once() {
    let text = "version: 1\ndefaults:\n  max_failure_rate: 20\npolicies:\n  - {name: a, image_pattern: o/a}\n  \
                - {name: b, image_pattern: o/b}\n";
    let errors = parse(text).unwrap_err();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!((errors[0].line, errors[0].column, errors[0].field.as_str()), (3, 3, "defaults.max_failure_rate"));
    assert!(errors[0].to_string().starts_with("line 3, column 3: defaults.max_failure_rate: expected a share"));
}

#[test]
fn two_delays_in_one_policy_are_a_mistake_though_one_hides_a_default() {
    let text = "version: 1\ndefaults: {batch_delay: 1s}\npolicies:\n  - {name: a, image_pattern: o/a, batch_delay: 2s, \
                batch_delay_minutes: 1}\n";
    let errors = parse(text).unwrap_err();
    assert_eq!((errors.len(), errors[0].field.as_str()), (1, "policies[0].batch_delay"));
}

#[test]
fn what_is_no_yaml_or_no_file_is_told_by_its_place() {
    let cases = [
        ("nothing", "", 1, "expected version: 1"),
        ("a text", "hello", 1, "expected version: 1"),
        ("no policies", "version: 1\n", 1, "expected a list of policies"),
        ("policies as a map", "version: 1\npolicies:\n  name: n\n", 3, "expected a list of policies"),
        ("a quote left open", "version: 1\npolicies:\n  - name: \"n\n", 3, ""),
        ("a key twice", "version: 1\nversion: 1\npolicies: []\n", 2, "version"),
        ("a tab", "version: 1\npolicies:\n\t- name: n\n", 3, ""),
        ("a wrong indent", "version: 1\npolicies:\n  - name: n\n   image_pattern: nginx\n", 4, ""),
        ("two documents", "version: 1\npolicies: []\n---\nversion: 1\n", 4, ""),
    ];
    for (label, text, line, detail) in cases {
        let errors = parse(text).expect_err(label);
        assert_eq!(errors[0].line, line, "{label}: {errors:?}");
        assert!(!errors[0].detail.contains("line"), "{label}: its place is told once: {errors:?}");
        assert!(errors.iter().any(|error| error.detail.contains(detail)), "{label}: {errors:?}");
    }
}

#[test]
fn an_unknown_field_hides_no_other_mistake() {
    let text = "version: 1\ndefaults:\n  rack: 1\n  on_newer: late\npolicies:\n  - {name: a, image_pattern: o/a, \
                max_failure_rate: 7, shelf: 2, timezone: Mars/X}\n";
    let fields: Vec<String> = parse(text).unwrap_err().into_iter().map(|error| error.field).collect();
    assert_eq!(
        fields,
        [
            "defaults.rack",
            "defaults.on_newer",
            "policies[0].max_failure_rate",
            "policies[0].shelf",
            "policies[0].timezone"
        ]
    );
}

#[test]
fn what_follows_from_the_stacks_values_is_left_to_the_server() {
    let text = "version: 1\npolicies:\n  - {name: a, image_pattern: o/a, healthy_for_seconds: 5000}\n";
    let unknown = PolicyDefaults { allowed_registries: None, ..PolicyDefaults::default() };
    assert!(parse_file(text, &unknown).is_ok());
}

#[test]
fn what_somebody_else_finds_is_told_where_it_stands() {
    let text =
        "version: 1\ndefaults: {image: x, max_failure_rate: 0.1}\npolicies:\n  - name: a\n    image_pattern: q/a\n";
    let document = PolicyDocument::read(text).unwrap();
    let at = |pointer: &str| {
        let FileError { line, column, field, .. } = document.mistake(0, FieldError::new(pointer, "no"));
        (line, column, field)
    };
    assert_eq!(at("/image_pattern"), (5, 5, "policies[0].image_pattern".to_owned()));
    assert_eq!(at("/max_failure_rate").2, "defaults.max_failure_rate");
    assert_eq!(at("/batch_delay"), (4, 5, "policies[0].batch_delay".to_owned()));
}
