//! No route answers without its caller's credential.

use std::collections::BTreeMap;

use axum::http::Method;
use serde_json::Value;

use crate::world::{NORTH_KEY, OPERATOR, PROVISIONING, SIGNING, WEBHOOK, World};

/// One operation of the document.
struct Operation {
    method: Method,
    route: String,
    caller: Option<String>,
}

fn operations() -> Vec<Operation> {
    let document: Value = serde_json::from_str(&tidegate_http::openapi::text(&tidegate_http::openapi())).unwrap();
    let mut operations = Vec::new();
    for (route, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let security = operation["security"].as_array().unwrap_or_else(|| panic!("{method} {route}"));
            let caller = security.first().and_then(|named| named.as_object()?.keys().next().cloned());
            operations.push(Operation { method: method.to_uppercase().parse().unwrap(), route: route.clone(), caller });
        }
    }
    operations
}

fn path(route: &str, device: &str) -> String {
    let values = [
        ("{source}", "docker-registry"),
        ("{token}", "wrong"),
        ("{uuid}", device),
        ("{id}", "01JD000000000000000000000A"),
        ("{digest}", "sha256:00"),
    ];
    values.iter().fold(route.to_owned(), |path, (name, value)| path.replace(name, value))
}

#[tokio::test]
async fn the_document_names_every_route_of_the_contract_with_its_caller() {
    let mut by_caller: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for operation in operations() {
        let caller = operation.caller.unwrap_or_else(|| "anyone".to_owned());
        by_caller.entry(caller).or_default().push(format!("{} {}", operation.method, operation.route));
    }
    assert_eq!(by_caller["anyone"], ["GET /api/v1/health", "GET /api/v1/openapi.json"]);
    assert_eq!(by_caller["provisioningKey"], ["POST /api/v1/devices"]);
    assert_eq!(by_caller["deviceToken"], ["GET /api/v1/device/{uuid}/state", "PATCH /api/v1/device/{uuid}/state"]);
    assert_eq!(
        by_caller["webhookSecret"],
        ["POST /api/v1/webhooks/{source}", "POST /api/v1/webhooks/{source}/{token}"]
    );
    let expected = [
        "POST /api/v1/deliveries/replay",
        "GET /api/v1/devices",
        "DELETE /api/v1/devices/{uuid}",
        "GET /api/v1/devices/{uuid}",
        "PATCH /api/v1/devices/{uuid}",
        "POST /api/v1/devices/{uuid}/allow-reenrolment",
        "GET /api/v1/image-policies",
        "POST /api/v1/image-policies",
        "POST /api/v1/image-policies/apply",
        "DELETE /api/v1/image-policies/{id}",
        "GET /api/v1/image-policies/{id}",
        "PUT /api/v1/image-policies/{id}",
        "DELETE /api/v1/images/bad/{digest}",
        "POST /api/v1/images/trigger-update",
        "GET /api/v1/rollouts",
        "GET /api/v1/rollouts/{id}",
        "POST /api/v1/rollouts/{id}/approve",
        "POST /api/v1/rollouts/{id}/cancel",
        "GET /api/v1/rollouts/{id}/devices",
        "GET /api/v1/rollouts/{id}/events",
        "POST /api/v1/rollouts/{id}/pause",
        "POST /api/v1/rollouts/{id}/reject",
        "POST /api/v1/rollouts/{id}/resume",
        "POST /api/v1/rollouts/{id}/rollback-all",
    ];
    assert_eq!(by_caller["operatorToken"], expected);
}

#[tokio::test]
async fn without_with_a_wrong_and_with_anothers_credential() {
    let world = World::new();
    let (device, device_token) = world.enrol("north").await;
    let (other_device, other_token) = world.enrol("north").await;
    let credentials = [
        ("none", "", ""),
        ("wrong", "wrong", ""),
        ("operator", OPERATOR, "operatorToken"),
        ("provisioning", PROVISIONING, "provisioningKey"),
        ("bound provisioning", NORTH_KEY, "provisioningKey"),
        ("webhook", WEBHOOK, "webhookSecret"),
        ("device", &device_token, "deviceToken"),
        ("another device", &other_token, ""),
        ("signing key", SIGNING, ""),
    ];
    let mut checked = 0;
    for operation in operations() {
        let Some(right) = &operation.caller else { continue };
        for (label, token, caller) in credentials {
            if caller == right && !operation.route.ends_with("{token}") {
                continue;
            }
            let path = path(&operation.route, &device);
            for body in [None, Some(serde_json::json!({}))] {
                let answer = world.call(operation.method.clone(), &path, token, body).await;
                let label = format!("{} {} with {label}: {answer:?}", operation.method, operation.route);
                let another = label.contains("with another device") && right == "deviceToken";
                assert_eq!(answer.status.as_u16(), if another { 403 } else { 401 }, "{label}");
                assert!(
                    operation.method == Method::HEAD || answer.header("content-type") == "application/problem+json"
                );
                for secret in [OPERATOR, PROVISIONING, WEBHOOK, SIGNING, &device_token, &other_token] {
                    assert!(
                        !answer.text.contains(secret) && !format!("{:?}", answer.headers).contains(secret),
                        "{label}"
                    );
                }
                checked += 1;
            }
        }
    }
    assert!(checked > 400, "{checked}");
    assert_ne!(device, other_device);
}

#[tokio::test]
async fn missing_and_wrong_are_told_alike() {
    let world = World::new();
    let missing = world.call(Method::GET, "/api/v1/rollouts", "", None).await;
    let wrong = world.call(Method::GET, "/api/v1/rollouts", "wrong", None).await;
    assert_eq!(missing.text, wrong.text);
    assert_eq!(missing.header("www-authenticate"), "Bearer");
    assert_eq!(wrong.header("www-authenticate"), "Bearer");
    let unknown_source = world.call(Method::POST, "/api/v1/webhooks/elsewhere", WEBHOOK, None).await;
    let known_source = world.call(Method::POST, "/api/v1/webhooks/docker-registry", "wrong", None).await;
    assert_eq!(unknown_source.text, known_source.text);
    assert_eq!(unknown_source.status, 401);
}

#[tokio::test]
async fn a_made_up_device_token_costs_no_read() {
    let world = World::new();
    let (device, token) = world.enrol("north").await;
    let path = format!("/api/v1/device/{device}/state");
    let before = world.reads();
    let mut made_up = token.clone();
    made_up.replace_range(10..11, if &token[10..11] == "A" { "B" } else { "A" });
    for token in ["x", "tgd_", &made_up, OPERATOR] {
        world.call(Method::GET, &path, token, None).await.is_problem(401, "");
    }
    assert!((world.reads() - before).abs() < f64::EPSILON);
    world.call(Method::GET, &path, &token, None).await.is(200);
    assert!(world.reads() > before);
}

#[tokio::test]
async fn what_does_not_say_its_caller_is_only_health_and_the_document() {
    let world = World::new();
    assert_eq!(world.call(Method::GET, "/api/v1/health", "", None).await.text, r#"{"status":"ok"}"#);
    let served = world.call(Method::GET, "/api/v1/openapi.json", "", None).await;
    assert_eq!(served.is(200)["openapi"], "3.1.0");
    assert_eq!(served.text, tidegate_http::openapi::text(&tidegate_http::openapi()));
}
