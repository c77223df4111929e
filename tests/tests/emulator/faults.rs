//! Functions killed while they work, messages and webhooks delivered more than once: it ends as if nothing had happened.

use std::time::Duration;

use serde_json::json;

use crate::client::Client;
use crate::fleet::Fleet;
use crate::harm::{Killer, send_everything_twice};
use crate::judge::{counts_equal_rows, events_are_in_order, nothing_was_given_up_on, the_bus_was_told};
use crate::scene::Scene;
use crate::stack::{say, stack};

/// So many, and at such a rate, that some fail and not all of the first batch do: whom it meets hangs on the image's name,
/// which is another one each time.
const DEVICES: usize = 45;

#[tokio::test]
async fn killed_functions_and_twin_messages_change_nothing() {
    let Some(stack) = stack() else { return };
    let client = Client::new(stack);
    let scene = Scene::set(&client, "faults", &json!({})).await;
    let fails = ["--fail-rate", "0.15", "--failures", "unhealthy,pull-fails", "--resume", "--seed", "11"];
    let fleet = Fleet::start(&client, &scene, DEVICES, &fails).await;
    let killer = Killer::start(stack);

    // One delivery twice at once, and the same content by another delivery.
    let (first, second) = (scene.notification("v2"), scene.notification("v2"));
    let (one, twin, other) = tokio::join!(first.send(&client), first.send(&client), second.send(&client));
    let id = one["rollout_id"].as_str().unwrap_or_else(|| panic!("no rollout: {one}")).to_owned();
    for told in [&twin, &other] {
        assert_eq!(told["rollout_id"], json!(id), "{one} {told}");
    }

    for _ in 0..200 {
        send_everything_twice(&client, &id).await;
        if client.rollout(&id).await["status"] == "completed" {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    client.until(&id, "completed", 60).await;
    send_everything_twice(&client, &id).await;
    client.settled(&scene.name, DEVICES, 60).await;
    if let Some(killer) = killer {
        let victims = killer.end().await;
        say(&format!("{victims} functions were killed on the way"));
        assert!(victims > 10, "only {victims} functions were killed");
    }

    let (rows, rollout) = (client.rows(&id).await, client.rollout(&id).await);
    counts_equal_rows(&rollout, &rows);
    assert_eq!(rollout["total_devices"], json!(DEVICES));
    assert_eq!(scene.rollouts(&client).await.len(), 1, "twin deliveries make one rollout");
    events_are_in_order(&client.events(&id).await);
    the_bus_was_told(&client, &id).await;
    let verdict = fleet.end().await;
    assert!(verdict["running"][scene.image("v1")].as_u64() >= Some(1), "some fail, and stay: {verdict}");
    nothing_was_given_up_on(&client).await;
}
