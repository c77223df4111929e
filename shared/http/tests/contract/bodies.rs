//! Bodies and queries: an object is no list, a key is there once, and one mistake hides no other.

use axum::body::Body;
use axum::http::{Method, Request, header};
use serde_json::{Value, json};

use crate::world::{Answer, DIGEST_2, OPERATOR, PROVISIONING, V1, World};

const POLICIES: &str = "/api/v1/image-policies";
const APPLY: &str = "/api/v1/image-policies/apply";
const TRIGGER: &str = "/api/v1/images/trigger-update";

async fn send(world: &World, method: &str, path: &str, token: &str, body: &str) -> Answer {
    let request = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, "application/json");
    let request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    world.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

/// The pointers of a problem, in order.
fn told(problem: &Value) -> Vec<String> {
    let errors = problem["errors"].as_array().unwrap_or_else(|| panic!("{problem}"));
    let mut all: Vec<String> = errors.iter().map(|error| error["pointer"].as_str().unwrap().to_owned()).collect();
    all.sort_unstable();
    all
}

async fn rollout(world: &World) -> String {
    world.policy("north", "north").await;
    let pushed = world.push("e1", "v2", DIGEST_2).await.is(202);
    let rollout = pushed["deliveries"][0]["rollout_id"].as_str().unwrap().to_owned();
    world.settle().await;
    rollout
}

#[tokio::test]
async fn a_list_is_no_object() {
    let world = World::new();
    let (uuid, _) = world.enrol("north").await;
    let rollout = rollout(&world).await;
    let (device, of) = (format!("/api/v1/devices/{uuid}"), format!("/api/v1/rollouts/{rollout}"));
    let policy = json!({"name": "p", "image_pattern": "acme/app:*"});
    for (method, path, token, body, pointer) in [
        ("POST", format!("{of}/cancel"), OPERATOR, json!(["positional"]), ""),
        ("POST", format!("{of}/pause"), OPERATOR, json!([null]), ""),
        ("POST", format!("{of}/resume"), OPERATOR, json!(["why", true]), ""),
        ("POST", format!("{of}/approve"), OPERATOR, json!(["why", null]), ""),
        ("POST", format!("{of}/reject"), OPERATOR, json!([]), ""),
        ("POST", format!("{of}/rollback-all"), OPERATOR, json!(["why", false, 1]), ""),
        ("PATCH", device.clone(), OPERATOR, json!(["posname", "flt2", {"q": "r"}, null]), ""),
        ("PATCH", device.clone(), OPERATOR, json!("posname"), ""),
        ("PATCH", device.clone(), OPERATOR, json!({"tags": [["q", "r"]]}), "/tags"),
        ("POST", TRIGGER.to_owned(), OPERATOR, json!([V1, null, [true, true, true], "why", null, ["ign", []]]), ""),
        ("POST", TRIGGER.to_owned(), OPERATOR, json!({"image": V1, "override": [true, true, true]}), "/override"),
        ("POST", TRIGGER.to_owned(), OPERATOR, json!({"image": V1, "filters": ["north", []]}), "/filters"),
        ("POST", APPLY.to_owned(), OPERATOR, json!([[policy]]), ""),
        ("POST", APPLY.to_owned(), OPERATOR, json!({"policies": [["p", "acme/app:*"]]}), "/policies/0"),
        ("POST", POLICIES.to_owned(), OPERATOR, json!(["p", "acme/app:*"]), ""),
        ("POST", "/api/v1/deliveries/replay".to_owned(), OPERATOR, json!(["a", "b", true, null]), ""),
        ("POST", "/api/v1/devices".to_owned(), PROVISIONING, json!([null, null, "n", "north", null, null, {}, {}]), ""),
        (
            "POST",
            "/api/v1/devices".to_owned(),
            PROVISIONING,
            json!({"fleet_id": "north", "services": {"web": [V1]}}),
            "/services/web",
        ),
    ] {
        let problem = send(&world, method, &path, token, &body.to_string()).await.is_problem(422, pointer);
        let object = problem["errors"].as_array().unwrap().iter().find(|error| error["pointer"] == pointer).unwrap();
        assert_eq!(object["detail"].as_str().unwrap().split(',').next(), Some("expected an object"), "{path} {body}");
    }
    assert_eq!(world.rollout(&rollout).await.0, "in_progress");
    assert_eq!(world.get(&device).await.is(200)["fleet_id"], "north");
}

#[tokio::test]
async fn a_key_that_is_there_twice_is_refused_by_its_field() {
    let world = World::new();
    let (uuid, token) = world.enrol("north").await;
    let rollout = rollout(&world).await;
    let device = format!("/api/v1/devices/{uuid}");
    let policy = r#""image_pattern": "acme/app:*""#;
    for (method, path, token, body, pointers) in [
        (
            "POST",
            POLICIES.to_owned(),
            OPERATOR,
            format!(r#"{{"name": "dup", "name": "dup2", {policy}, "zz": 1}}"#),
            &["/name", "/zz"][..],
        ),
        (
            "POST",
            APPLY.to_owned(),
            OPERATOR,
            format!(r#"{{"policies": [{{"name": "b", "device_tags": {{"a": "1", "a": "2"}}, {policy}}}]}}"#),
            &["/policies/0/device_tags/a"],
        ),
        ("POST", APPLY.to_owned(), OPERATOR, r#"{"policies": [], "policies": []}"#.to_owned(), &["/policies"]),
        (
            "PATCH",
            device.clone(),
            OPERATOR,
            r#"{"name": "a", "name": "b", "fleet_id": "a b"}"#.to_owned(),
            &["/fleet_id", "/name"],
        ),
        ("POST", TRIGGER.to_owned(), OPERATOR, format!(r#"{{"image": "{V1}", "image": "{V1}"}}"#), &["/image"]),
        (
            "POST",
            format!("/api/v1/rollouts/{rollout}/cancel"),
            OPERATOR,
            r#"{"reason": "a", "reason": "a"}"#.to_owned(),
            &["/reason"],
        ),
        (
            "POST",
            "/api/v1/devices".to_owned(),
            PROVISIONING,
            r#"{"fleet_id": "a", "fleet_id": "north"}"#.to_owned(),
            &["/fleet_id"],
        ),
        (
            "PATCH",
            format!("/api/v1/device/{uuid}/state"),
            &token,
            r#"{"reports": [], "reports": []}"#.to_owned(),
            &["/reports"],
        ),
    ] {
        let problem = send(&world, method, &path, token, &body).await.is_problem(422, pointers[0]);
        assert_eq!(told(&problem), pointers, "{path} {body}");
    }
    assert_eq!(world.rollout(&rollout).await.0, "in_progress");
    assert_eq!(world.get(POLICIES).await.is(200)["items"].as_array().unwrap().len(), 1);

    // A report that says a thing twice is not read, and the others are.
    let report =
        |id: &str| format!(r#""id": "{id}", "rollout_id": "{rollout}", "event": "device.image_pulling", "seq": 1"#);
    let body = format!(r#"{{"reports": [{{{}, "seq": 2}}, {{{}}}]}}"#, report("a"), report("b"));
    let answer = send(&world, "PATCH", &format!("/api/v1/device/{uuid}/state"), &token, &body).await.is(200);
    let ignored = [json!({"id": "b", "reason": "not_offered"}), json!({"id": "a", "reason": "unreadable"})];
    assert_eq!(answer["ignored"], json!(ignored));
}

#[tokio::test]
async fn one_mistake_of_a_body_hides_no_other() {
    let world = World::new();
    let (uuid, _) = world.enrol("north").await;
    let of = "/api/v1/rollouts/01JD000000000000000000000A";
    let long = "x".repeat(501);
    for (method, path, token, body, pointers) in [
        (
            Method::POST,
            APPLY.to_owned(),
            OPERATOR,
            json!({"policies": [{"name": "a", "image_pattern": "acme/app:*"}, {"name": "b", "image_pattern": "::", "zz": 1}], "foo": 1}),
            &["/foo", "/policies/1/image_pattern", "/policies/1/zz"][..],
        ),
        (
            Method::PATCH,
            format!("/api/v1/devices/{uuid}"),
            OPERATOR,
            json!({"foo": 1, "name": "", "fleet_id": "", "tags": {"a=b": "c", "d": 1}, "timezone": "Mars/Base"}),
            &["/fleet_id", "/foo", "/name", "/tags/a=b", "/tags/d", "/timezone"],
        ),
        (
            Method::POST,
            TRIGGER.to_owned(),
            OPERATOR,
            json!({"image": "nope::", "retry": "q", "filters": {"device_tags": ["bad", 1, "worse"], "x": 1}, "reason": long, "not_before": "soon"}),
            &[
                "/filters/device_tags/0",
                "/filters/device_tags/1",
                "/filters/device_tags/2",
                "/filters/x",
                "/image",
                "/not_before",
                "/reason",
                "/retry",
            ],
        ),
        (
            Method::POST,
            TRIGGER.to_owned(),
            OPERATOR,
            json!({"override": {"batches": true}, "x": 1}),
            &["/image", "/reason", "/x"],
        ),
        (
            Method::POST,
            "/api/v1/devices".to_owned(),
            PROVISIONING,
            json!({"name": 1, "uuid": "x", "platform": "", "tags": {"a": 1}, "services": {"web": {}, "x": {"image": "Bad"}, "y": 1}}),
            &[
                "/fleet_id",
                "/name",
                "/platform",
                "/services/web/image",
                "/services/x/image",
                "/services/y",
                "/tags/a",
                "/uuid",
            ],
        ),
        (Method::POST, format!("{of}/cancel"), OPERATOR, json!({"reason": long, "x": 1}), &["/reason", "/x"]),
        (Method::POST, format!("{of}/resume"), OPERATOR, json!({"skip_batch": 1}), &["/reason", "/skip_batch"]),
        (Method::POST, format!("{of}/approve"), OPERATOR, json!({"reason": long, "seal": long}), &["/reason", "/seal"]),
        (
            Method::POST,
            format!("{of}/rollback-all"),
            OPERATOR,
            json!({"reason": 1, "max_in_flight": 0, "x": 1}),
            &["/max_in_flight", "/reason", "/x"],
        ),
        (
            Method::POST,
            "/api/v1/deliveries/replay".to_owned(),
            OPERATOR,
            json!({"source": "", "force": 1, "reason": long}),
            &["/delivery_id", "/force", "/reason", "/source"],
        ),
    ] {
        let problem = world.call(method, &path, token, Some(body.clone())).await.is_problem(422, "");
        assert_eq!(told(&problem), pointers, "{path} {body}");
    }
    assert_eq!(world.get(POLICIES).await.is(200)["items"], json!([]));
}

#[tokio::test]
async fn one_mistake_of_a_query_hides_no_other() {
    let world = World::new();
    let digest = DIGEST_2;
    let of = "/api/v1/rollouts/01JD000000000000000000000A";
    for (method, path, names) in [
        (
            Method::GET,
            "/api/v1/rollouts?status=nope&limit=0&image=::&zz=1".to_owned(),
            &["image", "limit", "status", "zz"][..],
        ),
        (Method::GET, "/api/v1/devices?status=nope&limit=x&tag=q&zz=1".to_owned(), &["limit", "status", "tag", "zz"]),
        (Method::GET, format!("{of}/devices?status=nope&batch=0&limit=x"), &["batch", "limit", "status"]),
        (
            Method::GET,
            format!("{of}/events?type=nope&device_uuid=x&limit=1&limit=2"),
            &["device_uuid", "limit", "type"],
        ),
        (
            Method::DELETE,
            format!("/api/v1/images/bad/{digest}?reason=%20&policy=&repository=::"),
            &["policy", "reason", "repository"],
        ),
        (Method::DELETE, format!("/api/v1/images/bad/{digest}"), &["reason", "repository"]),
        (Method::POST, format!("{APPLY}?dry_run=maybe&prune=1&in_parts=true"), &["dry_run", "prune"]),
    ] {
        let body = (method == Method::POST).then(|| json!({"policies": []}));
        let problem = world.call(method, &path, OPERATOR, body).await.is_problem(400, "");
        assert_eq!(told(&problem), names, "{path}");
        assert!(problem["detail"].as_str().unwrap().contains("query parameters are wrong"), "{problem}");
    }
    let one = world.get("/api/v1/rollouts?status=nope").await.is_problem(400, "status");
    assert!(
        one["detail"].as_str().unwrap().starts_with("the query parameter status is wrong: expected one of"),
        "{one}"
    );
}
