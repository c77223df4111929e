//! Rollouts whose content only the devices can tell.

use axum::http::Method;
use serde_json::{Value, json};

use crate::world::{DIGEST_2, OPERATOR, WEBHOOK, World};

const DIGEST_3: &str = "sha256:3333333333333333333333333333333333333333333333333333333333333333";

/// A device and what it tells.
struct Device<'a> {
    world: &'a World,
    path: String,
    token: String,
}

impl Device<'_> {
    /// The phase of its move, once every function's copy of the rollout is gone; empty where it has none.
    async fn phase(&self) -> String {
        self.world.pass(6);
        let state = self.world.call(Method::GET, &self.path, &self.token, None).await.is(200);
        state["services"]["web"]["rollout"]["phase"].as_str().unwrap_or_default().to_owned()
    }

    async fn tells(&self, rollout: &str, seq: u32, event: &str, digest: Option<&str>) {
        let mut report = json!({"id": format!("{rollout}-{seq}"), "service": "web", "rollout_id": rollout, "attempt": 1,
                                "seq": seq, "event": event});
        if let Some(digest) = digest {
            report["details"] = json!({ "digest": digest });
        }
        let body = json!({ "reports": [report] });
        self.world.call(Method::PATCH, &self.path, &self.token, Some(body)).await.is(200);
        self.world.settle().await;
    }
}

/// A fleet of one whose policy keeps out [`DIGEST_2`], and the push of a tag that nobody tells the digest of.
async fn pushed_without_digest(world: &World) -> (Device<'_>, String) {
    world.policy("production", "north").await;
    let (uuid, token) = world.enrol("north").await;
    let path = format!("/api/v1/device/{uuid}/state");
    let device = Device { world, path, token };
    let bad = world.push("e1", "v2", DIGEST_2).await.is(202)["rollout_id"].as_str().unwrap().to_owned();
    world.settle().await;
    assert_eq!(device.phase().await, "download");
    device.tells(&bad, 1, "device.image_pulled", Some(DIGEST_2)).await;
    assert_eq!(device.phase().await, "swap", "what is pinned was looked at before");
    world.post(&format!("/api/v1/rollouts/{bad}/rollback-all"), json!({"reason": "bad"})).await.is(200);
    device.phase().await;
    device.tells(&bad, 2, "device.rolled_back", None).await;
    world.pass(120);
    world.nudge(&bad).await;

    let hub = json!({"push_data": {"pushed_at": 1_795_435_320, "tag": "v3"},
                     "repository": {"repo_name": "acme/app", "namespace": "acme", "name": "app"}});
    let path = format!("/api/v1/webhooks/docker-registry/{WEBHOOK}");
    let answer = world.call(Method::POST, &path, "", Some(hub)).await.is(202);
    let rollout = answer["rollout_id"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
    world.settle().await;
    // The registry cannot be asked for two minutes; then it goes on without.
    world.pass(130);
    world.nudge(&rollout).await;
    assert_eq!(device.phase().await, "download");
    (device, rollout)
}

async fn shown(world: &World, rollout: &str) -> Value {
    world.get(&format!("/api/v1/rollouts/{rollout}")).await.is(200)
}

#[tokio::test]
async fn what_a_device_pulled_is_looked_at_before_the_swap() {
    let world = World::new();
    let (device, rollout) = pushed_without_digest(&world).await;
    device.tells(&rollout, 1, "device.image_pulled", Some(DIGEST_2)).await;
    let paused = shown(&world, &rollout).await;
    assert_eq!(paused["status"], "paused", "{paused}");
    let why = paused["waiting_for"].as_str().unwrap();
    assert!(why.contains(DIGEST_2) && why.contains("kept out"), "{why}");
    assert_eq!(device.phase().await, "download");

    let resume = format!("/api/v1/rollouts/{rollout}/resume");
    world.post(&resume, json!({"reason": "let us see"})).await.is(200);
    world.nudge(&rollout).await;
    assert_eq!(shown(&world, &rollout).await["status"], "paused", "it stops again while it is kept out");
    assert_eq!(device.phase().await, "download");

    let clear = format!("/api/v1/images/bad/{DIGEST_2}?repository=docker.io/acme/app&reason=it%20was%20the%20network");
    world.call(Method::DELETE, &clear, OPERATOR, None).await;
    world.post(&resume, json!({"reason": "it was the network"})).await.is(200);
    world.nudge(&rollout).await;
    assert_eq!(shown(&world, &rollout).await["status"], "in_progress");
    assert_eq!(device.phase().await, "swap");
}

#[tokio::test]
async fn what_is_not_kept_out_swaps_once_the_step_has_seen_it() {
    let world = World::new();
    let (device, rollout) = pushed_without_digest(&world).await;
    device.tells(&rollout, 1, "device.image_pulled", Some(DIGEST_3)).await;
    assert_eq!(shown(&world, &rollout).await["status"], "in_progress");
    assert_eq!(device.phase().await, "swap");
}

#[tokio::test]
async fn a_device_that_tells_nothing_is_not_held_up() {
    let world = World::new();
    let (device, rollout) = pushed_without_digest(&world).await;
    device.tells(&rollout, 1, "device.image_pulled", None).await;
    assert_eq!(device.phase().await, "swap");
}

#[tokio::test]
async fn a_trigger_by_tag_knows_what_the_tags_last_delivery_told() {
    let world = World::new();
    let (_device, rollout) = pushed_without_digest(&world).await;
    world.post(&format!("/api/v1/rollouts/{rollout}/cancel"), json!({})).await.is(200);
    let trigger = |more: Value| {
        let mut body = json!({"image": "docker.io/acme/app:v2"});
        body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        world.post("/api/v1/images/trigger-update", body)
    };
    let refused = trigger(json!({})).await.is_problem(409, "");
    assert!(refused["detail"].as_str().unwrap().contains(DIGEST_2), "{refused}");
    trigger(json!({"retry": "all"})).await.is(202);
}
