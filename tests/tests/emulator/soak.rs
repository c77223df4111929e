//! The acceptance run: a thousand devices with failures among them, while functions are killed.
//!
//! `TIDEGATE_E2E=1 cargo test -p tidegate-tests --test emulator -- --ignored --nocapture` takes some minutes;
//! `TIDEGATE_E2E_DEVICES` names another number.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::Client;
use crate::fleet::Fleet;
use crate::harm::{Killer, send_everything_twice};
use crate::judge::{counts_equal_rows, events_are_in_order, names, nothing_was_given_up_on, the_bus_was_told};
use crate::scene::Scene;
use crate::stack::{say, stack};

#[tokio::test]
#[ignore = "takes some minutes of a quiet machine"]
async fn a_thousand_devices_and_killed_functions() {
    let Some(stack) = stack() else { return };
    let devices = std::env::var("TIDEGATE_E2E_DEVICES").ok().and_then(|text| text.parse().ok()).unwrap_or(1000);
    let client = Client::new(stack);
    let scene = Scene::set(&client, "soak", &json!({ "health_check_timeout_seconds": 120 })).await;
    let began = Instant::now();
    let told = |what: &str| say(&format!("{:>5} s  {what}", began.elapsed().as_secs()));
    let fails = ["--fail-rate", "0.05", "--failures", "unhealthy,pull-fails,swap-fails", "--resume", "--seed", "5"];
    let fleet = Fleet::start(&client, &scene, devices, &fails).await;
    told(&format!("{devices} devices are enrolled and heard"));

    let killer = Killer::start(stack);
    let id = scene.push(&client, "v2").await;
    let mut batch = json!(null);
    let rollout = loop {
        let rollout = client.rollout(&id).await;
        if batch != rollout["current_batch"] {
            batch = rollout["current_batch"].clone();
            told(&format!("batch {batch}, {} healthy", rollout["healthy_devices"]));
            send_everything_twice(&client, &id).await;
        }
        if rollout["status"] == "completed" {
            break rollout;
        }
        assert!(began.elapsed() < Duration::from_mins(20), "not completed: {rollout}");
        tokio::time::sleep(Duration::from_secs(2)).await;
    };
    told("completed");
    client.settled(&scene.name, devices, 180).await;
    if let Some(killer) = killer {
        told(&format!("{} functions were killed on the way", killer.end().await));
    }
    let rows = client.rows(&id).await;
    counts_equal_rows(&client.rollout(&id).await, &rows);
    assert_eq!((rollout["total_devices"].as_u64(), rows.len()), (Some(devices as u64), devices));
    let events = client.events(&id).await;
    events_are_in_order(&events);
    told(&format!("{:?}", names(&events)));
    the_bus_was_told(&client, &id).await;
    fleet.end().await;
    nothing_was_given_up_on(&client).await;
    told(&format!(
        "{} healthy, {} failed, {} rolled back",
        rollout["healthy_devices"], rollout["failed_devices"], rollout["rolled_back_devices"]
    ));
}
