//! Every operation that the deployed stack's own OpenAPI document names, with every credential but the right one.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::Client;
use crate::stack::stack;

#[tokio::test]
async fn no_door_opens_without_its_own_key() {
    let Some(stack) = stack() else { return };
    let client = Client::new(stack);
    let fleet = format!("doors-{}", Uuid::new_v4().simple());
    let (device, device_token) = enrol(&client, &fleet).await;
    let (_, other_token) = enrol(&client, &fleet).await;
    let credentials = [
        ("none", "", ""),
        ("a wrong one", "wrong", ""),
        ("the operator's", &stack.operator, "operatorToken"),
        ("the provisioning key", &stack.provisioning, "provisioningKey"),
        ("the webhook secret", &stack.webhook, "webhookSecret"),
        ("the device's", &device_token, "deviceToken"),
        ("another device's", &other_token, ""),
    ];
    let secrets: Vec<&str> = credentials.iter().map(|(_, token, _)| *token).filter(|token| token.len() > 8).collect();
    let document = client.call(Method::GET, "/api/v1/openapi.json", "", None).await.is(200);
    let (mut operations, mut checked) = (0, 0);
    for (route, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let named = operation["security"].as_array().and_then(|named| named.first()?.as_object()?.keys().next());
            let Some(right) = named else { continue };
            operations += 1;
            let path = path(route, &device);
            let method: Method = method.to_uppercase().parse().unwrap();
            for (label, token, caller) in credentials {
                // The secret in the path is a wrong one whatever the header says.
                if caller == right && !route.ends_with("{token}") {
                    continue;
                }
                let answer = client.call(method.clone(), &path, token, Some(&json!({}))).await;
                let another = right == "deviceToken" && label == "another device's";
                let told = format!("{method} {route} with {label}: {}", answer.text);
                assert_eq!(answer.status, if another { 403 } else { 401 }, "{told}");
                assert_eq!(answer.content_type, "application/problem+json", "{told}");
                assert_eq!(answer.body["status"], answer.status, "{told}");
                let all = secrets.iter().copied().chain(stack.signing.as_deref());
                assert!(all.into_iter().all(|secret| !answer.text.contains(secret)), "a secret in {told}");
                checked += 1;
            }
        }
    }
    assert!(operations >= 27 && checked >= 6 * operations, "{operations} operations, {checked} calls");
    let health = client.call(Method::GET, "/api/v1/health", "", None).await;
    assert_eq!(health.body, json!({ "status": "ok" }), "no detail");
}

async fn enrol(client: &Client, fleet: &str) -> (String, String) {
    let body = json!({ "fleet_id": fleet, "services": { "app": { "image": "docker.io/e2e/doors:v1" } } });
    let answer = client.call(Method::POST, "/api/v1/devices", &client.stack.provisioning, Some(&body)).await.is(201);
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    (text(&answer["uuid"]), text(&answer["token"]))
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
