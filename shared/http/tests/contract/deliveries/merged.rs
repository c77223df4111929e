//! Pushes of one tag in short order, by senders that tell no digest: none of them is lost.

use serde_json::{Value, json};

use super::order::{hub, sent, world};
use super::sha;
use crate::world::World;

const IMAGE: &str = "docker.io/acme/app:2";

async fn pushed(world: &World, second: i64) -> (String, String) {
    let (status, id) = sent(world, &hub("2", 1_795_000_000 + second)).await;
    (status, id.as_str().unwrap_or_default().to_owned())
}

fn merged() -> String {
    "duplicate its digest is asked for after this push".to_owned()
}

async fn rollouts(world: &World) -> Vec<Value> {
    world.get("/api/v1/rollouts").await.is(200)["items"].as_array().cloned().unwrap()
}

#[tokio::test]
async fn what_is_not_resolved_is_resolved_after_the_later_push() {
    let world = world().await;
    let (status, rollout) = pushed(&world, 0).await;
    assert_eq!(status, "rollout_created");
    for n in 1..6 {
        world.pass(20);
        assert_eq!(pushed(&world, 20 * n).await, (merged(), rollout.clone()), "{n}");
    }
    world.registry_says(IMAGE, Some(&sha('2')));
    world.settle().await;
    assert_eq!(world.rollout(&rollout).await.2, sha('2'));
    assert_eq!(rollouts(&world).await.len(), 1);
    let events = world.get(&format!("/api/v1/rollouts/{rollout}/events?type=image.webhook_received")).await.is(200);
    assert_eq!(events["items"].as_array().map(Vec::len), Some(6), "each of them is told there");
}

#[tokio::test]
async fn what_is_resolved_gets_a_rollout_after_it() {
    let world = world().await;
    world.registry_says(IMAGE, Some(&sha('2')));
    let (_, first) = pushed(&world, 0).await;
    world.settle().await;
    assert_eq!(world.rollout(&first).await.2, sha('2'));
    world.pass(20);
    world.registry_says(IMAGE, Some(&sha('3')));
    let (status, second) = pushed(&world, 20).await;
    assert_eq!(status, "queued");
    assert_ne!(second, first);
    world.settle().await;
    assert_eq!(world.rollout(&second).await.2, "", "more may come in a moment");
    for n in 21..24 {
        world.pass(1);
        assert_eq!(pushed(&world, n).await, (merged(), second.clone()), "into the latest, never into the first");
    }
    world.registry_says(IMAGE, Some(&sha('4')));
    world.settle().await;
    world.pass(10);
    world.nudge(&second).await;
    assert_eq!(world.rollout(&second).await.2, sha('4'), "asked after the last push");
    let old = world.rollout(&first).await;
    assert_eq!((old.0.as_str(), old.2), ("superseded", sha('2')), "and its content was never changed");
}

#[tokio::test]
async fn the_same_push_told_again_changes_nothing() {
    let world = world().await;
    world.registry_says(IMAGE, Some(&sha('2')));
    let (_, first) = pushed(&world, 0).await;
    world.settle().await;
    world.pass(5);
    let (_, second) = pushed(&world, 5).await;
    world.pass(10);
    world.nudge(&second).await;
    assert_eq!(world.rollout(&second).await.0, "cancelled", "it is what is rolled out");
    assert_ne!(world.rollout(&first).await.0, "superseded");
}

/// Docker Hub tells the second of a push, and nothing else.
#[tokio::test]
async fn two_pushes_within_a_second() {
    let world = world().await;
    world.registry_says(IMAGE, Some(&sha('2')));
    let (_, first) = pushed(&world, 0).await;
    assert_eq!(pushed(&world, 0).await, (merged(), first.clone()), "nobody asked yet");
    world.settle().await;
    world.registry_says(IMAGE, Some(&sha('3')));
    let (status, second) = pushed(&world, 0).await;
    assert_eq!(status, "queued", "it may be another one");
    world.pass(10);
    world.nudge(&second).await;
    assert_eq!(world.rollout(&second).await.2, sha('3'));
    world.pass(60);
    assert_eq!(pushed(&world, 0).await.0, "duplicate", "much later it is a repeat");
}

/// Without access to the registry devices find the content out: who pulled before the second push has another one.
#[tokio::test]
async fn where_the_registry_cannot_be_asked() {
    let world = world().await;
    let (_, first) = pushed(&world, 0).await;
    world.settle().await;
    world.pass(20);
    let (status, second) = pushed(&world, 20).await;
    assert_eq!(status, "queued");
    world.pass(10);
    world.nudge(&second).await;
    assert_eq!(world.rollout(&first).await.0, "superseded");
    assert_ne!(world.rollout(&second).await.0, "cancelled");
}

#[tokio::test]
async fn a_later_push_of_the_tag_changes_what_a_yes_is_for() {
    let world = World::new();
    let policy =
        json!({"name": "careful", "image_pattern": "acme/app:*", "update_strategy": "manual", "on_newer": "queue"});
    world.post("/api/v1/image-policies", policy).await.is(201);
    world.enrol("north").await;
    let pushed = |second: i64| hub("v2", 1_795_000_000 + second);
    let first = pushed(1).deliver(&world).await.is(202);
    let id = first["deliveries"][0]["rollout_id"].as_str().unwrap().to_owned();
    world.settle().await;
    world.pass(180);
    world.nudge(&id).await;
    let path = format!("/api/v1/rollouts/{id}");
    let seen = world.get(&path).await.is(200);
    assert_eq!(
        (&seen["status"], &seen["approval"]["pushed_at"]),
        (&json!("awaiting_approval"), &Value::Null),
        "{seen}"
    );

    let later = pushed(300).deliver(&world).await.is(202);
    assert_eq!(later["deliveries"][0]["status"], "queued", "{later}");
    let changed = world.get(&path).await.is(200);
    assert!(changed["approval"]["pushed_at"].is_string(), "{changed}");
    assert_ne!(changed["approval"]["seal"], seen["approval"]["seal"]);
    let old = json!({"seal": seen["approval"]["seal"]});
    let refused = world.post(&format!("{path}/approve"), old).await.is_problem(409, "/seal");
    assert!(refused["type"].as_str().unwrap().ends_with(":changed"), "{refused}");
    let new = json!({"seal": changed["approval"]["seal"]});
    assert_eq!(world.post(&format!("{path}/approve"), new).await.is(200)["status"], "scheduled");
}
