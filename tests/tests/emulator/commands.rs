//! Pause, resume and cancel at moments that nobody chose, and a newer push in between.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::Client;
use crate::fleet::Fleet;
use crate::judge::{counts_equal_rows, events_are_in_order, the_bus_was_told};
use crate::scene::Scene;
use crate::stack::stack;

const DEVICES: usize = 16;
/// After this a paused rollout offers nothing any more: older copies of it are out of use.
const NO_OFFERS_AFTER: Duration = Duration::from_secs(5);

#[tokio::test]
async fn commands_hold_whenever_they_come() {
    let Some(stack) = stack() else { return };
    let client = Client::new(stack);
    let scene =
        Scene::set(&client, "commands", &json!({ "staged_batches": [4, 10, "100%"], "batch_delay": "3s" })).await;
    let fleet = Fleet::start(&client, &scene, DEVICES, &[]).await;
    let id = scene.push(&client, "v2").await;
    client.until(&id, "in_progress", 60).await;

    for round in 0..3 {
        tokio::time::sleep(Duration::from_millis(500 + (Uuid::new_v4().as_u128() % 4000) as u64)).await;
        if !pause_or_over(&client, &id).await {
            break;
        }
        tokio::time::sleep(NO_OFFERS_AFTER).await;
        let before = started(&client.rows(&id).await);
        tokio::time::sleep(Duration::from_secs(6)).await;
        let after = started(&client.rows(&id).await);
        assert_eq!(before, after, "devices that a paused rollout started, round {round}");
        let unreasoned = client.command(&id, "resume", &json!({})).await;
        assert!(unreasoned.status == 422 || unreasoned.status == 400, "resume wants a reason: {}", unreasoned.text);
        client.command(&id, "resume", &json!({ "reason": "looked at it" })).await.is(200);
        // What holds already is no error; it may be over by now.
        let again = client.command(&id, "resume", &json!({ "reason": "looked at it" })).await;
        assert!(again.status == 200 || client.rollout(&id).await["status"] == "completed", "{}", again.text);
    }
    let completed = client.until(&id, "completed", 120).await;
    assert_ne!(completed["waiting_for"], "looked at it", "an old reason explains no end: {completed}");
    client.settled(&scene.name, DEVICES, 60).await;
    counts_equal_rows(&client.rollout(&id).await, &client.rows(&id).await);
    the_bus_was_told(&client, &id).await;

    // Cancelled while its first batch moves: whoever took it keeps it, nobody else gets it.
    let id = scene.push(&client, "v3").await;
    let moving = |rollout: &Value| rollout["current_batch"].as_u64() >= Some(1);
    client.once_rollout(&id, 60, "in its first batch", moving).await;
    client.command(&id, "cancel", &json!({ "reason": "not today" })).await.is(200);
    client.command(&id, "cancel", &json!({ "reason": "not today" })).await.is(200);
    for command in ["pause", "resume", "approve"] {
        let refused = client.command(&id, command, &json!({ "reason": "no" })).await;
        assert_eq!(refused.status, 409, "{command}: {}", refused.text);
        assert_eq!(refused.content_type, "application/problem+json", "{}", refused.text);
    }
    let nobody_moves = |rollout: &Value| rollout["status"] == "cancelled";
    client.once_rollout(&id, 30, "cancelled", nobody_moves).await;
    let devices = client.settled(&scene.name, DEVICES, 60).await;
    let rows = client.rows(&id).await;
    counts_equal_rows(&client.rollout(&id).await, &rows);
    events_are_in_order(&client.events(&id).await);
    let running: BTreeMap<_, _> =
        devices.iter().map(|device| (device["uuid"].as_str(), &device["services"]["app"]["image"])).collect();
    for row in &rows {
        let expected = if row["status"] == "completed" { "v3" } else { "v2" };
        assert_eq!(running[&row["device_uuid"].as_str()], &json!(scene.image(expected)), "{row}");
    }
    fleet.end().await;
}

/// Pauses it; whether it was not over before. Twice, since what holds already is no error.
async fn pause_or_over(client: &Client, id: &str) -> bool {
    let paused = client.command(id, "pause", &json!({ "reason": "a moment" })).await;
    if client.rollout(id).await["status"] == "completed" {
        return false;
    }
    assert_eq!(paused.status, 200, "{}", paused.text);
    client.command(id, "pause", &json!({ "reason": "a moment" })).await.is(200);
    assert_eq!(client.rollout(id).await["status"], "paused");
    true
}

/// Devices that the rollout has got going.
fn started(rows: &[Value]) -> Vec<String> {
    let going = rows.iter().filter(|row| row["status"] != "pending" && row["status"] != "skipped");
    let mut devices: Vec<_> = going.map(|row| row["device_uuid"].as_str().expect("a uuid").to_owned()).collect();
    devices.sort_unstable();
    devices
}
