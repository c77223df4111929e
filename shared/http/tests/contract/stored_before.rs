//! A stack goes on with what an earlier version stored: `fixtures/before_stages.json` has every item of a stack of the
//! version before rollouts had stages, with a rollout under way, one that waits for a yes, and one that the failure
//! rules paused.

use std::collections::BTreeMap;

use axum::http::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use tidegate_engine::ports::{Condition, Item, Table, Write};

use crate::world::{DIGEST_2, World};

#[derive(Deserialize)]
struct Stored {
    devices: Vec<StoredDevice>,
    tables: BTreeMap<String, Vec<Item>>,
}

#[derive(Deserialize)]
struct StoredDevice {
    uuid: String,
    token: String,
}

/// The events of an update, by the progress that the device's row has when it polls.
const EVENTS: [&str; 5] = [
    "device.image_pulling",
    "device.image_pulled",
    "device.container_updating",
    "device.update_completed",
    "device.health_check_passed",
];

/// The device does whatever its target asks for, and reports it.
async fn work(world: &World, device: &StoredDevice) {
    let path = format!("/api/v1/device/{}/state", device.uuid);
    for phase in ["download", "swap"] {
        let target = world.call(Method::GET, &path, &device.token, None).await.is(200);
        let moving = &target["services"]["web"]["rollout"];
        if moving.is_null() || moving["phase"] != phase {
            continue;
        }
        let events = if phase == "download" { &EVENTS[..2] } else { &EVENTS[2..] };
        let reports = (1..).zip(events).map(|(seq, event)| {
            json!({"id": format!("{phase}-{}-{seq}", moving["rollout_id"]), "service": "web",
                   "rollout_id": moving["rollout_id"], "attempt": moving["attempt"], "seq": seq, "event": event})
        });
        let services = json!({"web": {"image": "docker.io/acme/app:v2", "digest": DIGEST_2, "status": "running", "healthy": true}});
        let body = json!({"services": services, "reports": reports.collect::<Vec<_>>()});
        world.call(Method::PATCH, &path, &device.token, Some(body)).await.is(200);
    }
}

#[tokio::test]
async fn rollouts_that_were_stored_without_stages_come_to_their_end() {
    let stored: Stored = serde_json::from_str(include_str!("fixtures/before_stages.json")).unwrap();
    let world = World::new();
    for table in Table::ALL {
        for item in stored.tables.get(table.name()).into_iter().flatten() {
            let put = Write::Put { table, item: item.clone(), condition: Condition::Always };
            world.ports.store.write(&[put]).await.unwrap();
        }
    }
    // What was stored was recorded then.
    world.memory.store.take_stream();

    let by_policy = |rollouts: Value| -> BTreeMap<String, Value> {
        let items = rollouts["items"].as_array().unwrap();
        items.iter().map(|rollout| (rollout["policy"].as_str().unwrap().to_owned(), rollout.clone())).collect()
    };
    let before = by_policy(world.get("/api/v1/rollouts").await.is(200));
    let statuses: Vec<&Value> = before.values().map(|rollout| &rollout["status"]).collect();
    assert_eq!(statuses, ["awaiting_approval", "in_progress", "paused"], "{before:?}");
    let path = |policy: &str, command: &str| {
        format!("/api/v1/rollouts/{}/{command}", before[policy]["rollout_id"].as_str().unwrap())
    };
    world.post(&path("asked", "approve"), json!({})).await.is(200);
    world.post(&path("stopped", "resume"), json!({"reason": "the wire is back", "skip_batch": true})).await.is(200);

    for _ in 0..8 {
        for rollout in before.values() {
            world.nudge(rollout["rollout_id"].as_str().unwrap()).await;
        }
        for device in &stored.devices {
            work(&world, device).await;
        }
        world.settle().await;
        world.pass(3_600);
    }
    for rollout in before.values() {
        let id = rollout["rollout_id"].as_str().unwrap();
        let ended = world.get(&format!("/api/v1/rollouts/{id}")).await.is(200);
        let failed = u64::from(rollout["policy"] == "stopped");
        assert_eq!(ended["status"], "completed", "{ended}");
        let healthy = rollout["total_devices"].as_u64().unwrap() - failed;
        assert_eq!((&ended["healthy_devices"], &ended["ever_failed_devices"]), (&json!(healthy), &json!(failed)));
        let gates = ended["stages"][1]["gates"].as_array().unwrap();
        assert!(!gates.is_empty() && gates.iter().all(|gate| gate["state"] == "passed"), "{ended}");
    }
}
