//! Windows in each device's own time zone, and devices whose zone nobody knows.

use axum::http::Method;
use serde_json::{Value, json};

use crate::world::{DIGEST_2, OPERATOR, PROVISIONING, V1, World};

/// A policy whose window is open at noon in UTC, in each device's own zone.
async fn policy(world: &World, fallback: Option<&str>) {
    let mut body = json!({
        "name": "own-zones", "image_pattern": "docker.io/acme/app:*", "fleet_id": "north", "update_strategy": "auto",
        "maintenance_window_start": "11:00:00", "maintenance_window_end": "13:00:00", "timezone": "device",
    });
    if let Some(fallback) = fallback {
        body["fallback_timezone"] = json!(fallback);
    }
    world.post("/api/v1/image-policies", body).await.is(201);
}

async fn device(world: &World, zone: Option<&str>) -> (String, String) {
    let mut body = json!({"fleet_id": "north", "services": {"web": {"image": V1}}});
    if let Some(zone) = zone {
        body["timezone"] = json!(zone);
    }
    let answer = world.call(Method::POST, "/api/v1/devices", PROVISIONING, Some(body)).await.is(201);
    (answer["uuid"].as_str().unwrap().to_owned(), answer["token"].as_str().unwrap().to_owned())
}

async fn is_offered(world: &World, (uuid, token): &(String, String)) -> bool {
    let state = world.call(Method::GET, &format!("/api/v1/device/{uuid}/state"), token, None).await.is(200);
    state["services"]["web"]["rollout"].is_object()
}

/// The row of a device in the rollout.
async fn row(world: &World, rollout: &str, uuid: &str) -> Value {
    let rows = world.get(&format!("/api/v1/rollouts/{rollout}/devices")).await.is(200);
    rows["items"].as_array().unwrap().iter().find(|row| row["device_uuid"] == uuid).unwrap().clone()
}

async fn pushed(world: &World) -> String {
    let answer = world.push("e1", "v2", DIGEST_2).await.is(202);
    world.settle().await;
    answer["rollout_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn without_a_zone_and_a_fallback_a_device_waits_and_everybody_is_told() {
    let world = World::new();
    policy(&world, None).await;
    let (utc, silent) = (device(&world, Some("utc")).await, device(&world, None).await);
    let rollout = pushed(&world).await;
    assert!(is_offered(&world, &utc).await);
    assert!(!is_offered(&world, &silent).await);

    let shown = world.get(&format!("/api/v1/rollouts/{rollout}")).await.is(200);
    assert_eq!(shown["no_timezone_devices"], 1, "{shown}");
    assert!(shown["waiting_for"].as_str().unwrap().contains("1 had told no time zone"), "{shown}");
    let waits = row(&world, &rollout, &silent.0).await;
    assert_eq!((&waits["status"], &waits["status_reason"]), (&json!("pending"), &json!("no_timezone")));
    let path = format!("/api/v1/devices/{}", silent.0);
    let seen = world.get(&path).await.is(200);
    assert!(seen["timezone_note"].as_str().unwrap().contains("names no fallback_timezone"), "{seen}");

    // The batch waits for it no longer than for one that is offline.
    world.pass(25 * 3600);
    world.nudge(&rollout).await;
    let put_off = row(&world, &rollout, &silent.0).await;
    assert_eq!((&put_off["status"], &put_off["status_reason"]), (&json!("deferred"), &json!("no_timezone")));

    world.call(Method::PATCH, &path, OPERATOR, Some(json!({"timezone": "Nowhere"}))).await.is_problem(422, "/timezone");
    let told = world.call(Method::PATCH, &path, OPERATOR, Some(json!({"timezone": "africa/accra"}))).await.is(200);
    assert_eq!((&told["timezone"], &told["timezone_note"]), (&json!("Africa/Accra"), &Value::Null), "{told}");
    world.pass(23 * 3600);
    assert!(is_offered(&world, &silent).await);
    let other = world.call(Method::PATCH, &path, OPERATOR, Some(json!({"name": "pump"}))).await.is(200);
    assert_eq!(other["timezone"], "Africa/Accra", "what is left out stays");
    let removed = world.call(Method::PATCH, &path, OPERATOR, Some(json!({"timezone": null}))).await.is(200);
    assert_eq!(removed["timezone"], Value::Null, "{removed}");
}

#[tokio::test]
async fn the_fallback_counts_where_the_policy_names_one_and_is_shown() {
    let world = World::new();
    policy(&world, Some("Africa/Accra")).await;
    let silent = device(&world, None).await;
    let rollout = pushed(&world).await;
    let waits = row(&world, &rollout, &silent.0).await;
    assert_eq!((&waits["status"], &waits["status_reason"]), (&json!("pending"), &json!("fallback_timezone")));
    assert_eq!(world.get(&format!("/api/v1/rollouts/{rollout}")).await.is(200)["fallback_timezone_devices"], 1);
    let seen = world.get(&format!("/api/v1/devices/{}", silent.0)).await.is(200);
    assert!(seen["timezone_note"].as_str().unwrap().contains("Africa/Accra"), "{seen}");
    assert!(is_offered(&world, &silent).await);
}
