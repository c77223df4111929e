use serde_json::{Value, json};

use super::*;

fn inspected(value: Value) -> ContainerInspectResponse {
    serde_json::from_value(value).expect("it is as the engine writes it")
}

fn publishing(asked: &str, got: &str) -> Value {
    json!({
        "HostConfig": {"NetworkMode": "shop", "PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": asked}]}},
        "NetworkSettings": {
            "Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": got}], "90/tcp": null},
            "Networks": {"aside": {"IPAddress": "10.9.0.2"}, "shop": {"IPAddress": "10.8.0.2"}},
        },
    })
}

#[test]
fn where_an_address_leads() {
    let plain = json!({"HostConfig": {"NetworkMode": "shop"}, "NetworkSettings": {
        "Ports": {}, "Networks": {"aside": {"IPAddress": "10.9.0.2"}, "shop": {"IPAddress": "10.8.0.2"}}}});
    let host =
        json!({"HostConfig": {"NetworkMode": "host"}, "NetworkSettings": {"Networks": {"host": {"IPAddress": ""}}}});
    let mut inner = publishing("8080", "8080");
    inner["NetworkSettings"]["Ports"]["80/tcp"][0]["HostIp"] = json!("192.168.1.4");
    let at = |host: &str, port| Some((host.to_owned(), port));
    let cases = [
        ("a published port", publishing("8080", "8080"), "localhost", 8080, at("127.0.0.1", 8080)),
        ("the other's port of a range", publishing("8080-8081", "8081"), "127.0.0.1", 8080, at("127.0.0.1", 8081)),
        ("the port inside, published", publishing("8080", "8080"), "localhost", 80, at("127.0.0.1", 8080)),
        ("a port that the engine chose", publishing("", "49153"), "[::1]", 80, at("127.0.0.1", 49153)),
        ("published on one address", inner, "localhost", 8080, at("192.168.1.4", 8080)),
        ("a port that is not published", publishing("8080", "8080"), "localhost", 90, at("10.8.0.2", 90)),
        ("nothing published", plain.clone(), "localhost", 80, at("10.8.0.2", 80)),
        ("the service's name", publishing("8080", "8080"), "web", 80, at("10.8.0.2", 80)),
        ("the host's network", host, "localhost", 8080, at("127.0.0.1", 8080)),
        ("another host", plain, "example.com", 80, None),
    ];
    for (label, container, host, port, expected) in cases {
        assert_eq!(address::of("web", &inspected(container), host, port), Ok(expected), "{label}");
    }
}

#[test]
fn a_container_without_an_address() {
    let container =
        json!({"HostConfig": {"NetworkMode": "none"}, "NetworkSettings": {"Networks": {"none": {"IPAddress": ""}}}});
    let fault = address::of("web", &inspected(container), "localhost", 80).expect_err("it has none");
    assert_eq!(fault.reason, Reason::Configuration);
    assert!(fault.why.contains("localhost:80") && fault.why.contains("network mode none"), "{}", fault.why);
}

#[test]
fn what_runs() {
    let cases = [
        ("running", json!({"Status": "running"}), None),
        ("paused", json!({"Status": "paused"}), None),
        ("created", json!({"Status": "created"}), Some("never started")),
        ("exited", json!({"Status": "exited", "ExitCode": 137}), Some("ended with 137")),
        ("restarting", json!({"Status": "restarting", "ExitCode": 2}), Some("ended with 2 and is started again")),
    ];
    for (label, state, expected) in cases {
        let answer = running(&inspected(json!({"State": state})));
        assert_eq!(answer.is_ok(), expected.is_none(), "{label}");
        if let (Err(fault), Some(expected)) = (answer, expected) {
            assert_eq!(fault.reason, Reason::ExitsAtOnce, "{label}");
            assert!(fault.why.contains(expected), "{label}: {}", fault.why);
        }
    }
}

#[test]
fn runs_that_are_not_one() {
    let run = |started: &str, count: i64| inspected(json!({"State": {"StartedAt": started}, "RestartCount": count}));
    assert_eq!(still_running(&run("10:00", 0), &run("10:00", 0)), Ok(()));
    let fault = still_running(&run("10:00", 3), &run("10:01", 4)).expect_err("it was started again");
    assert!(fault.why.contains("4 times"), "{}", fault.why);
}

#[test]
fn what_the_image_says() {
    let cases = [
        ("healthy", json!({"Status": "healthy"}), None),
        ("starting", json!({"Status": "starting"}), Some("starting")),
        (
            "unhealthy",
            json!({"Status": "unhealthy", "Log": [{"Output": "old"}, {"Output": "no pump\n"}]}),
            Some("no pump"),
        ),
        ("disabled", json!({"Status": "none"}), Some("no HEALTHCHECK")),
        ("none", Value::Null, Some("no HEALTHCHECK")),
    ];
    for (label, health, expected) in cases {
        let answer = image_says(&inspected(json!({"State": {"Health": health}})));
        assert_eq!(answer.is_ok(), expected.is_none(), "{label}");
        let why = answer.map_err(|fault| fault.why).err().unwrap_or_default();
        assert!(why.contains(expected.unwrap_or_default()), "{label}: {why}");
    }
}
