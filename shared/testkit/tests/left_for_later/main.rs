//! Deliveries that more policies match than one answer has rollouts for: what is left is done behind the queue, once,
//! wherever somebody dies on the way, and never overtakes what came after it.

mod dying;
mod world;

use std::collections::{BTreeMap, BTreeSet};

use tidegate_domain::image::ImageRef;
use tidegate_domain::policy::Wish;
use tidegate_engine::step;
use tidegate_engine::trigger::{TriggerRequest, trigger};
use tidegate_engine::webhook::{Replay, replay};

use world::{REPOSITORY, SOURCE, World, delivery, notice, push, statuses};

#[tokio::test]
async fn two_at_once_and_three_behind_the_queue() {
    let mut world = World::new(5).await;
    let first = push("e1", "v2", 2);
    let answer = world.deliver(&world.ports, &first).await.unwrap();
    let expected = ["p1 rollout_created", "p2 rollout_created", "p3 accepted", "p4 accepted", "p5 accepted"];
    assert_eq!(statuses(&answer), expected);
    let later = &answer.deliveries[2];
    assert_eq!((later.rollout_id.as_ref(), later.affected_devices), (None, Some(1)));
    assert_eq!(world.rollouts().len(), 2);
    let again = ["p1 duplicate", "p2 duplicate", "p3 accepted", "p4 accepted", "p5 accepted"];
    assert_eq!(world.told(&first).await, again, "nothing more is known yet");
    world.pass(3);
    world.settle().await;
    assert_eq!(world.rollouts().len(), 5);
    assert!(world.rollouts().iter().all(|rollout| rollout.news.as_ref().unwrap().taken_at < world.now));
    let repeat = world.deliver(&world.ports, &first).await.unwrap();
    assert_eq!(statuses(&repeat), (1..=5).map(|n| format!("p{n} duplicate")).collect::<Vec<_>>());
    let ids: BTreeSet<_> = repeat.deliveries.iter().map(|told| told.rollout_id.clone().unwrap()).collect();
    assert_eq!(ids, world.rollouts().into_iter().map(|rollout| rollout.rollout_id).collect());
    assert!(repeat.deliveries.iter().all(|told| told.tag.as_deref() == Some("v2") && told.digest.is_some()));
    assert!(world.held().is_empty(), "nobody is to go on with what is finished");
    assert_eq!(world.events("image.webhook_received").iter().filter(|it| it["stream"] != "audit").count(), 5);
}

#[tokio::test]
async fn up_to_the_limit_nothing_is_left() {
    let world = World::new(2).await;
    assert_eq!(world.told(&push("e1", "v2", 2)).await, ["p1 rollout_created", "p2 rollout_created"]);
    assert!(world.held().is_empty());
}

/// What is counted is what is pushed for somebody, over all repositories of the delivery.
#[tokio::test]
async fn several_repositories_and_tags() {
    let other = "docker.io/acme/other";
    let world = World::new(2).await;
    for n in 3..=5 {
        world.policy(n, other).await;
    }
    let both = delivery(vec![
        notice(other, Some("e1"), "v2", Some(2)),
        notice(REPOSITORY, Some("e2"), "v2", Some(3)),
        notice(REPOSITORY, Some("e3"), "latest", Some(3)),
        notice(other, Some("e4"), "v1", Some(1)),
    ]);
    let told = world.told(&both).await;
    let expected = [
        "p3 accepted",
        "p4 accepted",
        "p5 accepted",
        "p1 rollout_created",
        "p2 accepted",
        "p1 duplicate",
        "p2 accepted",
        "p3 accepted",
        "p4 accepted",
        "p5 accepted",
    ];
    assert_eq!(told, expected);
    world.settle().await;
    let newest = [("p1", "v2"), ("p2", "v2"), ("p3", "v1"), ("p4", "v1"), ("p5", "v1")];
    assert_eq!(world.newest(), newest.map(|(policy, tag)| (policy.to_owned(), tag.to_owned())).into());
    assert_eq!(world.rollouts().len(), 5, "a rollout for each, of the last that was told");
    let repeat = world.told(&both).await;
    assert_eq!(repeat[..3], ["p3", "p4", "p5"].map(|policy| format!("{policy} ignored newer_in_delivery: v1")));
    assert!(repeat[3..].iter().all(|told| told.ends_with("duplicate")), "{repeat:?}");
}

#[tokio::test]
async fn what_comes_after_it_is_not_overtaken() {
    let mut world = World::new(5).await;
    world.told(&push("e1", "v2", 2)).await;
    let held = world.held();
    assert_eq!(held.len(), 1);
    world.pass(1);
    // A person is faster at p3, and another push at the others.
    let request = TriggerRequest {
        image: ImageRef::parse(&format!("{REPOSITORY}:v7@sha256:{:064x}", 7)).unwrap(),
        wish: Wish::default(),
        reason: None,
        retry: None,
        fleet_id: Some("f3".to_owned()),
        device_tags: BTreeMap::new(),
    };
    trigger(&world.ports, &world.settings, &request, world.now).await.unwrap();
    world.pass(1);
    world.settings = world.settings.with_rollouts_per_answer(4);
    let mut newer = push("e2", "v3", 3);
    world.policy(6, REPOSITORY).await;
    let told = world.told(&newer).await;
    assert_eq!(told[3..], ["p4 rollout_created", "p5 accepted", "p6 accepted"]);
    let newer_held = world.held();
    world.pass(1);
    world.finish(&newer_held).await;
    world.settings = world.settings.with_rollouts_per_answer(2);
    world.pass(1);
    world.finish(&held).await;
    assert!(world.newest().values().all(|tag| tag == "v3"), "{:?}", world.newest());
    let told = world.told(&push("e1", "v2", 2)).await;
    let overtaken = (3..=6).map(|n| format!("p{n} ignored overtaken"));
    assert_eq!(told[2..], overtaken.take(3).collect::<Vec<_>>());
    let events = world.events("image.update_stale");
    let policies: BTreeSet<&str> = events.iter().filter_map(|event| event["detail"]["policy"].as_str()).collect();
    assert_eq!(policies, ["p3", "p4", "p5", "p6"].into(), "p6 is new, and was asked as well");
    assert_eq!(events[0]["detail"]["reason"], "overtaken");
    // It came before, and so it goes on where nothing came after it.
    newer = push("e3", "v4", 4);
    world.told(&newer).await;
    world.settle().await;
    assert!(world.newest().values().all(|tag| tag == "v4"));
    // A person can have it all the same.
    let asked = Replay { source: SOURCE, delivery_id: "e1", force: false, reason: None };
    world.pass(1);
    replay(&world.ports, &world.settings, &asked, world.now).await.unwrap().expect("it is kept");
    world.settle().await;
    assert!(world.newest().values().all(|tag| tag == "v2"), "{:?}", world.newest());
}

/// The last of equal contents that tell no time is what counts.
#[tokio::test]
async fn what_was_told_again_meanwhile_stays() {
    let mut world = World::new(3).await;
    world.told(&push("e1", "v2", 2)).await;
    world.settle().await;
    world.pass(1);
    world.told(&push("e2", "v3", 3)).await;
    let held = world.held();
    world.pass(1);
    world.told(&push("e3", "v2", 2)).await;
    world.settle().await;
    world.finish(&held).await;
    assert!(world.newest().values().all(|tag| tag == "v2"), "{:?}", world.newest());
}

#[tokio::test]
async fn messages_that_are_lost_or_come_twice() {
    let mut world = World::new(9).await;
    let first = push("e1", "v2", 2);
    world.told(&first).await;
    let held = world.held();
    step::sweep(&world.ports, world.now).await.unwrap();
    assert_eq!(world.held(), held, "the sweep sends what was lost");
    let twice = [held.clone(), held.clone()].concat();
    world.finish(&twice).await;
    assert_eq!(world.rollouts().len(), 9);
    world.pass(60);
    step::sweep(&world.ports, world.now).await.unwrap();
    assert!(world.held().is_empty(), "it is finished");
    world.finish(&held).await;
    world.finish(&[(SOURCE.to_owned(), "gone".to_owned())]).await;
    assert_eq!(world.rollouts().len(), 9);
    assert!(world.told(&first).await.iter().all(|told| told.ends_with("duplicate")));
}

/// Two pushes within a second have one key, and some senders give none: what is left of them is not mixed up.
#[tokio::test]
async fn without_a_key_of_its_own() {
    let mut world = World::new(5).await;
    let nameless = |tag: &str, digest| delivery(vec![notice(REPOSITORY, None, tag, Some(digest))]);
    world.told(&nameless("v2", 2)).await;
    let held = world.held();
    let twice = [held.clone(), held].concat();
    world.pass(1);
    world.told(&nameless("v3", 3)).await;
    let newer = world.held();
    world.finish(&twice).await;
    assert_eq!(world.rollouts().len(), 5 + 2, "p1 and p2 have both");
    world.finish(&newer).await;
    assert!(world.newest().values().all(|tag| tag == "v3"), "{:?}", world.newest());
    assert_eq!(world.rollouts().len(), 5 + 5);
}
