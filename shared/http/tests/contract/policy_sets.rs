//! A set of policies over HTTP: all or nothing, and every mistake by its place.

use serde_json::{Value, json};

use crate::world::World;

const APPLY: &str = "/api/v1/image-policies/apply";

fn policy(name: &str) -> Value {
    json!({"name": name, "image_pattern": "acme/app:*", "fleet_id": name})
}

fn set(names: &[&str]) -> Value {
    json!({"policies": names.iter().map(|name| policy(name)).collect::<Vec<_>>()})
}

fn changes(answer: &Value) -> Vec<(String, String)> {
    let text = |one: &Value, name: &str| one[name].as_str().unwrap().to_owned();
    answer["policies"].as_array().unwrap().iter().map(|one| (text(one, "name"), text(one, "change"))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(name, change)| ((*name).to_owned(), (*change).to_owned())).collect()
}

#[tokio::test]
async fn a_set_is_applied_in_one_transaction_with_one_event() {
    let world = World::new();
    world.policy("by-hand", "south").await;
    let dry = world.post(&format!("{APPLY}?dry_run=true"), set(&["a", "b"])).await.is(200);
    assert_eq!(changes(&dry), pairs(&[("a", "created"), ("b", "created"), ("by-hand", "left_alone")]));
    assert_eq!((&dry["dry_run"], &dry["parts"]), (&json!(true), &json!(1)));
    assert_eq!(world.get("/api/v1/image-policies").await.is(200)["items"].as_array().unwrap().len(), 1);

    let plan = dry["plan"].as_str().unwrap();
    let applied = world.post(&format!("{APPLY}?plan={plan}"), set(&["a", "b"])).await.is(200);
    assert_eq!(changes(&applied), changes(&dry));
    let events = world.audit().await.into_iter().filter(|event| event["name"] == "policies.applied");
    let events: Vec<Value> = events.collect();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["detail"], json!({"created": ["a", "b"]}));

    let again = world.post(APPLY, set(&["a", "b"])).await.is(200);
    assert_eq!(changes(&again), pairs(&[("a", "unchanged"), ("b", "unchanged"), ("by-hand", "left_alone")]));
    assert_eq!(again["parts"], 0);

    let pruned = world.post(&format!("{APPLY}?prune=true"), set(&["b"])).await.is(200);
    assert_eq!(changes(&pruned), pairs(&[("b", "unchanged"), ("a", "removed"), ("by-hand", "left_alone")]));
    let id = &applied["policies"][0]["id"];
    let back = world.post(APPLY, set(&["a", "b"])).await.is(200);
    assert_eq!((&back["policies"][0]["id"], &back["policies"][0]["revision"]), (id, &json!(2)), "the same policy");
}

#[tokio::test]
async fn a_removal_says_which_rollouts_it_touches() {
    let world = World::new();
    world.enrol("a").await;
    world.post(APPLY, set(&["a", "b"])).await.is(200);
    let rollout = world.push("e1", "v2", crate::world::DIGEST_2).await.is(202)["deliveries"][0]["rollout_id"].clone();
    world.settle().await;
    let dry = world.post(&format!("{APPLY}?prune=true&dry_run=true"), set(&["b"])).await.is(200);
    assert_eq!(dry["policies"][1]["rollouts"][0]["rollout_id"], rollout, "{dry}");
    assert_eq!(dry["policies"][0].get("rollouts"), None);
}

#[tokio::test]
async fn one_mistake_keeps_all_out_and_hides_no_other() {
    let world = World::new();
    let mut second = policy("b");
    second["rack"] = json!(1);
    second["update_strategy"] = json!("al");
    second["max_failure_rate"] = json!(7);
    let mut third = policy("c");
    third["image_pattern"] = json!("quay.io/acme/app:*");
    third["health_check"] = json!({"type": "tcp"});
    let body = json!({"policies": [policy("a"), second, third, policy("a"), 5]});
    let answer = world.post(APPLY, body).await;
    for pointer in [
        "/policies/1/rack",
        "/policies/1/update_strategy",
        "/policies/1/max_failure_rate",
        "/policies/2/image_pattern",
        "/policies/2/health_check/port",
        "/policies/3/name",
        "/policies/4",
    ] {
        answer.is_problem(422, pointer);
    }
    assert_eq!(answer.json()["errors"].as_array().unwrap().len(), 7, "{}", answer.text);
    assert!(world.get("/api/v1/image-policies").await.is(200)["items"].as_array().unwrap().is_empty());
    world.post(APPLY, json!({"policys": []})).await.is_problem(422, "/policys");
    world.post(APPLY, json!({})).await.is_problem(422, "/policies");
}

#[tokio::test]
async fn more_than_a_transaction_holds_is_refused_unless_it_may_come_in_parts() {
    let world = World::new();
    let names: Vec<String> = (0..120).map(|n| format!("p{n:03}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let refused = world.post(APPLY, set(&names)).await.is_problem(409, "");
    assert!(refused["type"].as_str().unwrap().ends_with("too_many_changes"));
    let dry = world.post(&format!("{APPLY}?dry_run=true"), set(&names)).await.is(200);
    assert_eq!(dry["parts"], 3);
    let applied = world.post(&format!("{APPLY}?in_parts=true"), set(&names)).await.is(200);
    assert_eq!((applied["parts"].clone(), applied["policies"].as_array().unwrap().len()), (json!(3), 120));
    world.post(APPLY, set(&names[..49])).await.is(200);
    let events = world.audit().await;
    assert_eq!(events.iter().filter(|event| event["name"] == "policies.applied").count(), 3);
}

#[tokio::test]
async fn what_was_changed_meanwhile_is_not_what_was_agreed_to() {
    let world = World::new();
    let dry = world.post(&format!("{APPLY}?dry_run=true"), set(&["a"])).await.is(200);
    world.policy("a", "elsewhere").await;
    let path = format!("{APPLY}?plan={}", dry["plan"].as_str().unwrap());
    let moved = world.post(&path, set(&["a"])).await.is_problem(409, "");
    assert!(moved["type"].as_str().unwrap().ends_with("plan_moved"), "{moved}");
}
