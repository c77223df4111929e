//! A policy's name keeps what is known of its images: deleted, created again, renamed, told of.

use axum::http::Method;
use serde_json::{Value, json};

use crate::world::{Answer, DIGEST_2, OPERATOR, World};

const DIGEST_3: &str = "sha256:3333333333333333333333333333333333333333333333333333333333333333";
const DIGEST_4: &str = "sha256:4444444444444444444444444444444444444444444444444444444444444444";
const ROUTE: &str = "/api/v1/image-policies";

fn text<'a>(of: &'a Value, name: &str) -> &'a str {
    of[name].as_str().unwrap_or_else(|| panic!("{name} of {of}"))
}

async fn delete(world: &World, policy: &Value) -> Answer {
    world.call(Method::DELETE, &format!("{ROUTE}/{}", text(policy, "id")), OPERATOR, None).await
}

async fn rename(world: &World, policy: &Value, name: &str) -> Answer {
    let body = json!({"name": name, "image_pattern": "acme/app:*", "fleet_id": "north"});
    world.call(Method::PUT, &format!("{ROUTE}/{}", text(policy, "id")), OPERATOR, Some(body)).await
}

/// A rollout of this digest that is stopped and taken back: its digest is bad.
async fn ban(world: &World, event: &str, tag: &str, digest: &str) {
    let answer = world.push(event, tag, digest).await.is(202);
    let created = answer["deliveries"].as_array().unwrap().iter().find(|one| !one["rollout_id"].is_null()).unwrap();
    world.settle().await;
    let path = format!("/api/v1/rollouts/{}/rollback-all", text(created, "rollout_id"));
    world.post(&path, json!({"reason": "does not start"})).await.is(200);
    world.settle().await;
    world.pass(3600);
    world.nudge(text(created, "rollout_id")).await;
}

#[tokio::test]
async fn what_is_created_again_under_a_name_is_the_same_policy() {
    let world = World::new();
    world.enrol("north").await;
    let first = world.policy("field", "north").await;
    ban(&world, "e2", "v2", DIGEST_2).await;
    let live = world.push("e3", "v3", DIGEST_3).await.is(202);
    world.settle().await;

    let path = format!("{ROUTE}/{}?dry_run=true", text(&first, "id"));
    let before = world.call(Method::DELETE, &path, OPERATOR, None).await.is(200);
    let removed = delete(&world, &first).await.is(200);
    for (answer, dry) in [(&before, true), (&removed, false)] {
        assert_eq!(answer["dry_run"], dry);
        assert_eq!(answer["name"], "field");
        let touched: Vec<&Value> = answer["rollouts"].as_array().unwrap().iter().collect();
        let touched: Vec<_> = touched.iter().map(|one| (text(one, "rollout_id"), text(one, "status"))).collect();
        assert_eq!(touched, [(text(&live, "rollout_id"), "in_progress")], "{answer}");
    }
    let audit = world.audit().await;
    let deleted = audit.iter().find(|event| event["name"] == "policy.deleted").unwrap();
    assert_eq!(deleted["detail"]["rollouts"], json!([live["rollout_id"]]), "{deleted}");

    let again = world.policy("field", "north").await;
    assert_eq!((&again["id"], &again["revision"]), (&first["id"], &json!(2)));
    let bad = world.push("e2-again", "v2b", DIGEST_2).await.is(202);
    assert_eq!(
        (&bad["status"], text(&bad["deliveries"][0], "reason").starts_with("bad_digest")),
        (&json!("ignored"), true)
    );
    let newer = world.push("e4", "v4", DIGEST_4).await.is(202);
    assert_eq!(newer["status"], "superseding", "the live rollout is found: {newer}");
    world.settle().await;
    let old = world.get(&format!("/api/v1/rollouts/{}", text(&live, "rollout_id"))).await.is(200);
    assert_eq!(old["status"], "superseded");

    // A bad digest is cleared by the name of a policy that is gone, too.
    delete(&world, &again).await.is(200);
    let clear = format!("/api/v1/images/bad/{DIGEST_2}?repository=docker.io/acme/app&reason=mended&policy=field");
    assert_eq!(world.call(Method::DELETE, &clear, OPERATOR, None).await.is(200)["policies"], json!([first["id"]]));
}

#[tokio::test]
async fn a_renamed_policy_takes_its_id_along() {
    let world = World::new();
    let a = world.policy("a", "north").await;
    rename(&world, &a, "b").await.is(200);
    let other = world.policy("a", "south").await;
    assert_ne!(other["id"], a["id"], "another policy, not the renamed one");
    rename(&world, &a, "a").await.is_problem(409, "");
    // Deleted under its last name, it is found there alone.
    delete(&world, &a).await.is(200);
    assert_eq!(world.policy("b", "north").await["id"], a["id"]);
}

#[tokio::test]
async fn a_name_that_is_used_meanwhile_finds_what_was_left_there() {
    let world = World::new();
    let left = world.policy("field", "north").await;
    delete(&world, &left).await.is(200);
    let passing = world.policy("other", "north").await;
    assert_eq!(rename(&world, &passing, "field").await.is(200)["id"], passing["id"], "it keeps its id");
    world.post(ROUTE, json!({"name": "field", "image_pattern": "acme/app"})).await.is_problem(409, "");
    rename(&world, &passing, "other").await.is(200);
    let again = world.policy("field", "north").await;
    assert_eq!((&again["id"], &again["revision"]), (&left["id"], &json!(2)));
    // What was created again is where it is, and nowhere else.
    rename(&world, &again, "elsewhere").await.is(200);
    let new = world.policy("field", "north").await;
    assert!(![&left["id"], &passing["id"]].contains(&&new["id"]), "nothing is left under the name");
    // The last one that was deleted under a name is the one that is found.
    delete(&world, &new).await.is(200);
    rename(&world, &passing, "field").await.is(200);
    delete(&world, &passing).await.is(200);
    assert_eq!(world.policy("field", "north").await["id"], passing["id"]);
}

#[tokio::test]
async fn an_old_tag_of_what_was_deleted_is_outdated() {
    let world = World::new();
    let first = world.policy("field", "north").await;
    delete(&world, &first).await.is(200);
    world.policy("field", "north").await;
    let path = format!("{ROUTE}/{}", text(&first, "id"));
    let old = [("if-match", "\"1\"")];
    world.call_with(Method::DELETE, &path, OPERATOR, None, &old).await.is_problem(412, "");
    world.call_with(Method::DELETE, &path, OPERATOR, None, &[("if-match", "\"2\"")]).await.is(200);
}

#[tokio::test]
async fn default_is_nobodys_name() {
    let world = World::new();
    let body = json!({"name": "default", "image_pattern": "acme/app"});
    world.post(ROUTE, body).await.is_problem(422, "/name");
    let policy = world.policy("field", "north").await;
    rename(&world, &policy, "default").await.is_problem(422, "/name");
}

#[tokio::test]
async fn a_digest_that_is_bad_elsewhere_is_told_and_rolled_out() {
    let world = World::new();
    world.enrol("north").await;
    world.policy("north", "north").await;
    ban(&world, "e2", "v2", DIGEST_2).await;
    world.enrol("south").await;
    world.policy("south", "south").await;
    let told = json!([{"policy": "north", "reason": "rollback-all by an operator: does not start"}]);

    let body = json!({"image": format!("docker.io/acme/app:v2@{DIGEST_2}"), "filters": {"fleet_id": "south"}});
    let dry = world.post("/api/v1/images/trigger-update?dry_run=true", body.clone()).await.is(200);
    assert_eq!(dry["bad_for"], told);

    let answer = world.push("e3", "v2", DIGEST_2).await.is(202);
    let entries = answer["deliveries"].as_array().unwrap();
    let of = |policy: &str| entries.iter().find(|entry| entry["policy"] == policy).unwrap();
    assert_eq!((&of("north")["status"], &of("north")["bad_for"]), (&json!("ignored"), &Value::Null));
    assert_eq!((&of("south")["status"], &of("south")["bad_for"]), (&json!("rollout_created"), &told));
    let events = world.get(&format!("/api/v1/rollouts/{}/events", text(of("south"), "rollout_id"))).await.is(200);
    let events = events["items"].as_array().unwrap();
    let first = events.iter().find(|event| event["event"] == "image.update_available").unwrap();
    assert!(first.to_string().contains("does not start"), "{first}");

    let body =
        json!({"image": format!("docker.io/acme/app:v2@{DIGEST_2}"), "retry": "all", "filters": {"fleet_id": "south"}});
    let triggered = world.post("/api/v1/images/trigger-update", body).await.is(202);
    let entry = &triggered["rollouts"][0];
    assert!(entry["status"] == "duplicate" || entry["bad_for"] == told, "{triggered}");
}

#[tokio::test]
async fn where_one_policy_keeps_it_out_a_trigger_begins_nothing() {
    let trigger = "/api/v1/images/trigger-update";
    for bad in ["north", "south"] {
        let world = World::new();
        let good = if bad == "north" { "south" } else { "north" };
        world.enrol(bad).await;
        // The order of ids is not to matter.
        for name in ["north", "south"] {
            world.policy(name, name).await;
        }
        ban(&world, "e2", "v2", DIGEST_2).await;
        world.enrol(good).await;
        let before = world.get("/api/v1/rollouts").await.is(200)["items"].as_array().unwrap().len();

        for image in [format!("docker.io/acme/app:v2@{DIGEST_2}"), "docker.io/acme/app:v2".to_owned()] {
            let body = json!({"image": image});
            let dry = world.post(&format!("{trigger}?dry_run=true"), body.clone()).await.is(200);
            let outcomes = dry["outcomes"].as_array().unwrap();
            let of = |policy: &str| outcomes.iter().find(|one| one["policy"] == policy).unwrap();
            assert_eq!(text(of(good), "status"), "rollout_created", "{dry}");
            assert_eq!(text(of(bad), "status"), "ignored", "{dry}");
            assert!(text(of(bad), "reason").starts_with("bad_digest"), "{dry}");
            assert_eq!(dry["bad_for"][0]["policy"], bad, "{dry}");
            assert_eq!(dry["total_devices"], 1, "{dry}");
            let refused = world.post(trigger, body).await;
            assert!(refused.is_problem(409, "").to_string().contains(bad), "the policy is named");
        }
        let after = world.get("/api/v1/rollouts").await.is(200)["items"].as_array().unwrap().len();
        assert_eq!(after, before, "nothing was begun");
    }
}
