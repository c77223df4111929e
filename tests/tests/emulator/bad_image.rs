//! A bad image is stopped in its first batch; one command takes everybody back, and it stays away.

use serde_json::{Value, json};

use crate::client::Client;
use crate::fleet::Fleet;
use crate::judge::{counts_equal_rows, events_are_in_order, names, the_bus_was_told};
use crate::queues::Queues;
use crate::scene::Scene;
use crate::stack::stack;

const DEVICES: usize = 20;

#[tokio::test]
async fn a_bad_image_is_stopped_and_taken_back() {
    let Some(stack) = stack() else { return };
    let client = Client::new(stack);
    let scene = Scene::set(&client, "bad", &json!({})).await;
    let fleet = Fleet::start(&client, &scene, DEVICES, &["--bad-tag", "v2"]).await;
    let id = scene.push(&client, "v2").await;
    client.until(&id, "paused", 120).await;
    let first_batch_is_back = |rollout: &Value| rollout["batches"][0]["rolled_back"] == 2;
    let paused = client.once_rollout(&id, 60, "rolled back in the first batch", first_batch_is_back).await;
    assert!(paused["batches"][1]["opened_at"].is_null(), "{paused}");
    assert!(paused["error_message"].is_string() || paused["waiting_for"].is_string(), "it says why: {paused}");
    counts_equal_rows(&paused, &client.rows(&id).await);
    for row in client.rows(&id).await {
        let expected = if row["batch_number"] == 1 { "rolled_back" } else { "pending" };
        assert_eq!(row["status"], expected, "{row}");
    }
    let devices = client.settled(&scene.name, DEVICES, 60).await;
    assert!(devices.iter().all(|device| device["services"]["app"]["image"] == json!(scene.image("v1"))));

    let back = client.command(&id, "rollback-all", &json!({ "reason": "it is bad" })).await;
    assert_eq!(back.status, 200, "{}", back.text);
    let rolled_back = client.until(&id, "rolled_back", 180).await;
    counts_equal_rows(&rolled_back, &client.rows(&id).await);
    client.settled(&scene.name, DEVICES, 60).await;

    let events = client.events(&id).await;
    events_are_in_order(&events);
    let counted = names(&events);
    for name in ["image.rollout_failed", "image.rollout_paused", "image.rollback_started", "image.rollback_completed"] {
        assert!(counted.contains_key(name), "{name}: {counted:?}");
    }
    the_bus_was_told(&client, &id).await;
    if let Some(queues) = Queues::of(&client) {
        let alerts = queues.alerts(&id).await;
        let told = |name: &str| alerts.values().any(|alert| alert == name);
        assert!(told("image.rollout_paused") && told("image.rollout_failed"), "{alerts:?}");
    }

    let again = scene.notification("v2").send(&client).await;
    assert!(again["status"] == "ignored" || again["status"] == "duplicate", "a bad digest stays away: {again}");
    assert_eq!(scene.rollouts(&client).await.len(), 1);
    fleet.end().await;
}
