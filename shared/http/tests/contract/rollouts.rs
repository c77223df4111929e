//! A push and its rollout over HTTP.

use std::collections::BTreeMap;

use axum::http::Method;
use serde_json::{Value, json};

use crate::world::{DIGEST_1, DIGEST_2, OPERATOR, World};

/// What a device has to know to take part.
struct Participant {
    path: String,
    token: String,
}

impl Participant {
    async fn get(&self, world: &World) -> Value {
        world.call(Method::GET, &self.path, &self.token, None).await.is(200)
    }

    async fn tell(&self, world: &World, rollout: &str, events: &[(u32, &str)], digest: &str) -> Value {
        let reports = events.iter().map(|(seq, event)| {
            json!({"id": format!("{rollout}-{seq}"), "service": "web", "rollout_id": rollout, "attempt": 1, "seq": seq,
                   "event": event, "details": {"message": "told"}})
        });
        let services =
            json!({"web": {"image": "docker.io/acme/app:v2", "digest": digest, "status": "running", "healthy": true}});
        let body = json!({"services": services, "reports": reports.collect::<Vec<_>>()});
        world.call(Method::PATCH, &self.path, &self.token, Some(body)).await.is(200)
    }
}

async fn fleet(world: &World, size: usize) -> Vec<Participant> {
    let mut devices = Vec::new();
    for _ in 0..size {
        let (uuid, token) = world.enrol("north").await;
        devices.push(Participant { path: format!("/api/v1/device/{uuid}/state"), token });
    }
    devices
}

async fn items(world: &World, path: &str) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = world.get(&format!("{path}{cursor}")).await.is(200);
        items.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("{}cursor={next}", if path.contains('?') { "&" } else { "?" }),
            None => return items,
        }
    }
}

#[tokio::test]
async fn a_push_becomes_a_rollout_that_can_be_read() {
    let world = World::new();
    world.policy("production", "north").await;
    let devices = fleet(&world, 4).await;
    let answer = world.push("e1", "v2", DIGEST_2).await.is(202);
    assert_eq!((&answer["status"], &answer["affected_devices"]), (&json!("rollout_created"), &json!(4)), "{answer}");
    assert_eq!(answer["deliveries"].as_array().unwrap().len(), 1);
    let id = answer["rollout_id"].as_str().unwrap().to_owned();
    let twin = world.push("e1", "v2", DIGEST_2).await.is(202);
    assert_eq!((&twin["status"], &twin["rollout_id"]), (&json!("duplicate"), &json!(id)));

    world.settle().await;
    let path = format!("/api/v1/rollouts/{id}");
    let rollout = world.get(&path).await.is(200);
    assert_eq!(rollout["status"], "in_progress", "{rollout}");
    assert_eq!((&rollout["total_devices"], &rollout["current_batch"]), (&json!(4), &json!(1)));
    assert_eq!(rollout["image_name"], "docker.io/acme/app");
    assert_eq!((&rollout["new_tag"], &rollout["new_digest"]), (&json!("v2"), &json!(DIGEST_2)));
    assert!(rollout["waiting_for"].as_str().unwrap().contains("1 of 1"), "{rollout}");

    let mut offered = Vec::new();
    for device in &devices {
        if device.get(&world).await["services"]["web"]["rollout"].is_object() {
            offered.push(device);
        }
    }
    assert_eq!(offered.len(), 1, "batch 1 of 4 devices is one device");
    let events = [
        (1, "device.image_pulling"),
        (2, "device.image_pulled"),
        (3, "device.container_updating"),
        (4, "device.update_completed"),
        (5, "device.health_check_passed"),
    ];
    let told = offered[0].tell(&world, &id, &events, DIGEST_2).await;
    assert_eq!(told, json!({"accepted": 5, "duplicates": 0, "ignored": []}));
    let twice = offered[0].tell(&world, &id, &events, DIGEST_2).await;
    assert_eq!(twice["duplicates"], 5);
    world.settle().await;

    let rollout = world.get(&path).await.is(200);
    assert_eq!(rollout["batches"][0]["healthy"], 1, "{rollout}");
    assert_eq!((&rollout["healthy_devices"], &rollout["updated_devices"]), (&json!(1), &json!(1)));
    let rows = items(&world, &format!("{path}/devices?limit=1")).await;
    let mut statuses: BTreeMap<&str, u32> = BTreeMap::new();
    for row in &rows {
        *statuses.entry(row["status"].as_str().unwrap()).or_default() += 1;
    }
    assert_eq!(statuses, BTreeMap::from([("completed", 1), ("pending", 3)]));
    let healthy = items(&world, &format!("{path}/devices?status=completed&batch=1")).await;
    assert_eq!(healthy[0]["health_check_passed"], true, "{healthy:?}");
    assert_eq!((&healthy[0]["old_image_tag"], &healthy[0]["new_image_tag"]), (&json!("v1"), &json!("v2")));

    let all = items(&world, &format!("{path}/events?limit=3")).await;
    let names: Vec<&str> = all.iter().map(|event| event["event"].as_str().unwrap()).collect();
    let first_of_devices = names.iter().position(|name| name.starts_with("device.")).unwrap();
    assert!(names[first_of_devices..].iter().all(|name| name.starts_with("device.")), "{names:?}");
    for expected in ["image.webhook_received", "image.update_available", "image.rollout_started"] {
        assert!(names[..first_of_devices].contains(&expected), "{expected} in {names:?}");
    }
    assert_eq!(names.iter().filter(|name| **name == "device.image_update_scheduled").count(), 4);
    assert_eq!(names.iter().filter(|name| **name == "device.health_check_passed").count(), 1);
    let device = healthy[0]["device_uuid"].as_str().unwrap();
    let of_one = items(&world, &format!("{path}/events?device_uuid={device}&type=device.image_pulled")).await;
    assert_eq!(of_one.len(), 1);

    let listed = items(&world, "/api/v1/rollouts?status=in_progress&image=docker.io/acme/app").await;
    assert_eq!(listed.len(), 1);
    assert_eq!(items(&world, "/api/v1/rollouts?status=paused").await.len(), 0);
    assert_eq!(items(&world, "/api/v1/rollouts?image=acme/app:v3").await.len(), 0);
}

#[tokio::test]
async fn commands_hold_change_or_are_refused() {
    let world = World::new();
    world.policy("production", "north").await;
    fleet(&world, 2).await;
    let id = world.push("e1", "v2", DIGEST_2).await.is(202)["rollout_id"].as_str().unwrap().to_owned();
    world.settle().await;
    let command = |name: &'static str, body: Option<Value>| {
        let (world, path) = (&world, format!("/api/v1/rollouts/{id}/{name}"));
        async move { world.call(Method::POST, &path, OPERATOR, body).await }
    };
    let paused = command("pause", None).await.is(200);
    assert_eq!((&paused["status"], &paused["changed"]), (&json!("paused"), &json!(true)));
    assert_eq!(command("pause", Some(json!({"reason": "again"}))).await.is(200)["changed"], false);
    let refused = command("approve", None).await.is_problem(409, "");
    assert!(refused["detail"].as_str().unwrap().contains("awaiting_approval, expired"), "{refused}");
    command("resume", Some(json!({"reason": " "}))).await.is_problem(422, "/reason");
    assert_eq!(command("resume", Some(json!({"reason": "seen"}))).await.is(200)["status"], "in_progress");
    let cancelled = command("cancel", None).await.is(200);
    assert!(cancelled["hint"].as_str().unwrap().contains("rollback-all"));
    assert_eq!(command("rollback-all", None).await.is(200)["status"], "rolling_back");
    let unknown = world.post("/api/v1/rollouts/01JD000000000000000000000A/pause", json!({})).await;
    unknown.is_problem(404, "");

    let kept_out = world.post("/api/v1/images/trigger-update", json!({"image": format!("acme/app@{DIGEST_2}")})).await;
    assert!(kept_out.is_problem(409, "")["type"].as_str().unwrap().ends_with("bad_digest"));
    let clear = format!("/api/v1/images/bad/{DIGEST_2}?repository=acme/app&reason=fixed&policy=production");
    assert_eq!(world.call(Method::DELETE, &clear, OPERATOR, None).await.is(200)["digest"], DIGEST_2);
    world.call(Method::DELETE, &clear, OPERATOR, None).await.is_problem(404, "");
}

#[tokio::test]
async fn a_pause_says_who_when_and_how_it_goes_on() {
    let world = World::new();
    world.policy("production", "north").await;
    fleet(&world, 2).await;
    let id = world.push("e1", "v2", DIGEST_2).await.is(202)["rollout_id"].as_str().unwrap().to_owned();
    world.settle().await;
    let path = format!("/api/v1/rollouts/{id}");
    assert!(world.get(&path).await.is(200)["paused_at"].is_null());
    world.post(&format!("{path}/pause"), json!({"reason": "looking"})).await.is(200);
    let paused = world.get(&path).await.is(200);
    assert_eq!((&paused["paused_by"], &paused["reason"]), (&json!("an operator"), &json!("looking")), "{paused}");
    assert!(
        paused["paused_at"].is_string() && paused["error_message"].is_null(),
        "a person's reason is no error: {paused}"
    );
    let words = paused["waiting_for"].as_str().unwrap();
    assert!(words.starts_with("paused by an operator at 2") && words.contains("looking; it goes on when"), "{words}");
    let events = items(&world, &format!("{path}/events?type=image.rollout_paused")).await;
    assert_eq!(events[0]["details"], json!({"reason": "looking", "by": "an operator"}));
    world.post(&format!("{path}/resume"), json!({"reason": "seen"})).await.is(200);
    assert!(world.get(&path).await.is(200)["paused_by"].is_null());
}

#[tokio::test]
async fn who_failed_counts_as_failed_though_it_is_back() {
    let world = World::new();
    world.policy("production", "north").await;
    let devices = fleet(&world, 1).await;
    let id = world.push("e1", "v2", DIGEST_2).await.is(202)["rollout_id"].as_str().unwrap().to_owned();
    world.settle().await;
    devices[0].get(&world).await;
    devices[0].tell(&world, &id, &[(1, "device.image_pulled")], DIGEST_1).await;
    devices[0].get(&world).await;
    let failed = [(2, "device.container_updating"), (3, "device.update_completed"), (4, "device.health_check_failed")];
    devices[0].tell(&world, &id, &failed, DIGEST_2).await;
    devices[0].tell(&world, &id, &[(5, "device.rolled_back")], DIGEST_1).await;
    world.settle().await;
    world.nudge(&id).await;
    let rollout = world.get(&format!("/api/v1/rollouts/{id}")).await.is(200);
    let counts = ["ever_failed_devices", "failed_devices", "rolled_back_devices"].map(|name| rollout[name].clone());
    assert_eq!(counts, [json!(1), json!(0), json!(1)], "{rollout}");
    assert_eq!(rollout["batches"][0]["ever_failed"], 1, "{rollout}");
}

#[tokio::test]
async fn a_lock_says_until_when() {
    let world = World::new();
    world.policy("production", "north").await;
    let devices = fleet(&world, 1).await;
    let id = world.push("e1", "v2", DIGEST_2).await.is(202)["rollout_id"].as_str().unwrap().to_owned();
    world.settle().await;
    devices[0].get(&world).await;
    let until = "2027-01-01T06:00:00Z";
    let locked = json!({"reports": [{"id": "x", "service": "web", "rollout_id": id, "attempt": 1, "seq": 1,
                                     "event": "device.update_blocked", "details": {"until": until}}]});
    world.call(Method::PATCH, &devices[0].path, &devices[0].token, Some(locked)).await.is(200);
    world.settle().await;
    let rows = items(&world, &format!("/api/v1/rollouts/{id}/devices?status=blocked")).await;
    assert_eq!(rows[0]["blocked_until"], until, "{rows:?}");
    let uuid = devices[0].path.split('/').nth(4).unwrap();
    let device = world.get(&format!("/api/v1/devices/{uuid}")).await.is(200);
    assert_eq!(device["services"]["web"]["rollout"]["blocked_until"], until, "{device}");
    assert!(device["services"]["web"]["healthy"].is_null(), "it never told: {device}");
    devices[0].tell(&world, &id, &[(2, "device.image_pulling")], DIGEST_1).await;
    world.settle().await;
    let rows = items(&world, &format!("/api/v1/rollouts/{id}/devices")).await;
    assert!(rows[0]["blocked_until"].is_null(), "{rows:?}");
}

#[tokio::test]
async fn a_yes_is_for_what_was_seen() {
    let world = World::new();
    let policy = json!({"name": "careful", "image_pattern": "acme/app:*", "update_strategy": "manual"});
    world.post("/api/v1/image-policies", policy).await.is(201);
    fleet(&world, 2).await;
    // By tag alone: the registry of these tests cannot be asked.
    let body = json!({"image": "acme/app:v2"});
    let id = world.post("/api/v1/images/trigger-update", body).await.is(202)["rollout_id"].as_str().unwrap().to_owned();
    world.settle().await;
    world.pass(180);
    world.nudge(&id).await;
    let path = format!("/api/v1/rollouts/{id}");
    let asked = world.get(&path).await.is(200);
    assert_eq!(
        (&asked["status"], &asked["approval"]["seal_needed"]),
        (&json!("awaiting_approval"), &json!(true)),
        "{asked}"
    );
    for answer in ["approve", "reject"] {
        let route = format!("{path}/{answer}");
        let refused = world.post(&route, json!({})).await.is_problem(409, "/seal");
        assert!(refused["type"].as_str().unwrap().ends_with(":seal_needed"), "{refused}");
        let refused = world.post(&route, json!({"seal": "of something else"})).await.is_problem(409, "/seal");
        assert!(refused["type"].as_str().unwrap().ends_with(":changed"), "{refused}");
    }
    let approved = world.post(&format!("{path}/approve"), json!({"seal": asked["approval"]["seal"]})).await.is(200);
    assert_eq!((&approved["status"], &approved["changed"]), (&json!("scheduled"), &json!(true)), "{approved}");
    let again = world.post(&format!("{path}/approve"), json!({"seal": asked["approval"]["seal"]})).await.is(200);
    assert_eq!(again["changed"], false);
    let events = items(&world, &format!("{path}/events?type=image.rollout_approved")).await;
    assert_eq!(events[0]["details"], json!({"by": "an operator", "tag": "v2"}), "{events:?}");
}

#[tokio::test]
async fn rollouts_of_one_millisecond_are_listed_in_the_order_of_creation() {
    let world = World::new();
    world.policy("production", "north").await;
    fleet(&world, 2).await;
    let mut made = Vec::new();
    for n in 0..6 {
        let digest = format!("sha256:{}", n.to_string().repeat(64));
        let answer = world.push(&format!("e{n}"), &format!("v{n}"), &digest).await.is(202);
        made.insert(0, answer["rollout_id"].clone());
    }
    let listed: Vec<Value> =
        items(&world, "/api/v1/rollouts").await.iter().map(|rollout| rollout["rollout_id"].clone()).collect();
    assert_eq!(listed, made);
}

#[tokio::test]
async fn a_trigger_by_hand() {
    let world = World::new();
    fleet(&world, 3).await;
    let body = json!({"image": "acme/app:v2", "filters": {"fleet_id": "north"}});
    let run = world.post("/api/v1/images/trigger-update?dry_run=true", body.clone()).await.is(200);
    assert_eq!(run["total_devices"], 3);
    assert_eq!(world.get("/api/v1/rollouts").await.is(200)["items"], json!([]));
    let triggered = world.post("/api/v1/images/trigger-update", body).await.is(202);
    assert_eq!((&triggered["policy"], &triggered["affected_devices"]), (&json!("default"), &json!(3)), "{triggered}");
    assert_eq!(triggered["rollouts"].as_array().unwrap().len(), 1);
    assert_eq!(triggered["rollouts"][0]["rollout_id"], triggered["rollout_id"]);
    let cases = [
        (json!({"image": "quay.io/a/b:1"}), "/image"),
        (json!({"image": "acme/app"}), "/image"),
        (json!({"image": "localhost:5000/acme/app"}), "/image"),
        (json!({"image": "acme/app:v2", "override": {"aproval": true}}), "/override/aproval"),
        (json!({"image": "acme/app:v2", "override": {"approval": true}}), "/reason"),
        (json!({"image": "acme/app:v2", "override": {"approval": true}, "reason": " "}), "/reason"),
        (json!({"image": "acme/app:v2", "reason": "x".repeat(501)}), "/reason"),
        (
            json!({"image": "acme/app:v2", "strategy": "manual", "override": {"approval": true}, "reason": "x"}),
            "/override/approval",
        ),
        (json!({"image": "acme/app:v2", "strategy": "yolo"}), "/strategy"),
        (json!({"image": "acme/app:v2", "strategy": "scheduled"}), "/strategy"),
        (json!({"image": "acme/app:v2", "retry": "some"}), "/retry"),
        (json!({"image": "acme/app:v2", "filters": {"device_tags": ["region"]}}), "/filters/device_tags/0"),
    ];
    for (body, pointer) in cases {
        world.post("/api/v1/images/trigger-update", body).await.is_problem(422, pointer);
    }
}

#[tokio::test]
async fn a_trigger_is_laxer_than_a_policy_only_where_a_person_says_so() {
    let world = World::new();
    let policy = json!({"name": "careful", "image_pattern": "acme/app:*", "update_strategy": "manual",
                        "maintenance_window_start": "02:00:00", "maintenance_window_end": "04:00:00"});
    world.post("/api/v1/image-policies", policy).await.is(201);
    fleet(&world, 4).await;
    let route = "/api/v1/images/trigger-update";

    let lax = json!({"image": "acme/app:v2", "strategy": "auto"});
    let refused = world.post(route, lax.clone()).await.is_problem(409, "/override/approval");
    assert!(refused["type"].as_str().unwrap().ends_with(":override_needed"), "{refused}");
    let pointers: Vec<&Value> = refused["errors"].as_array().unwrap().iter().map(|error| &error["pointer"]).collect();
    assert_eq!(pointers, ["/override/approval", "/override/batches"], "{refused}");
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.contains("careful: approval, batches") && detail.contains(r#""approval": true"#), "{detail}");
    let run = world.post("/api/v1/images/trigger-update?dry_run=true", lax.clone()).await.is(200);
    let over = json!([{"policy": "careful", "safeguards": ["approval", "batches"], "unsaid": ["approval", "batches"]}]);
    assert_eq!(run["passed_over"], over, "{run}");
    let half = json!({"image": "acme/app:v2", "strategy": "auto", "override": {"batches": true}, "reason": "hotfix"});
    world.post(route, half).await.is_problem(409, "/override/approval");
    assert_eq!(world.get("/api/v1/rollouts").await.is(200)["items"], json!([]), "what is refused creates nothing");

    let mut said = lax;
    said["override"] = json!({"approval": true, "batches": true, "window": true});
    said["reason"] = json!("hotfix for CVE-2026-1");
    let id = world.post(route, said).await.is(202)["rollout_id"].as_str().unwrap().to_owned();
    world.settle().await;
    let path = format!("/api/v1/rollouts/{id}");
    let rollout = world.get(&path).await.is(200);
    assert_eq!((&rollout["status"], &rollout["strategy"]), (&json!("in_progress"), &json!("auto")), "{rollout}");
    let told = json!({"passed_over": ["approval", "batches", "window"], "reason": "hotfix for CVE-2026-1", "by": "an operator"});
    assert_eq!(rollout["override"], told, "{rollout}");
    let events = items(&world, &format!("{path}/events?type=image.policy_overridden")).await;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0]["details"]["passed_over"], told["passed_over"], "{events:?}");
    assert_eq!(events[0]["details"]["reason"], told["reason"], "{events:?}");

    let strict = json!({"image": "acme/app:v3", "strategy": "manual", "filters": {"fleet_id": "north"}});
    let id = world.post(route, strict).await.is(202)["rollout_id"].as_str().unwrap().to_owned();
    world.settle().await;
    let rollout = world.get(&format!("/api/v1/rollouts/{id}")).await.is(200);
    assert!(rollout["override"].is_null(), "a narrower selection passes nothing over: {rollout}");
}

#[tokio::test]
async fn a_trigger_that_concerns_nobody_is_refused() {
    let world = World::new();
    fleet(&world, 2).await;
    for (body, words) in [
        (json!({"image": "acme/other:v2"}), "no device runs docker.io/acme/other"),
        (json!({"image": "acme/app:v2", "filters": {"fleet_id": "south"}}), "in the fleet south"),
        (json!({"image": "acme/app:v2", "filters": {"device_tags": ["region:eu"]}}), "tagged region:eu"),
    ] {
        for route in ["/api/v1/images/trigger-update", "/api/v1/images/trigger-update?dry_run=true"] {
            let refused = world.post(route, body.clone()).await.is_problem(409, "");
            assert!(refused["type"].as_str().unwrap().ends_with(":no_devices"), "{refused}");
            assert!(refused["detail"].as_str().unwrap().contains(words), "{refused}");
        }
    }
}

#[tokio::test]
async fn a_latecomer_gets_what_was_proven() {
    let world = World::new();
    let body =
        json!({"name": "all", "image_pattern": "acme/app:*", "update_strategy": "auto", "healthy_for_seconds": 1});
    world.post("/api/v1/image-policies", body).await.is(201);
    let devices = fleet(&world, 1).await;
    let id = world.push("e1", "v2", DIGEST_2).await.is(202)["rollout_id"].as_str().unwrap().to_owned();
    world.settle().await;
    devices[0].get(&world).await;
    let events = [
        (1, "device.image_pulling"),
        (2, "device.image_pulled"),
        (3, "device.container_updating"),
        (4, "device.update_completed"),
        (5, "device.health_check_passed"),
    ];
    devices[0].tell(&world, &id, &events, DIGEST_2).await;
    world.settle().await;
    for _ in 0..5 {
        world.pass(120);
        world.nudge(&id).await;
    }
    let rollout = world.get(&format!("/api/v1/rollouts/{id}")).await.is(200);
    assert_eq!(rollout["status"], "completed", "{rollout}");

    let late = fleet(&world, 1).await;
    let target = late[0].get(&world).await;
    assert_eq!(target["services"]["web"]["image"], "docker.io/acme/app:v2", "{target}");
    assert_eq!(target["services"]["web"]["digest"], DIGEST_2);
    assert!(target["services"]["web"]["rollout"].is_null(), "no row of a finished rollout");
}

#[tokio::test]
async fn a_device_that_enrols_before_the_plan_is_planned_and_one_after_it_comes_last() {
    let world = World::new();
    world.policy("production", "north").await;
    fleet(&world, 3).await;
    let id = world.push("e1", "v2", DIGEST_2).await.is(202)["rollout_id"].as_str().unwrap().to_owned();
    fleet(&world, 1).await;
    world.settle().await;
    let path = format!("/api/v1/rollouts/{id}");
    let planned = world.get(&path).await.is(200);
    assert_eq!((&planned["total_devices"], &planned["batches"][0]["devices"]), (&json!(4), &json!(1)), "{planned}");

    let late = fleet(&world, 1).await;
    world.settle().await;
    let device = late[0].path.split('/').nth(4).unwrap().to_owned();
    let shown = world.get(&format!("/api/v1/devices/{device}")).await.is(200);
    let last = planned["batches"].as_array().unwrap().len();
    assert_eq!((&shown["services"]["web"]["rollout"]["batch"], &shown["status"]), (&json!(last), &json!("pending")));
    assert!(late[0].get(&world).await["services"]["web"]["rollout"].is_null(), "it never bypasses a canary");
}

/// What each gate of a place says, such as `settled waiting`.
fn gates(rollout: &Value, number: usize) -> Vec<String> {
    let stage = &rollout["stages"][number];
    assert_eq!(stage["number"], number, "{rollout}");
    let gates = stage["gates"].as_array().unwrap();
    gates.iter().map(|gate| format!("{} {}", gate["kind"].as_str().unwrap(), gate["state"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn stages_say_what_holds_a_rollout_up() {
    let world = World::new();
    world.policy("production", "north").await;
    fleet(&world, 4).await;
    let start = world.time(3_600);
    let body = json!({"image": format!("docker.io/acme/app:v2@{DIGEST_2}"), "not_before": start});
    let triggered = world.post("/api/v1/images/trigger-update", body).await.is(202);
    let id = triggered["rollouts"][0]["rollout_id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/rollouts/{id}");
    world.settle().await;

    let early = world.get(&path).await.is(200);
    assert_eq!((&early["status"], gates(&early, 0)), (&json!("scheduled"), vec!["not_before waiting".to_owned()]));
    assert_eq!(early["stages"][0]["gates"][0]["until"], start, "{early}");
    assert_eq!(early["stages"][0]["gates"][0]["why"], early["waiting_for"]);
    assert!(gates(&early, 1).iter().all(|gate| gate.ends_with(" not_reached")), "{early}");
    assert_eq!(early["stages"].as_array().unwrap().len(), 1 + early["batches"].as_array().unwrap().len());

    world.pass(3_600);
    world.nudge(&id).await;
    let open = world.get(&path).await.is(200);
    assert_eq!((&open["status"], gates(&open, 0)), (&json!("in_progress"), vec!["not_before passed".to_owned()]));
    let first = gates(&open, 1);
    assert!(
        first.contains(&"settled waiting".to_owned()) && first.contains(&"failure_rules passed".to_owned()),
        "{open}"
    );
    assert_eq!((&open["stages"][1]["phase"], &open["stages"][1]["share"]), (&json!("swap"), &json!("10%")));
}
