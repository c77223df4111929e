//! A policy's values over HTTP: what was written stays so, what was left out follows the stack.

use axum::http::Method;
use serde_json::json;
use tidegate_domain::policy::PolicyDefaults;

use crate::world::{DIGEST_2, OPERATOR, World};

const ROUTE: &str = "/api/v1/image-policies";

#[tokio::test]
async fn what_is_left_out_follows_the_stack_and_says_so() {
    let mut world = World::new();
    let body = json!({"name": "a", "image_pattern": "acme/app:*", "soak_seconds": 5});
    let created = world.post(ROUTE, body).await.is(201);
    assert_eq!(created["effective"]["soak_seconds"], json!({"value": 5, "from": "policy"}));
    assert_eq!(created["effective"]["max_consecutive_failures"], json!({"value": 3, "from": "stack"}));
    assert_eq!(created["effective"]["offline_grace_hours"], json!({"value": 24, "from": "built_in"}));
    let path = format!("{ROUTE}/{}", created["id"].as_str().unwrap());

    world.redeploy(PolicyDefaults { max_consecutive_failures: 8, ..PolicyDefaults::default() });
    let policy = world.get(&path).await.is(200);
    assert_eq!((&policy["max_consecutive_failures"], &policy["revision"]), (&json!(8), &json!(1)));
    assert_eq!(world.get(ROUTE).await.is(200)["items"][0], policy, "in the list, too");

    // An answer that is sent back as it is changes nothing; an edited one writes what was edited.
    let put = |body| world.call(Method::PUT, &path, OPERATOR, Some(body));
    assert_eq!(put(policy.clone()).await.is(200)["revision"], 1);
    let mut edited = policy.clone();
    edited["max_in_flight"] = json!(2);
    let replaced = put(edited).await.is(200);
    assert_eq!((&replaced["revision"], &replaced["effective"]["max_in_flight"]["from"]), (&json!(2), &json!("policy")));
    assert_eq!(replaced["effective"]["max_consecutive_failures"]["from"], "stack");
}

#[tokio::test]
async fn a_policy_that_new_values_make_wrong_fails_its_next_rollout_and_says_so() {
    let mut world = World::new();
    world.enrol("north").await;
    let body = json!({"name": "a", "image_pattern": "acme/app:*", "fleet_id": "north", "healthy_for_seconds": 100});
    let policy = world.post(ROUTE, body).await.is(201);
    world.redeploy(PolicyDefaults { health_check_timeout_seconds: 60, ..PolicyDefaults::default() });
    let shown = world.get(&format!("{ROUTE}/{}", policy["id"].as_str().unwrap())).await.is(200);
    assert_eq!(shown["mistakes"][0]["pointer"], "/healthy_for_seconds");

    let answer = world.push("e1", "v2", DIGEST_2).await.is(202);
    let entry = &answer["deliveries"][0];
    assert_eq!(entry["status"], "failed", "{answer}");
    let reason = entry["reason"].as_str().unwrap();
    assert!(reason.starts_with("invalid_policy: ") && reason.contains("/healthy_for_seconds"), "{reason}");
    world.settle().await;
    let id = entry["rollout_id"].as_str().unwrap();
    let rollout = world.get(&format!("/api/v1/rollouts/{id}")).await.is(200);
    assert_eq!((&rollout["status"], &rollout["total_devices"]), (&json!("failed"), &json!(0)), "{rollout}");
    assert!(rollout["error_message"].as_str().unwrap().contains("/healthy_for_seconds"), "{rollout}");
    let events = world.get(&format!("/api/v1/rollouts/{id}/events")).await.is(200);
    assert!(events.to_string().contains("image.rollout_failed"), "{events}");
    assert_eq!(world.push("e1", "v2", DIGEST_2).await.is(202)["deliveries"][0]["status"], "duplicate");

    let body = json!({"image": format!("docker.io/acme/app:v2@{DIGEST_2}")});
    let dry = world.post("/api/v1/images/trigger-update?dry_run=true", body.clone()).await.is(200);
    let outcome = &dry["outcomes"][0];
    assert_eq!(outcome["status"], "failed", "{dry}");
    assert!(outcome["reason"].as_str().unwrap().contains("/healthy_for_seconds"), "{dry}");
    let triggered = world.post("/api/v1/images/trigger-update", body.clone()).await.is(202);
    assert_eq!(triggered["rollouts"][0]["status"], "failed");

    // No digest became bad by that: with values that fit it is rolled out.
    world.redeploy(PolicyDefaults::default());
    let triggered = world.post("/api/v1/images/trigger-update", body).await.is(202);
    assert_eq!(triggered["rollouts"][0]["status"], "rollout_created", "{triggered}");
}
