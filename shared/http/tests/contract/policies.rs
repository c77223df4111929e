//! Policies over HTTP.

use axum::http::Method;
use serde_json::json;

use crate::world::{OPERATOR, World};

#[tokio::test]
async fn a_policy_lives() {
    let world = World::new();
    let body = json!({"name": "production", "image_pattern": "acme/app:*", "staged_batches": [1, "10%", "100%"]});
    let created = world.post("/api/v1/image-policies", body.clone()).await;
    let policy = created.is(201);
    assert_eq!(created.header("etag"), "\"1\"");
    assert_eq!(policy["image_pattern"], "docker.io/acme/app:*");
    assert_eq!(policy["update_strategy"], "staged");
    let path = format!("/api/v1/image-policies/{}", policy["id"].as_str().unwrap());
    assert_eq!(world.get(&path).await.is(200), policy);

    let mut changed = policy.clone();
    changed["soak_seconds"] = json!(5);
    let put = |body, etag: &'static str| {
        let (world, path) = (&world, &path);
        async move {
            let headers: &[(&str, &str)] = if etag.is_empty() { &[] } else { &[("if-match", etag)] };
            world.call_with(Method::PUT, path, OPERATOR, Some(body), headers).await
        }
    };
    let replaced = put(changed.clone(), "\"1\"").await;
    assert_eq!(replaced.is(200)["soak_seconds"], 5);
    assert_eq!(replaced.header("etag"), "\"2\"");
    put(changed.clone(), "\"1\"").await.is_problem(412, "");
    put(changed.clone(), "nonsense").await.is_problem(412, "");
    assert_eq!(put(changed.clone(), "*").await.header("etag"), "\"2\"", "what changes nothing is not stored");
    assert_eq!(put(body, "").await.is(200)["revision"], 3);
    put(json!({"id": "another", "name": "x", "image_pattern": "acme/app"}), "").await.is_problem(422, "/id");

    world.call_with(Method::DELETE, &path, OPERATOR, None, &[("if-match", "\"1\"")]).await.is_problem(412, "");
    world.call_with(Method::DELETE, &path, OPERATOR, None, &[("if-match", "\"3\"")]).await.is(200);
    world.get(&path).await.is_problem(404, "");
    world.call(Method::DELETE, &path, OPERATOR, None).await.is_problem(404, "");
}

#[tokio::test]
async fn names_are_unique() {
    let world = World::new();
    let first = world.policy("a", "north").await;
    world.policy("b", "south").await;
    let body = |name: &str| json!({"name": name, "image_pattern": "acme/other:*"});
    let taken = world.post("/api/v1/image-policies", body("a")).await.is_problem(409, "");
    assert!(taken["type"].as_str().unwrap().ends_with("name_taken"));
    let path = format!("/api/v1/image-policies/{}", first["id"].as_str().unwrap());
    let put = |name| world.call(Method::PUT, &path, OPERATOR, Some(body(name)));
    put("b").await.is_problem(409, "");
    put("c").await.is(200);
    world.post("/api/v1/image-policies", body("a")).await.is(201);
    world.call(Method::DELETE, &path, OPERATOR, None).await.is(200);
    world.post("/api/v1/image-policies", body("c")).await.is(201);
}

#[tokio::test]
async fn every_mistake_is_told_at_once() {
    let world = World::new();
    let body = json!({
        "name": "", "image_pattern": "quay.io/acme/app:*", "staged_batches": ["50%", "10%"], "max_failure_rate": 2,
        "timezone": "+02:00",
    });
    let answer = world.post("/api/v1/image-policies", body).await;
    let problem = answer.is_problem(422, "/image_pattern");
    for pointer in ["/name", "/staged_batches", "/max_failure_rate"] {
        answer.is_problem(422, pointer);
    }
    assert!(problem.to_string().contains("docker.io, ghcr.io"), "the list is named: {problem}");
}

#[tokio::test]
async fn pages_follow_one_another_and_cursors_are_of_one_list() {
    let world = World::new();
    for name in ["e", "a", "d", "b", "c"] {
        world.policy(name, name).await;
    }
    let (mut names, mut path) = (Vec::new(), "/api/v1/image-policies?limit=2".to_owned());
    let mut cursor;
    loop {
        let page = world.get(&path).await.is(200);
        names.extend(page["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = next.to_owned();
        path = format!("/api/v1/image-policies?limit=2&cursor={cursor}");
        world.get(&format!("/api/v1/rollouts?cursor={cursor}")).await.is_problem(400, "cursor");
        world.get(&format!("/api/v1/image-policies?cursor={}x", &cursor[1..])).await.is_problem(400, "cursor");
    }
    assert_eq!(names, ["a", "b", "c", "d", "e"]);
}
