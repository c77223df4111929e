//! Rollouts that wait: for a person, and for a window.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::client::Client;
use crate::fleet::Fleet;
use crate::judge::{counts_equal_rows, names};
use crate::scene::Scene;
use crate::stack::stack;

#[tokio::test]
async fn a_manual_rollout_waits_for_a_person() {
    let Some(stack) = stack() else { return };
    let client = Client::new(stack);
    let manual = json!({ "update_strategy": "manual", "staged_batches": ["100%"] });
    let scene = Scene::set(&client, "manual", &manual).await;
    let fleet = Fleet::start(&client, &scene, 3, &[]).await;

    let id = scene.push(&client, "v2").await;
    let waiting = client.until(&id, "awaiting_approval", 60).await;
    assert!(waiting["waiting_for"].as_str().is_some_and(|why| why.contains("approv")), "{waiting}");
    assert!(client.rows(&id).await.iter().all(|row| row["status"] == "pending"));
    client.command(&id, "approve", &json!({ "reason": "tested" })).await.is(200);
    client.until(&id, "completed", 120).await;
    counts_equal_rows(&client.rollout(&id).await, &client.rows(&id).await);
    assert_eq!(names(&client.events(&id).await).get("image.rollout_approved"), Some(&1));

    let id = scene.push(&client, "v3").await;
    client.until(&id, "awaiting_approval", 60).await;
    client.command(&id, "reject", &json!({ "reason": "not that one" })).await.is(200);
    client.until(&id, "rejected", 30).await;
    assert_eq!(client.command(&id, "approve", &json!({})).await.status, 409);
    let devices = client.settled(&scene.name, 3, 30).await;
    assert!(devices.iter().all(|device| device["services"]["app"]["image"] == json!(scene.image("v2"))));
    fleet.end().await;
}

#[tokio::test]
async fn a_scheduled_rollout_says_when_its_window_opens() {
    let Some(stack) = stack() else { return };
    let client = Client::new(stack);
    let at = |hours| (Timestamp::now() + SignedDuration::from_hours(hours)).to_zoned_datetime(jiff::tz::TimeZone::UTC);
    let (opens, closes) = (at(6), at(8));
    let window = json!({
        "update_strategy": "scheduled",
        "maintenance_window_start": opens.strftime("%H:00:00").to_string(),
        "maintenance_window_end": closes.strftime("%H:00:00").to_string(),
        "timezone": "UTC",
    });
    let scene = Scene::set(&client, "window", &window).await;
    let fleet = Fleet::start(&client, &scene, 2, &[]).await;
    let id = scene.push(&client, "v2").await;
    let scheduled = client.until(&id, "scheduled", 60).await;
    let why = scheduled["waiting_for"].as_str().unwrap_or_default();
    for part in [opens.strftime("%Y-%m-%d").to_string(), opens.strftime("%H:00").to_string()] {
        assert!(why.contains(&part), "{part} is not in: {why}");
    }
    assert!(client.rows(&id).await.iter().all(|row| row["status"] == "pending"));
    client.command(&id, "cancel", &json!({ "reason": "enough seen" })).await.is(200);
    client.until(&id, "cancelled", 30).await;
    fleet.end().await;
}
