//! Devices over HTTP.

use axum::http::Method;
use serde_json::{Value, json};

use crate::world::{NORTH_KEY, OPERATOR, PROVISIONING, V1, World};

async fn enrol(world: &World, key: &str, body: Value) -> crate::world::Answer {
    world.call(Method::POST, "/api/v1/devices", key, Some(body)).await
}

#[tokio::test]
async fn a_device_enrols_once() {
    let world = World::new();
    let uuid = "018f4c2e-0000-7000-8000-000000000001";
    let body = json!({"uuid": uuid, "fleet_id": "north", "services": {"web": {"image": V1}}});
    let first = enrol(&world, PROVISIONING, body.clone()).await;
    let token = first.is(201)["token"].as_str().unwrap().to_owned();
    assert_eq!(first.json()["uuid"], uuid);
    assert_eq!(first.header("cache-control"), "no-store");
    let again = enrol(&world, PROVISIONING, body.clone()).await.is_problem(409, "");
    assert!(again["type"].as_str().unwrap().ends_with("already_enrolled"));

    let mut proven = body.clone();
    proven["current_token"] = json!("wrong");
    enrol(&world, PROVISIONING, proven.clone()).await.is_problem(409, "");
    proven["current_token"] = json!(token);
    let second = enrol(&world, PROVISIONING, proven).await.is(201)["token"].as_str().unwrap().to_owned();
    let state = format!("/api/v1/device/{uuid}/state");
    let poll = |token: String| {
        let (world, state) = (&world, &state);
        async move { world.call(Method::GET, state, &token, None).await }
    };
    poll(token.clone()).await.is(200);
    poll(second.clone()).await.is(200);
    poll(token).await.is_problem(401, "");

    let allow = format!("/api/v1/devices/{uuid}/allow-reenrolment");
    world.call(Method::POST, &allow, OPERATOR, None).await.is(200);
    let third = enrol(&world, PROVISIONING, body.clone()).await.is(201)["token"].as_str().unwrap().to_owned();
    enrol(&world, PROVISIONING, body.clone()).await.is_problem(409, "");
    poll(third).await.is(200);
    poll(second).await.is_problem(401, "");

    world.call(Method::POST, &allow, OPERATOR, None).await.is(200);
    world.pass(25 * 3600);
    enrol(&world, PROVISIONING, body).await.is_problem(409, "");
}

#[tokio::test]
async fn keys_may_be_bound_to_fleets_and_fields_are_checked() {
    let world = World::new();
    enrol(&world, NORTH_KEY, json!({"fleet_id": "north"})).await.is(201);
    enrol(&world, NORTH_KEY, json!({"fleet_id": "south"})).await.is_problem(403, "");
    let cases = [
        (json!({}), "/fleet_id"),
        (json!({"fleet_id": " "}), "/fleet_id"),
        (json!({"fleet_id": "north", "uuid": "x"}), "/uuid"),
        (json!({"fleet_id": "north", "uuid": "6ba7b810-9dad-11d1-80b4-00c04fd430c8"}), "/uuid"),
        (json!({"fleet_id": "north", "services": {"web": {"image": "Bad"}}}), "/services/web/image"),
        (json!({"fleet_id": "north", "services": {"web": {"image": "quay.io/a/b:1"}}}), "/services/web/image"),
        (json!({"fleet_id": "north/1"}), "/fleet_id"),
        (json!({"fleet_id": "north", "timezone": "Mars/X"}), "/timezone"),
        (json!({"fleet_id": "north", "timezone": "GMT+1"}), "/timezone"),
        (json!({"fleet_id": "north", "timezone": "CET-1CEST,M3.5.0,M10.5.0/3"}), "/timezone"),
        (json!({"fleet_id": "north", "timezone": ""}), "/timezone"),
        (json!({"fleet_id": "north", "platform": "aarch64"}), "/platform"),
        (json!({"fleet_id": "north", "platform": "linux/quantum"}), "/platform"),
        (json!({"fleet_id": "north", "tags": {"a:b": "c"}}), "/tags/a:b"),
        (json!({"fleet_id": "north", "tags": {"a=b": "c"}}), "/tags/a=b"),
        (json!({"fleet_id": "north", "name": "gate\u{1b}]0;owned\u{7}"}), "/name"),
        (json!({"fleet_id": "north", "name": "gate\u{202e}21"}), "/name"),
        (json!({"fleet_id": "north", "tags": {"region": "e\u{200b}u"}}), "/tags/region"),
        (json!({"fleet_id": "north", "tags": {"re\rgion": "eu"}}), "/tags/re\rgion"),
        (json!({"fleet_id": "north", "services": {"w\u{9b}2Jeb": {"image": "acme/app:v1"}}}), "/services/w\u{9b}2Jeb"),
        (json!({"fleet_id": "north", "tags": {"a": "x".repeat(100)}}), "/tags/a"),
    ];
    for (body, pointer) in cases {
        enrol(&world, PROVISIONING, body).await.is_problem(422, pointer);
    }
}

#[tokio::test]
async fn operators_look_after_devices() {
    let world = World::new();
    let (a, _) = world.enrol("north").await;
    let (b, token) = world.enrol("south").await;
    let path = format!("/api/v1/devices/{b}");
    let tags = json!({"name": "van 7", "fleet_id": "west", "tags": {"region": "us-east", "ring": "1"}});
    let changed = world.call(Method::PATCH, &path, OPERATOR, Some(tags)).await.is(200);
    assert_eq!((&changed["name"], &changed["fleet_id"]), (&json!("van 7"), &json!("west")));
    let unnamed = world.call(Method::PATCH, &path, OPERATOR, Some(json!({"name": null}))).await.is(200);
    assert!(unnamed["name"].is_null());
    assert_eq!(unnamed["tags"]["region"], "us-east");

    let uuids = |query: &'static str| {
        let world = &world;
        async move {
            let page = world.get(&format!("/api/v1/devices{query}")).await.is(200);
            page["items"].as_array().unwrap().iter().map(|d| d["uuid"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        }
    };
    assert_eq!(uuids("").await.len(), 2);
    assert_eq!(uuids("?fleet_id=north").await, std::slice::from_ref(&a));
    assert_eq!(uuids("?tag=region:us-east").await, std::slice::from_ref(&b));
    assert_eq!(uuids("?tag=region:us-east&tag=ring:2").await.len(), 0);
    assert_eq!(uuids("?image=acme/app").await.len(), 2);
    assert_eq!(uuids("?image=docker.io/acme/app:v1&status=idle").await.len(), 2);
    assert_eq!(uuids("?image=docker.io/acme/app:v9").await.len(), 0);

    world.call(Method::DELETE, &path, OPERATOR, None).await.is(204);
    world.get(&path).await.is_problem(404, "");
    world.call(Method::DELETE, &path, OPERATOR, None).await.is_problem(404, "");
    assert_eq!(uuids("").await, [a]);
    let state = format!("/api/v1/device/{b}/state");
    world.call(Method::GET, &state, &token, None).await.is_problem(410, "");
    world.call(Method::PATCH, &state, &token, Some(json!({}))).await.is_problem(410, "");
}

#[tokio::test]
async fn a_deleted_device_comes_back_where_an_operator_allows_it() {
    let world = World::new();
    let (uuid, token) = world.enrol("north").await;
    let path = format!("/api/v1/devices/{uuid}");
    world.call(Method::DELETE, &path, OPERATOR, None).await.is(204);
    let body = json!({"uuid": uuid, "fleet_id": "south", "current_token": token, "services": {"web": {"image": V1}}});
    enrol(&world, PROVISIONING, body.clone()).await.is_problem(409, "");
    world.call(Method::POST, &format!("{path}/allow-reenrolment"), OPERATOR, None).await.is(200);
    world.get(&path).await.is_problem(404, "");
    world.call(Method::PATCH, &path, OPERATOR, Some(json!({"name": "x"}))).await.is_problem(404, "");
    let new = enrol(&world, PROVISIONING, body).await.is(201)["token"].as_str().unwrap().to_owned();
    assert_eq!(world.get(&path).await.is(200)["fleet_id"], "south", "it starts anew");
    let state = format!("/api/v1/device/{uuid}/state");
    world.call(Method::GET, &state, &new, None).await.is(200);
    world.call(Method::GET, &state, &token, None).await.is_problem(401, "");
}

#[tokio::test]
async fn a_settled_poll_is_a_304_for_half_a_read_unit() {
    let world = World::new();
    let (uuid, token) = world.enrol("north").await;
    let path = format!("/api/v1/device/{uuid}/state");
    let first = world.call(Method::GET, &path, &token, None).await;
    let body = first.is(200);
    assert_eq!(body["device_uuid"], uuid);
    assert_eq!(body["services"]["web"]["image"], V1);
    let told = json!({"services": {"web": {"image": V1, "status": "running", "healthy": true}}});
    let reported = world.call(Method::PATCH, &path, &token, Some(told)).await;
    assert_eq!(reported.is(200), json!({"accepted": 0, "duplicates": 0, "ignored": []}));
    assert!(reported.header("etag").starts_with("\"0."));

    let both = format!("{}, {}", first.header("etag"), reported.header("etag"));
    let before = world.reads();
    let poll = world.call_with(Method::GET, &path, &token, None, &[("if-none-match", &both)]).await;
    assert_eq!(poll.is(304), Value::Null);
    assert!((world.reads() - before - 0.5).abs() < f64::EPSILON, "{}", world.reads() - before);
    assert!(poll.header("etag").starts_with('"'));
    let wait: u32 = poll.header("tidegate-poll-after").parse().unwrap();
    assert!((1..=300).contains(&wait));
}

#[tokio::test]
async fn a_service_that_nobody_knew_is_adopted() {
    let world = World::new();
    let (uuid, token) = world.enrol("north").await;
    let path = format!("/api/v1/device/{uuid}/state");
    let told = json!({"services": {"db": {"image": "ghcr.io/acme/db:3", "status": "running", "healthy": true}}});
    world.call(Method::PATCH, &path, &token, Some(told)).await.is(200);
    let device = world.get(&format!("/api/v1/devices/{uuid}")).await.is(200);
    assert_eq!(device["services"]["db"]["baseline"]["image"], "ghcr.io/acme/db:3");
    let dry = json!({"image": "ghcr.io/acme/db:4"});
    let run = world.post("/api/v1/images/trigger-update?dry_run=true", dry).await.is(200);
    assert_eq!(run["total_devices"], 1);
}
