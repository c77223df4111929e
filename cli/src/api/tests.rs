//! The client against the real routes.

use serde_json::json;

use crate::api::{Policy, Rollout};
use crate::fleet::{Kind, enrol};
use crate::routes_in_memory::host;

#[tokio::test]
async fn lists_are_read_to_their_end() {
    let api = host().await;
    for number in 0..7 {
        let policy = json!({ "name": format!("p{number}"), "image_pattern": "docker.io/x/a:*" });
        api.post("/api/v1/image-policies", &policy).await.expect("stored");
    }
    let most: Vec<Policy> = api.list("/api/v1/image-policies", &[], Some(3)).await.expect("listed");
    assert_eq!(most.iter().map(|policy| policy.name.as_str()).collect::<Vec<_>>(), ["p0", "p1", "p2"]);
    let pages: Vec<Policy> = api.list_by("/api/v1/image-policies", &[], None, 2).await.expect("listed");
    assert_eq!(pages.len(), 7);
    let none: Vec<Rollout> =
        api.list("/api/v1/rollouts", &[("image", Some("docker.io/x/a".to_owned()))], None).await.expect("listed");
    assert!(none.is_empty());
}

#[tokio::test]
async fn refusals_are_told_in_the_servers_words() {
    let api = host().await;
    let error = api.rollout("nothing").await.expect_err("there is none");
    assert_eq!(error.status(), Some(404));
    let bad = json!({ "name": "x", "image_pattern": "docker.io/x/a:*", "max_failure_rate": 7 });
    let error = api.post("/api/v1/image-policies", &bad).await.expect_err("a mistake").to_string();
    assert!(error.contains("/max_failure_rate: "), "{error}");
}

#[tokio::test]
async fn devices_are_enrolled_with_a_token_each() {
    let api = host().await;
    let image = serde_json::from_value(json!({ "image": "docker.io/x/a:v1" })).expect("an image");
    let kind = Kind {
        fleet: "f".to_owned(),
        service: "app".to_owned(),
        image,
        tags: [("k".to_owned(), "v".to_owned())].into(),
    };
    let devices = enrol(&api, &kind, 3..8, 2, || {}).await.expect("enrolled");
    assert_eq!(devices.iter().map(|device| device.number).collect::<Vec<_>>(), [3, 4, 5, 6, 7]);
    let known: Vec<crate::api::Device> =
        api.list("/api/v1/devices", &[("tag", Some("k:v".to_owned()))], None).await.expect("listed");
    assert_eq!((known.len(), known[0].fleet_id.as_str()), (5, "f"));
}
