//! Repeats, twins and stale news.

use serde_json::{Value, json};

use super::{PATH, Sent, distribution, ghcr, told};
use crate::world::{WEBHOOK, World};

/// A world with a device and a policy for each of these images.
pub(super) async fn world() -> World {
    let world = World::new();
    for (name, image) in [("hub", "docker.io/acme/app"), ("github", "ghcr.io/acme-iot/edge-gateway")] {
        let device = json!({"fleet_id": "north", "services": {"web": {"image": format!("{image}:1")}}});
        world.call(axum::http::Method::POST, "/api/v1/devices", crate::world::PROVISIONING, Some(device)).await.is(201);
        let policy = json!({"name": name, "image_pattern": format!("{image}:*"), "fleet_id": "north"});
        world.post("/api/v1/image-policies", policy).await.is(201);
    }
    world
}

pub(super) fn push(id: &str, tag: &str, digit: char, at: &str) -> Sent {
    let mut event = distribution::push(id, tag, digit);
    event["timestamp"] = json!(at);
    distribution::sent(&json!([event]))
}

pub(super) fn hub(tag: &str, pushed_at: i64) -> Sent {
    Sent::json(&json!({"push_data": {"tag": tag, "pushed_at": pushed_at}, "repository": {"repo_name": "acme/app"}}))
}

fn package(event: &'static str, id: &str, body: &Value) -> Sent {
    Sent::json(body).with("x-github-event", event).with("x-github-delivery", id).signed_by(WEBHOOK)
}

/// Sends it; its one entry's status and rollout.
pub(super) async fn sent(world: &World, sent: &Sent) -> (String, Value) {
    let answer = sent.deliver(world).await.is(202);
    assert_eq!(answer["deliveries"].as_array().map(Vec::len), Some(1), "{answer}");
    let entry = &answer["deliveries"][0];
    let reason = entry["reason"].as_str().map(|reason| format!(" {reason}")).unwrap_or_default();
    (format!("{}{reason}", entry["status"].as_str().unwrap()), entry["rollout_id"].clone())
}

pub(super) const AT: &str = "2026-11-23T11:00:00Z";

#[tokio::test]
async fn a_repeat_gets_the_first_answer() {
    let world = world().await;
    let first = push("e1", "2", '2', AT);
    let (status, rollout) = sent(&world, &first).await;
    assert_eq!(status, "rollout_created");
    let again = [
        ("byte for byte", first.clone()),
        ("in an envelope of another kind", Sent::json(&serde_json::from_slice(&first.body).unwrap())),
        ("under another id", push("e2", "2", '2', AT)),
        ("later, under another id", push("e3", "2", '2', "2026-11-23T11:00:05Z")),
        ("under another tag", push("e4", "two", '2', AT)),
    ];
    for (label, repeat) in again {
        world.pass(1);
        assert_eq!(sent(&world, &repeat).await, ("duplicate".to_owned(), rollout.clone()), "{label}");
    }
    world.settle().await;
    world.pass(7 * 86_400);
    assert_eq!(sent(&world, &first).await.0, "duplicate", "a week later");
    let rollouts = world.get("/api/v1/rollouts").await.is(200);
    assert_eq!(rollouts["items"].as_array().map(Vec::len), Some(1));
    let audit = world.audit().await;
    let received = audit.iter().filter(|event| event["name"] == "image.webhook_received");
    assert_eq!(received.filter(|event| event["detail"]["status"] == "duplicate").count(), 6, "each repeat is told");
}

#[tokio::test]
async fn a_clock_that_is_ahead_stops_nobody() {
    let world = world().await;
    assert_eq!(sent(&world, &push("e1", "2", '2', "2036-01-01T00:00:00Z")).await.0, "rollout_created");
    world.pass(1);
    let sane = push("e2", "9", '8', "2026-11-23T12:00:01Z");
    assert!(sent(&world, &sane).await.0.starts_with("superseding"));
    assert_eq!(sent(&world, &push("e1", "2", '2', "2036-01-01T00:00:00Z")).await.0, "duplicate", "a repeat");
}

#[tokio::test]
async fn an_old_digest_under_its_tag_again_is_a_push() {
    let world = world().await;
    assert_eq!(sent(&world, &push("e1", "2", '2', AT)).await.0, "rollout_created");
    assert!(sent(&world, &push("e2", "2", '3', "2026-11-23T11:00:01Z")).await.0.starts_with("superseding"));
    let back = sent(&world, &push("e3", "2", '2', "2026-11-23T11:00:02Z")).await;
    assert!(back.0.starts_with("superseding"), "{back:?}");
}

#[tokio::test]
async fn both_of_githubs_events_are_one_push() {
    let world = world().await;
    let (hook, app) = (ghcr::body("package", "2", '2'), ghcr::body("registry_package", "2", '2'));
    let first = package("package", "d1", &hook);
    let (status, rollout) = sent(&world, &first.clone()).await;
    assert_eq!(status, "rollout_created");
    let duplicate = ("duplicate".to_owned(), rollout);
    assert_eq!(sent(&world, &package("registry_package", "d2", &app)).await, duplicate, "the twin");
    assert_eq!(sent(&world, &first).await, duplicate, "redelivered by hand");
    assert_eq!(sent(&world, &package("package", "d9", &hook)).await, duplicate, "replayed under a new id");
    let mut stolen = hook.clone();
    stolen["package"]["package_version"]["container_metadata"]["tag"]["digest"] = json!(super::sha('9'));
    let forged = Sent { body: stolen.to_string().into_bytes(), ..first };
    forged.to(&world, PATH).await.is_problem(401, "");
}

#[tokio::test]
async fn several_tags_are_several_entries() {
    let world = world().await;
    let both =
        distribution::sent(&json!([distribution::push("e1", "2", '2'), distribution::push("e2", "latest", '2')]));
    let answer = both.deliver(&world).await;
    assert_eq!(told(&answer), ["rollout_created docker.io/acme/app:2@2", "duplicate docker.io/acme/app:latest@2"]);
    let entries = answer.json()["deliveries"].clone();
    assert_eq!(entries[0]["rollout_id"], entries[1]["rollout_id"]);
    assert_eq!(
        told(&both.deliver(&world).await),
        ["duplicate docker.io/acme/app:2@2", "duplicate docker.io/acme/app:latest@2"]
    );
}
