//! A push that more policies match than one answer has rollouts for.

use serde_json::json;

use super::told;
use crate::world::{DIGEST_1, DIGEST_2, World};

async fn world() -> World {
    let world = World::answering(2);
    for n in 1..=5 {
        let fleet = format!("fleet-{n}");
        world.enrol(&fleet).await;
        world.policy(&format!("p{n}"), &fleet).await;
    }
    world
}

#[tokio::test]
async fn the_others_are_accepted_and_come_behind_the_queue() {
    let world = world().await;
    let answer = world.push("e1", "v2", DIGEST_2).await;
    let entry = |status: &str| format!("{status} docker.io/acme/app:v2@2");
    let [created, accepted] = ["rollout_created", "accepted"].map(entry);
    assert_eq!(told(&answer), [&created, &created, &accepted, &accepted, &accepted].map(String::clone));
    let later = &answer.json()["deliveries"][4];
    assert_eq!((&later["policy"], &later["affected_devices"]), (&json!("p5"), &json!(1)));
    assert!(later["rollout_id"].is_null(), "{later}");
    world.settle().await;
    let rollouts = world.get("/api/v1/rollouts").await.is(200);
    assert_eq!(rollouts["items"].as_array().map(Vec::len), Some(5));
    let again = world.push("e1", "v2", DIGEST_2).await;
    assert_eq!(told(&again), vec![entry("duplicate"); 5]);
    for rollout in again.json()["deliveries"].as_array().unwrap() {
        let id = rollout["rollout_id"].as_str().expect("it is known by now");
        let events = world.get(&format!("/api/v1/rollouts/{id}/events?type=image.webhook_received")).await.is(200);
        assert_eq!(events["items"].as_array().map(Vec::len), Some(1), "{events}");
    }
}

/// A policy is deleted, and its rollouts are looked for, while a delivery is not finished.
#[tokio::test]
async fn what_is_left_of_a_delivery_is_no_rollout() {
    let world = world().await;
    world.push("e1", "v2", DIGEST_1).await;
    let policies = world.get("/api/v1/image-policies").await.is(200);
    let last = policies["items"].as_array().unwrap().iter().find(|policy| policy["name"] == "p5").unwrap();
    let path = format!("/api/v1/image-policies/{}", last["id"].as_str().unwrap());
    let answer = world.call(axum::http::Method::DELETE, &path, crate::world::OPERATOR, None).await;
    assert!(answer.status.is_success(), "{}", answer.text);
    world.settle().await;
    let rollouts = world.get("/api/v1/rollouts").await.is(200);
    assert_eq!(rollouts["items"].as_array().map(Vec::len), Some(4), "who is gone gets none");
}
