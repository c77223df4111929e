//! A real registry: a real push, its own notification, and the digest that it answers.

use std::time::Duration;

use serde_json::json;

use crate::client::Client;
use crate::fleet::Fleet;
use crate::push::Pushed;
use crate::real::RealRegistry;
use crate::scene::Scene;
use crate::stack::{say, stack};

#[tokio::test]
async fn a_push_to_a_real_registry_begins_a_rollout() {
    let Some(stack) = stack() else { return };
    let Some(port) = stack.registry else {
        say("SKIPPED: a real registry's push; a given stack does not allow the registry's port");
        return;
    };
    let client = Client::new(stack);
    let url = format!("{}/api/v1/webhooks/docker-registry", stack.url);
    let notify = (&*url, &*format!("Bearer {}", stack.webhook));
    let Some(registry) = RealRegistry::start_at(port, None, Some(notify)) else { return };
    let policy = json!({ "update_strategy": "auto" });
    let scene = Scene::at(&client, "registry", registry.host(), &policy).await;
    let name = scene.repository.split_once('/').expect("a registry and a path").1;
    let old = Pushed::manifest(&registry, name, "v1", "linux/amd64").await;
    let fleet = Fleet::start(&client, &scene, 2, &[]).await;

    let new = Pushed::manifest(&registry, name, "v2", "linux/arm64").await;
    let id = pushed_rollout(&client, &scene).await;
    let done = client.until(&id, "completed", 120).await;
    assert_eq!(done["new_tag"], "v2");
    assert_eq!(done["new_digest"], json!(new.digest), "the digest that the registry told");
    assert_eq!(done["triggered_by"], "webhook");

    // A trigger names a tag alone; the registry is asked what it means.
    let trigger = json!({ "image": scene.image("v1") });
    let triggered = client.post("/api/v1/images/trigger-update", &trigger).await.is(202);
    let id = triggered["rollout_id"].as_str().unwrap_or_else(|| panic!("no rollout: {triggered}"));
    let done = client.until(id, "completed", 120).await;
    assert_eq!(done["new_digest"], json!(old.digest), "the digest that the registry answered");
    let devices = client.settled(&scene.name, 2, 60).await;
    assert!(devices.iter().all(|device| device["services"]["app"]["digest"] == json!(old.digest)), "{devices:?}");
    fleet.end().await;
}

/// The rollout of `v2` that the registry's notification began; it is sent soon after the push. One of `v1` may come before
/// it, where that notification took until the devices were there.
async fn pushed_rollout(client: &Client, scene: &Scene) -> String {
    for _ in 0..120 {
        let rollouts = scene.rollouts(client).await;
        if let Some(rollout) = rollouts.iter().find(|rollout| rollout["new_tag"] == "v2") {
            return rollout["rollout_id"].as_str().expect("an id").to_owned();
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    panic!("the registry's push began no rollout");
}
