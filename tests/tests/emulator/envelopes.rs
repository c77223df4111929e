//! Many pushes in one delivery.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use crate::client::Client;
use crate::scene::Scene;
use crate::stack::{say, stack};

/// What an answer to a hundred pushes may take.
const SOON: Duration = Duration::from_secs(2);

async fn device(client: &Client, scene: &Scene) {
    let body = json!({ "fleet_id": scene.name, "services": { "app": { "image": scene.image("v1") } } });
    let key = &client.stack.provisioning;
    client.call(Method::POST, "/api/v1/devices", key, Some(&body)).await.is(201);
}

#[tokio::test]
async fn a_hundred_pushes_of_one_delivery_are_answered_soon() {
    let Some(stack) = stack() else { return };
    let client = Client::new(stack);
    let scene = Scene::set(&client, "envelope", &json!({})).await;
    device(&client, &scene).await;
    // Once for the function to be warm, as after the first of a registry's deliveries.
    scene.push(&client, "v0").await;
    let tags: Vec<String> = (1..=100).map(|n| format!("v{n}")).collect();
    let envelope = scene.envelope(&tags);
    let mut quickest = Duration::MAX;
    for attempt in 0..3 {
        let begun = Instant::now();
        let answer = envelope.deliver(&client).await;
        let took = begun.elapsed();
        say(&format!("100 pushes, attempt {attempt}: {} ms", took.as_millis()));
        quickest = quickest.min(took);
        let entries = answer["deliveries"].as_array().unwrap();
        assert_eq!(entries.len(), 100);
        let newest = if attempt == 0 { "superseding" } else { "duplicate" };
        assert_eq!((&entries[99]["tag"], &entries[99]["status"]), (&json!("v100"), &json!(newest)), "{answer}");
    }
    assert!(quickest < SOON, "{quickest:?}");
    let newest = &scene.rollouts(&client).await[0];
    assert_eq!(newest["new_tag"], "v100");
}
