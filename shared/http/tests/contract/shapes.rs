//! What holds of every route: unknown paths and methods, ids, limits, stages, errors that name their field.

use axum::body::Body;
use axum::http::{Method, Request, header};
use serde_json::json;

use crate::world::{DIGEST_2, OPERATOR, PROVISIONING, WEBHOOK, World};

#[tokio::test]
async fn unknown_paths_and_methods() {
    let world = World::new();
    for path in
        ["/", "/api/v1", "/api/v1/", "/api/v1/nothing", "/api/v2/rollouts", "/api/v1/rollouts/x/y/z", "/x?y=%ff"]
    {
        world.call(Method::GET, path, OPERATOR, None).await.is_problem(404, "");
    }
    let cases = [
        ("/api/v1/rollouts", Method::DELETE, "GET,HEAD"),
        ("/api/v1/devices", Method::PUT, "GET,HEAD,POST"),
        ("/api/v1/image-policies/x", Method::POST, "GET,HEAD,PUT,DELETE"),
        ("/api/v1/webhooks/docker-registry", Method::GET, "POST"),
        ("/api/v1/rollouts/x/pause", Method::GET, "POST"),
        ("/api/v1/health", Method::POST, "GET,HEAD"),
    ];
    for (path, method, allow) in cases {
        let answer = world.call(method.clone(), path, OPERATOR, None).await;
        answer.is_problem(405, "");
        let mut allowed: Vec<&str> = answer.header("allow").split(',').collect();
        let mut expected: Vec<&str> = allow.split(',').collect();
        allowed.sort_unstable();
        expected.sort_unstable();
        assert_eq!(allowed, expected, "{method} {path}");
    }
}

#[tokio::test]
async fn every_answer_has_a_request_id() {
    let world = World::new();
    for path in ["/api/v1/health", "/api/v1/rollouts", "/nowhere", "/api/v1/rollouts?limit=x"] {
        let answer = world.call_with(Method::GET, path, "", None, &[("x-request-id", "abc-123")]).await;
        assert_eq!(answer.header("x-request-id"), "abc-123");
        let answer = world.call_with(Method::GET, path, "", None, &[("x-request-id", "a b\"c")]).await;
        assert_eq!(answer.header("x-request-id").len(), 36, "a fresh one");
    }
}

#[tokio::test]
async fn a_stage_before_the_api_is_passed_over() {
    let world = World::new();
    world.get("/local/api/v1/rollouts?limit=5").await.is(200);
    world.get("/_aws/execute-api/abc/local/api/v1/health").await.is(200);
    world.call(Method::GET, "/local/api/v1/rollouts", "", None).await.is_problem(401, "");
    world.get("/local/api/v2/rollouts").await.is_problem(404, "");
}

#[tokio::test]
async fn bodies_have_their_limits() {
    let world = World::new();
    let (device, token) = world.enrol("north").await;
    let large = |bytes: usize| json!({"name": "x".repeat(bytes)});
    let state = format!("/api/v1/device/{device}/state");
    let cases = [
        ("/api/v1/image-policies", Method::POST, OPERATOR),
        ("/api/v1/devices", Method::POST, PROVISIONING),
        (&state, Method::PATCH, token.as_str()),
    ];
    for (path, method, token) in cases {
        world.call(method.clone(), path, token, Some(large(300_000))).await.is_problem(413, "");
        let answer = world.call(method, path, token, Some(large(200_000))).await;
        assert_ne!(answer.status, 413);
    }
    let webhook = "/api/v1/webhooks/docker-registry";
    world.call(Method::POST, webhook, WEBHOOK, Some(large(3_000_000))).await.is_problem(413, "");
    world.call(Method::POST, webhook, "wrong", Some(large(3_000_000))).await.is_problem(413, "");
    world.call(Method::POST, webhook, WEBHOOK, Some(large(1_000_000))).await.is(202);
}

#[tokio::test]
async fn what_is_not_json_is_refused_by_its_kind() {
    let world = World::new();
    let send = |kind: Option<&str>, body: &str| {
        let mut request = Request::builder().method(Method::POST).uri("/api/v1/image-policies");
        request = request.header(header::AUTHORIZATION, format!("Bearer {OPERATOR}"));
        if let Some(kind) = kind {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        world.send(request.body(Body::from(body.to_owned())).unwrap())
    };
    send(None, "{}").await.is_problem(415, "");
    send(Some("application/x-www-form-urlencoded"), "{}").await.is_problem(415, "");
    send(Some("application/json"), "{").await.is_problem(400, "");
    send(Some("application/json"), "").await.is_problem(400, "");
    send(Some("application/json; charset=utf-8"), "{}").await.is_problem(422, "/name");
    send(Some("application/merge-patch+json"), "[]").await.is_problem(422, "");
}

#[tokio::test]
async fn an_operators_unknown_fields_are_refused_by_name_and_a_devices_passed_over() {
    let world = World::new();
    let (device, token) = world.enrol("north").await;
    let rollout = "/api/v1/rollouts/01JD000000000000000000000A";
    let device_path = format!("/api/v1/devices/{device}");
    let cases = [
        ("/api/v1/image-policies", Method::POST, json!({"name": "a", "image_pattern": "acme/app", "nane": 1}), "/nane"),
        (
            "/api/v1/image-policies",
            Method::POST,
            json!({"name": "a", "image_pattern": "acme/app", "health_check": {"type": "tcp", "prot": 1}}),
            "/health_check/prot",
        ),
        ("/api/v1/images/trigger-update", Method::POST, json!({"image": "acme/app", "filter": {}}), "/filter"),
        (
            "/api/v1/images/trigger-update",
            Method::POST,
            json!({"image": "acme/app", "filters": {"tags": []}}),
            "/filters/tags",
        ),
        ("/api/v1/images/trigger-update", Method::POST, json!({}), "/image"),
        ("/api/v1/deliveries/replay", Method::POST, json!({}), "/delivery_id"),
        ("/api/v1/deliveries/replay", Method::POST, json!({"delivery_id": "x", "forced": true}), "/forced"),
        (&format!("{rollout}/pause"), Method::POST, json!({"reasons": "x"}), "/reasons"),
        (&format!("{rollout}/resume"), Method::POST, json!({}), "/reason"),
        (&format!("{rollout}/resume"), Method::POST, json!({"reason": "x", "skip_batch": "yes"}), "/skip_batch"),
        (&format!("{rollout}/rollback-all"), Method::POST, json!({"max_in_flight": -1}), "/max_in_flight"),
        (&device_path, Method::PATCH, json!({"fleet": "x"}), "/fleet"),
        (&device_path, Method::PATCH, json!({"tags": {"a": 1}}), "/tags/a"),
    ];
    for (path, method, body, pointer) in cases {
        world.call(method, path, OPERATOR, Some(body)).await.is_problem(422, pointer);
    }
    let state = format!("/api/v1/device/{device}/state");
    let newer = json!({"services": {}, "reports": [], "invented_later": {"x": 1}});
    world.call(Method::PATCH, &state, &token, Some(newer)).await.is(200);
    let enrolment = json!({"fleet_id": "north", "invented_later": 1, "services": {"a": {"image": "acme/a:1", "x": 1}}});
    world.call(Method::POST, "/api/v1/devices", PROVISIONING, Some(enrolment)).await.is(201);
}

#[tokio::test]
async fn wrong_parameters_are_named() {
    let world = World::new();
    let cases = [
        ("/api/v1/rollouts?status=unknown", "status"),
        ("/api/v1/rollouts?stauts=paused", "stauts"),
        ("/api/v1/rollouts?limit=0", "limit"),
        ("/api/v1/rollouts?limit=many", "limit"),
        ("/api/v1/rollouts?limit=1&limit=2", "limit"),
        ("/api/v1/rollouts?image=Not/An/Image", "image"),
        ("/api/v1/rollouts?cursor=AAAA", "cursor"),
        ("/api/v1/devices?tag=region", "tag"),
        ("/api/v1/devices?status=happy", "status"),
        ("/api/v1/image-policies?cursor=x", "cursor"),
    ];
    for (path, name) in cases {
        world.get(path).await.is_problem(400, name);
    }
    let clear = format!("/api/v1/images/bad/{DIGEST_2}");
    world.call(Method::DELETE, &clear, OPERATOR, None).await.is_problem(400, "repository");
    let clear = format!("{clear}?repository=acme/app");
    world.call(Method::DELETE, &clear, OPERATOR, None).await.is_problem(400, "reason");
    world.call(Method::DELETE, &format!("{clear}&reason=fixed"), OPERATOR, None).await.is_problem(404, "");
    // What becomes a part of a key has an end, or the store would refuse it: no 500.
    for (policy, status, name) in
        [("x".repeat(100), 404, ""), ("x".repeat(101), 400, "policy"), ("x".repeat(3000), 400, "policy")]
    {
        let path = format!("{clear}&reason=fixed&policy={policy}");
        world.call(Method::DELETE, &path, OPERATOR, None).await.is_problem(status, name);
    }
    let replay = "/api/v1/deliveries/replay";
    world.post(replay, json!({"delivery_id": "x".repeat(600)})).await.is_problem(404, "");
    world.post(replay, json!({"delivery_id": "x".repeat(3000)})).await.is_problem(422, "/delivery_id");
    world.post(replay, json!({"delivery_id": "x", "source": "x".repeat(3000)})).await.is_problem(422, "/source");
    world.post(replay, json!({"delivery_id": "x", "reason": "x".repeat(501)})).await.is_problem(422, "/reason");
}
