//! The main job: a push reaches a whole fleet in three batches, and everything that the API tells of it holds together.

use std::collections::BTreeSet;

use serde_json::json;

use crate::client::Client;
use crate::fleet::Fleet;
use crate::judge::{counts_equal_rows, events_are_in_order, names, the_bus_was_told};
use crate::scene::Scene;
use crate::stack::stack;

const DEVICES: usize = 40;

#[tokio::test]
async fn a_push_reaches_a_fleet_in_three_batches() {
    let Some(stack) = stack() else { return };
    let client = Client::new(stack);
    let scene = Scene::set(&client, "main", &json!({})).await;
    let fleet = Fleet::start(&client, &scene, DEVICES, &[]).await;
    let id = scene.push(&client, "v2").await;
    client.until(&id, "completed", 180).await;
    let devices = client.settled(&scene.name, DEVICES, 60).await;

    let (rows, rollout) = (client.rows(&id).await, client.rollout(&id).await);
    counts_equal_rows(&rollout, &rows);
    for (field, expected) in [
        ("image_name", json!(scene.repository)),
        ("new_tag", json!("v2")),
        ("new_digest", json!(scene.digest("v2"))),
        ("strategy", json!("staged")),
        ("policy", json!(scene.name)),
        ("total_devices", json!(DEVICES)),
        ("healthy_devices", json!(DEVICES)),
        ("updated_devices", json!(DEVICES)),
        ("failed_devices", json!(0)),
        ("current_batch", json!(3)),
    ] {
        assert_eq!(rollout[field], expected, "{field} of {rollout}");
    }
    let batches = rollout["batches"].as_array().unwrap();
    let sizes: Vec<_> = batches.iter().map(|batch| batch["devices"].as_u64().unwrap()).collect();
    assert_eq!(sizes, [4, 16, 20], "10 %, 50 % and 100 % of {DEVICES}, cumulative");
    for pair in batches.windows(2) {
        assert!(pair[0]["completed_at"].as_str() <= pair[1]["opened_at"].as_str(), "{pair:?}");
    }

    let of_rows: BTreeSet<_> = rows.iter().map(|row| row["device_uuid"].as_str().unwrap()).collect();
    let enrolled: BTreeSet<_> = devices.iter().map(|device| device["uuid"].as_str().unwrap()).collect();
    assert_eq!(of_rows, enrolled);
    assert!(rows.iter().all(|row| row["status"] == "completed" && row["health_check_passed"] == true), "{rows:?}");
    assert!(rows.iter().all(|row| row["old_image_tag"] == "v1" && row["new_image_tag"] == "v2"), "{rows:?}");
    assert!(devices.iter().all(|device| device["services"]["app"]["image"] == json!(scene.image("v2"))));

    let events = client.events(&id).await;
    events_are_in_order(&events);
    let counted = names(&events);
    for name in ["webhook_received", "update_available", "rollout_started", "rollout_completed"] {
        assert_eq!(counted.get(&*format!("image.{name}")), Some(&1), "{name}: {counted:?}");
    }
    for name in ["rollout_batch_started", "rollout_batch_completed"] {
        assert_eq!(counted.get(&*format!("image.{name}")), Some(&3), "{name}: {counted:?}");
    }
    for name in [
        "image_update_scheduled",
        "image_pulling",
        "image_pulled",
        "container_updating",
        "update_completed",
        "health_check_passed",
    ] {
        assert_eq!(counted.get(&*format!("device.{name}")), Some(&DEVICES), "{name}: {counted:?}");
    }
    assert_eq!(counted.len(), 12, "no other events: {counted:?}");
    the_bus_was_told(&client, &id).await;
    fleet.end().await;

    // The same content again, as another delivery, moves nobody.
    let again = scene.notification("v2").send(&client).await;
    assert_eq!(again["status"], "up_to_date", "{again}");
    assert_eq!(scene.rollouts(&client).await.len(), 1);
}
