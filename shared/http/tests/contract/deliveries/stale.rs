//! Old news: what was pushed before what a policy was told of.

use axum::http::Method;
use serde_json::{Value, json};

use super::order::{AT, hub, push, sent, world};
use super::{Sent, sha};
use crate::world::{OPERATOR, World};

async fn replay(world: &World, id: &str, force: bool) -> Value {
    let body = json!({"delivery_id": id, "force": force, "reason": "the clock was wrong"});
    world.call(Method::POST, "/api/v1/deliveries/replay", OPERATOR, Some(body)).await.is(202)
}

async fn live(world: &World) -> Value {
    let answer = sent(world, &push("e1", "2", '2', AT)).await;
    assert_eq!(answer.0, "rollout_created");
    answer.1
}

#[tokio::test]
async fn what_is_older_than_what_the_policy_was_told_of_is_not_rolled_out() {
    let cases = [
        ("of years ago, under a tag that nobody saw", push("e2", "1.0", '5', "2020-01-01T00:00:00Z"), "ignored stale"),
        ("five minutes and a second", push("e2", "2", '3', "2026-11-23T10:54:59Z"), "ignored stale"),
        ("five minutes: clocks differ", push("e2", "2", '3', "2026-11-23T10:55:00Z"), "superseding"),
        // 2026-11-22T11:00:00Z and a second before.
        ("a day, by another clock", hub("9", 1_795_345_200), "queued"),
        ("a day and a second, by another clock", hub("9", 1_795_345_199), "ignored stale"),
        (
            "without a time",
            Sent::json(&json!({"push_data": {"tag": "9"}, "repository": {"repo_name": "acme/app"}})),
            "queued",
        ),
        ("what is there already", push("e2", "two", '2', "2020-01-01T00:00:00Z"), "duplicate"),
    ];
    for (label, old, expected) in cases {
        let world = world().await;
        let first = live(&world).await;
        world.settle().await;
        let (status, _) = sent(&world, &old).await;
        assert!(status.starts_with(expected), "{label}: {status}");
        if expected == "ignored stale" {
            assert_eq!(sent(&world, &old).await.0, expected, "{label}, once more");
            let rollouts = world.get("/api/v1/rollouts").await.is(200);
            assert_eq!(rollouts["items"].as_array().map(Vec::len), Some(1), "{label}");
            assert_ne!(world.rollout(first.as_str().unwrap()).await.0, "superseded", "{label}");
        }
    }
}

#[tokio::test]
async fn what_is_older_than_what_is_proven_is_not_rolled_out() {
    let world = world().await;
    let first = live(&world).await;
    world
        .call(Method::POST, &format!("/api/v1/rollouts/{}/cancel", first.as_str().unwrap()), OPERATOR, Some(json!({})))
        .await
        .is(200);
    let old = push("e2", "1.0", '5', "2026-11-23T09:00:00Z");
    assert_eq!(sent(&world, &old).await.0, "ignored stale", "what was stopped was newer all the same");
    assert_eq!(sent(&world, &push("e3", "3", '6', "2026-11-23T11:00:01Z")).await.0, "rollout_created");
}

#[tokio::test]
async fn a_push_of_the_same_again_counts_by_its_own_time() {
    let world = world().await;
    let first = live(&world).await;
    // The tag went to another content and back; the news of the way there comes last.
    assert_eq!(sent(&world, &push("e3", "2", '2', "2026-11-23T11:40:00Z")).await, ("duplicate".to_owned(), first));
    assert_eq!(sent(&world, &push("e2", "2", '3', "2026-11-23T11:20:00Z")).await.0, "ignored stale");
}

#[tokio::test]
async fn a_trigger_is_news_too() {
    let world = world().await;
    let body = json!({"image": format!("docker.io/acme/app:2@{}", sha('2'))});
    world.post("/api/v1/images/trigger-update", body).await.is(202);
    // The clock says noon.
    assert_eq!(sent(&world, &push("e1", "1", '1', "2026-11-22T11:59:59Z")).await.0, "ignored stale");
    assert!(sent(&world, &push("e2", "1", '1', "2026-11-22T12:00:00Z")).await.0.starts_with("superseding"));
}

#[tokio::test]
async fn it_is_seen_and_can_be_replayed() {
    let world = world().await;
    live(&world).await;
    let old = push("e2", "1.0", '5', "2020-01-01T00:00:00Z").deliver(&world).await.is(202);
    let id = "distribution/event/e2";
    assert_eq!((&old["delivery_id"], &old["deliveries"][0]["replay"]), (&json!(id), &json!(id)));
    let audit = world.audit().await;
    let seen = audit.iter().find(|event| event["name"] == "image.update_stale").expect("an event");
    let detail = &seen["detail"];
    assert_eq!(detail["delivery_id"], id);
    assert_eq!(
        (&detail["policy"], &detail["tag"], &detail["image"]),
        (&json!("hub"), &json!("1.0"), &json!("docker.io/acme/app"))
    );
    assert_eq!((&detail["happened_at"], &detail["newer_at"]), (&json!("2020-01-01T00:00:00Z"), &json!(AT)));
    assert_eq!(detail["newer_from"], "docker-registry/distribution");

    let again = replay(&world, id, false).await;
    assert_eq!((&again["status"], &again["deliveries"][0]["reason"]), (&json!("ignored"), &json!("stale")));
    world.pass(1);
    let forced = replay(&world, id, true).await;
    assert_eq!(forced["status"], "superseding");
    let rollout = world.get(&format!("/api/v1/rollouts/{}", forced["rollout_id"].as_str().unwrap())).await.is(200);
    assert_eq!((&rollout["new_tag"], &rollout["new_digest"]), (&json!("1.0"), &json!(sha('5'))));
    let audit = world.audit().await;
    let replayed: Vec<&Value> = audit.iter().filter(|event| event["name"] == "delivery.replayed").collect();
    assert_eq!((replayed.len(), &replayed[1]["detail"]["force"]), (2, &json!(true)));
    assert_eq!(replayed[1]["detail"]["reason"], "the clock was wrong");
    world.pass(1);
    assert_eq!(replay(&world, id, true).await["status"], "duplicate", "it is there already");
    for unknown in ["distribution/event/e9", "distribution/event/e1@01POLICY"] {
        let body = json!({"delivery_id": unknown});
        world.call(Method::POST, "/api/v1/deliveries/replay", OPERATOR, Some(body)).await.is_problem(404, "");
    }
    for wrong in ["", "e 1"] {
        let body = json!({"delivery_id": wrong});
        let answer = world.call(Method::POST, "/api/v1/deliveries/replay", OPERATOR, Some(body)).await;
        answer.is_problem(422, "/delivery_id");
    }
}

#[tokio::test]
async fn nothing_came_of_it_and_now_something_does() {
    let world = World::new();
    world.enrol("north").await;
    assert_eq!(sent(&world, &push("e1", "2", '2', AT)).await.0, "no_policy");
    world.policy("app", "north").await;
    assert_eq!(sent(&world, &push("e1", "2", '2', AT)).await.0, "no_policy", "a repeat gets the first answer");
    assert_eq!(replay(&world, "distribution/event/e1", false).await["status"], "rollout_created");
}

/// Where the registry can be asked, it says what an old notice is worth.
#[tokio::test]
async fn what_the_tag_means_now_decides() {
    let (two, five) = (sha('2'), sha('5'));
    let cases = [
        ("the tag moved on to what is rolled out", Some(two.as_str()), "cancelled", "up_to_date"),
        ("the tag is gone", None, "cancelled", "stale"),
        ("the tag means it", Some(five.as_str()), "", ""),
    ];
    for (label, means, status, reason) in cases {
        let world = world().await;
        world.registry_says("docker.io/acme/app:2", Some(&two));
        world.registry_says("docker.io/acme/app:1.0", means);
        live(&world).await;
        world.settle().await;
        let (queued, id) = sent(&world, &push("e2", "1.0", '5', "2020-01-01T00:00:00Z")).await;
        assert_eq!(queued, "queued", "{label}: it waits for what the registry says");
        world.settle().await;
        world.pass(30);
        world.nudge(id.as_str().unwrap()).await;
        let rollout = world.rollout(id.as_str().unwrap()).await;
        if status.is_empty() {
            assert!(rollout.0 != "cancelled" && rollout.2 == five, "{label}: {rollout:?}");
        } else {
            assert_eq!(rollout.0, status, "{label}: {rollout:?}");
            let events = world.get(&format!("/api/v1/rollouts/{}/events", id.as_str().unwrap())).await.is(200);
            assert!(events.to_string().contains(reason), "{label}: {events}");
        }
    }
}
