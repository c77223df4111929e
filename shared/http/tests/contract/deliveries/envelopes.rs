//! Several pushes in one delivery.

use serde_json::json;

use super::order::push;
use super::{Sent, distribution, sha, told};
use crate::world::{Answer, World};

/// One envelope of all of these.
fn envelope(of: &[Sent]) -> Sent {
    let events: Vec<serde_json::Value> = of
        .iter()
        .map(|sent| serde_json::from_slice::<serde_json::Value>(&sent.body).unwrap()["events"][0].clone())
        .collect();
    distribution::sent(&json!(events))
}

async fn world(on_newer: &str) -> World {
    let world = World::new();
    world.enrol("north").await;
    let policy = json!({"name": "app", "image_pattern": "docker.io/acme/app:*", "on_newer": on_newer});
    world.post("/api/v1/image-policies", policy).await.is(201);
    world
}

fn at(minute: u32) -> String {
    format!("2026-11-23T11:{minute:02}:00Z")
}

/// Four tags, the newest by time neither first nor last.
fn four() -> Sent {
    envelope(&[
        push("e3", "1.3", '3', &at(3)),
        push("e2", "1.2", '2', &at(2)),
        push("e4", "1.4", '4', &at(4)),
        push("e1", "1.1", '1', &at(1)),
    ])
}

fn created(answer: &Answer) -> Vec<String> {
    told(answer)
}

#[tokio::test]
async fn the_newest_by_time_is_rolled_out() {
    let passed_over =
        |tag: &str, digit: char| format!("ignored newer_in_delivery: 1.4 docker.io/acme/app:{tag}@{digit}");
    for (on_newer, live) in
        [("supersede", false), ("queue", false), ("ignore", false), ("supersede", true), ("queue", true)]
    {
        let world = world(on_newer).await;
        if live {
            push("e0", "1.0", '9', &at(0)).deliver(&world).await.is(202);
        }
        let answer = four().deliver(&world).await;
        let told = created(&answer);
        assert_eq!(told[0], passed_over("1.3", '3'), "{on_newer}");
        assert_eq!(told[1], passed_over("1.2", '2'), "{on_newer}");
        let newest = if !live {
            "rollout_created"
        } else if on_newer == "queue" {
            "queued"
        } else {
            "superseding"
        };
        assert!(told[2].starts_with(newest) && told[2].ends_with("1.4@4"), "{on_newer}: {told:?}");
        assert_eq!(told[3], passed_over("1.1", '1'), "{on_newer}");
        let again = created(&four().deliver(&world).await);
        assert!(again[2].starts_with("duplicate") && again[0] == told[0], "{again:?}");
        let rollouts = world.get("/api/v1/rollouts").await.is(200);
        assert_eq!(rollouts["items"].as_array().map(Vec::len), Some(1 + usize::from(live)));
    }
}

#[tokio::test]
async fn each_policy_has_its_own_newest() {
    let world = World::new();
    for fleet in ["north", "south"] {
        world.enrol(fleet).await;
    }
    for (name, pattern, fleet) in
        [("old", "docker.io/acme/app:1.2*", "north"), ("all", "docker.io/acme/app:*", "south")]
    {
        let policy = json!({"name": name, "image_pattern": pattern, "fleet_id": fleet});
        world.post("/api/v1/image-policies", policy).await.is(201);
    }
    let answer = four().deliver(&world).await.is(202);
    let created: Vec<(&str, &str)> = answer["deliveries"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["status"] == "rollout_created")
        .map(|entry| (entry["policy"].as_str().unwrap(), entry["tag"].as_str().unwrap()))
        .collect();
    assert_eq!(created, [("old", "1.2"), ("all", "1.4")]);
}

#[tokio::test]
async fn what_is_kept_out_gives_way_to_the_one_before_it() {
    let world = world("supersede").await;
    let first = push("e0", "1.4", '4', &at(0)).deliver(&world).await.is(202);
    let rollout = first["rollout_id"].as_str().unwrap();
    world.settle().await;
    world.post(&format!("/api/v1/rollouts/{rollout}/rollback-all"), json!({"reason": "it burns"})).await.is(200);
    let told = created(&four().deliver(&world).await);
    assert!(told[2].starts_with("ignored bad_digest"), "{told:?}");
    assert!(told[0].starts_with("rollout_created"), "{told:?}");
    assert!(told[1].starts_with("ignored newer_in_delivery: 1.3"), "{told:?}");
}

#[tokio::test]
async fn many_entries_take_few_calls() {
    let world = world("supersede").await;
    let of = |n: u32| {
        let pushes: Vec<Sent> = (0..n)
            .map(|n| push(&format!("e{n}"), &format!("1.{n}"), '7', "2026-11-23T11:00:00Z"))
            .enumerate()
            .map(|(n, mut sent)| {
                let digest = format!("sha256:{n:064x}");
                sent.body = String::from_utf8(sent.body).unwrap().replace(&sha('7'), &digest).into_bytes();
                sent
            })
            .collect();
        envelope(&pushes)
    };
    let answer = of(100).deliver(&world).await.is(202);
    let entries = answer["deliveries"].as_array().unwrap();
    assert_eq!(entries.len(), 100);
    assert_eq!(entries[99]["status"], "rollout_created", "told at one time, the last of the list is the newest");
    assert_eq!(entries.iter().filter(|entry| entry["status"] == "ignored").count(), 99);
    let again = of(100).deliver(&world).await.is(202);
    assert_eq!(again["deliveries"][99]["status"], "duplicate");
    let rollouts = world.get("/api/v1/rollouts").await.is(200);
    assert_eq!(rollouts["items"].as_array().map(Vec::len), Some(1));
}

/// Past some thousands the answer looks at no more devices, whatever their number.
#[tokio::test]
async fn a_large_fleet_is_told_at_most() {
    let mut reads = Vec::new();
    for devices in [2_000, 6_000, 12_000] {
        let world = world("supersede").await;
        world.crowd("docker.io/acme/app", devices).await;
        let nobody = json!({"name": "south", "image_pattern": "docker.io/acme/app:*", "fleet_id": "south"});
        world.post("/api/v1/image-policies", nobody).await.is(201);
        let before = world.reads();
        let answer = push("e1", "2", '2', &at(1)).deliver(&world).await.is(202);
        reads.push(world.reads() - before);
        let entries = answer["deliveries"].as_array().unwrap();
        let of = |policy: &str| entries.iter().find(|entry| entry["policy"] == policy).unwrap();
        assert_eq!(of("app")["status"], "rollout_created");
        if devices == 2_000 {
            assert_eq!(of("app")["affected_devices"], 2_001);
            assert_eq!((&of("south")["status"], &of("south")["affected_devices"]), (&json!("no_devices"), &json!(0)));
            continue;
        }
        assert_eq!(of("app")["affected_devices_at_most"], devices + 1, "{answer}");
        assert!(of("app")["affected_devices"].is_null());
        // It may have some of those that were not looked at; planning finds out.
        assert_eq!(of("south")["status"], "rollout_created");
        assert_eq!(of("south")["affected_devices_at_most"], devices + 1 - 3_200);
        world.settle().await;
        let south = of("south")["rollout_id"].as_str().unwrap();
        assert_eq!(world.rollout(south).await.0, "cancelled");
        let events = world.get(&format!("/api/v1/rollouts/{south}/events")).await.is(200);
        assert!(events.to_string().contains("no_devices"), "{events}");
        let again = push("e1", "2", '2', &at(1)).deliver(&world).await.is(202);
        assert!(again["deliveries"].as_array().unwrap().iter().all(|entry| entry["status"] == "duplicate"), "{again}");
    }
    assert!(reads[2] < 4.0 * reads[0], "what is counted costs, what is not looked at does not: {reads:?}");
}
