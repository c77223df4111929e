use serde_json::json;

use super::*;

fn check(value: &Value) -> Result<HealthCheck, Vec<FieldError>> {
    RawHealthCheck::from_json("/health_check", value)?.validate("/health_check", HealthDefaults::default())
}

#[test]
fn each_kind_is_filled_in_as_devices_get_it() {
    let cases = [
        (
            json!({"type": "http", "endpoint": "http://localhost:8080/health", "interval_seconds": 10}),
            json!({"type": "http", "endpoint": "http://localhost:8080/health", "expected_status": 200,
                   "timeout_seconds": 30, "retry_count": 3, "interval_seconds": 10}),
        ),
        (
            json!({"type": "tcp", "port": 5432, "timeout_seconds": 5, "retry_count": 0}),
            json!({"type": "tcp", "port": 5432, "timeout_seconds": 5, "retry_count": 0, "interval_seconds": 30}),
        ),
        (
            json!({"type": "tcp", "port": 1, "host": "10.0.0.1"}),
            json!({"type": "tcp", "port": 1, "host": "10.0.0.1", "timeout_seconds": 30, "retry_count": 3,
                   "interval_seconds": 30}),
        ),
        (
            json!({"type": "container_running", "endpoint": null}),
            json!({"type": "container_running", "timeout_seconds": 30, "retry_count": 3, "interval_seconds": 30}),
        ),
        (
            json!({"type": "image"}),
            json!({"type": "image", "timeout_seconds": 30, "retry_count": 3, "interval_seconds": 30}),
        ),
        (
            json!({"type": "custom", "command": ["/check", "-q"]}),
            json!({"type": "custom", "command": ["/check", "-q"], "where": "container", "timeout_seconds": 30,
                   "retry_count": 3, "interval_seconds": 30}),
        ),
    ];
    for (written, expected) in cases {
        let check = check(&written).unwrap();
        let sent = serde_json::to_value(&check).unwrap();
        assert_eq!(sent, expected);
        assert_eq!(serde_json::from_value::<HealthCheck>(sent).unwrap(), check);
    }
}

#[test]
fn mistakes_are_told_all_at_once_by_their_field() {
    let cases = [
        ("no kind", json!({}), vec!["/health_check/type"]),
        ("another kind", json!({"type": "grpc"}), vec!["/health_check/type"]),
        ("no object", json!("http"), vec!["/health_check"]),
        ("no endpoint", json!({"type": "http"}), vec!["/health_check/endpoint"]),
        (
            "no URL, no status",
            json!({"type": "http", "endpoint": "localhost:80", "expected_status": 20}),
            vec!["/health_check/endpoint", "/health_check/expected_status"],
        ),
        ("a URL without a host", json!({"type": "http", "endpoint": "http:///x"}), vec!["/health_check/endpoint"]),
        ("no port", json!({"type": "tcp"}), vec!["/health_check/port"]),
        ("port 0", json!({"type": "tcp", "port": 0}), vec!["/health_check/port"]),
        ("a port too high", json!({"type": "tcp", "port": 65536}), vec!["/health_check/port"]),
        ("a command as text", json!({"type": "custom", "command": "/check"}), vec!["/health_check/command"]),
        (
            "an empty command, elsewhere",
            json!({"type": "custom", "command": [], "where": "moon"}),
            vec!["/health_check/command", "/health_check/where"],
        ),
        (
            "another kind's field",
            json!({"type": "tcp", "port": 1, "endpoint": "http://a"}),
            vec!["/health_check/endpoint"],
        ),
        (
            "ranges",
            json!({"type": "image", "timeout_seconds": 0, "retry_count": 101, "interval_seconds": 3601}),
            vec!["/health_check/timeout_seconds", "/health_check/retry_count", "/health_check/interval_seconds"],
        ),
        (
            "an unknown field and a wrong type",
            json!({"type": "image", "timeout": 3, "retry_count": "3"}),
            vec!["/health_check/retry_count", "/health_check/timeout"],
        ),
    ];
    for (label, written, pointers) in cases {
        let errors = check(&written).expect_err(label);
        assert_eq!(errors.iter().map(|error| error.pointer.as_str()).collect::<Vec<_>>(), pointers, "{label}");
    }
}

#[test]
fn a_policy_without_a_check_asks_that_the_container_runs() {
    assert_eq!(check(&json!({"type": "container_running"})).unwrap(), HealthDefaults::default().check());
}
