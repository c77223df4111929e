//! Who may deliver, over the real routes.

use axum::http::Method;
use serde_json::json;

use super::{PATH, Sent, distribution, signature};
use crate::world::{NEXT_WEBHOOK, OPERATOR, PROVISIONING, WEBHOOK, World};

fn push() -> Sent {
    distribution::sent(&json!([distribution::push("e1", "1.5.0", '6')]))
}

#[tokio::test]
async fn every_proof_must_be_right_and_one_must_be_there() {
    let bearer = |secret: &str| format!("Bearer {secret}");
    let by_path = |secret: &str| format!("{PATH}/{secret}");
    let plain = || PATH.to_owned();
    let authorized = |value: &str| push().with("authorization", value);
    let cases = [
        ("none", push(), plain(), 401),
        ("bearer", authorized(&bearer(WEBHOOK)), plain(), 202),
        ("the next secret", authorized(&bearer(NEXT_WEBHOOK)), plain(), 202),
        ("the whole value", authorized(WEBHOOK), plain(), 202),
        ("wrong bearer", authorized(&bearer("wrong")), plain(), 401),
        ("another scheme", authorized(&format!("Basic {WEBHOOK}")), plain(), 401),
        ("empty", authorized(""), plain(), 401),
        ("empty bearer", authorized("Bearer "), plain(), 401),
        ("both secrets in one value", authorized(&format!("{WEBHOOK},{NEXT_WEBHOOK}")), plain(), 401),
        ("operator's", authorized(&bearer(OPERATOR)), plain(), 401),
        ("provisioning key", authorized(&bearer(PROVISIONING)), plain(), 401),
        ("path", push(), by_path(WEBHOOK), 202),
        ("path, next secret", push(), by_path(NEXT_WEBHOOK), 202),
        ("path, percent-encoded", push(), by_path(&WEBHOOK.replace('-', "%2D")), 202),
        ("path, wrong", push(), by_path("wrong"), 401),
        ("path, a part of it", push(), by_path(&WEBHOOK[..10]), 401),
        ("path and more", push(), by_path(&format!("{WEBHOOK}x")), 401),
        ("path and bearer", authorized(&bearer(WEBHOOK)), by_path(WEBHOOK), 202),
        ("each its own secret", authorized(&bearer(NEXT_WEBHOOK)), by_path(WEBHOOK), 202),
        ("right path, wrong bearer", authorized(&bearer("wrong")), by_path(WEBHOOK), 401),
        ("wrong path, right bearer", authorized(&bearer(WEBHOOK)), by_path("wrong"), 401),
        ("two bearers", authorized(&bearer(WEBHOOK)).with("authorization", bearer(NEXT_WEBHOOK)), plain(), 202),
        ("two bearers, one wrong", authorized(&bearer(WEBHOOK)).with("authorization", "Bearer x"), plain(), 401),
        ("signed", push().signed_by(WEBHOOK), plain(), 202),
        ("signed with the next", push().signed_by(NEXT_WEBHOOK), plain(), 202),
        ("signed wrongly", push().signed_by("wrong"), plain(), 401),
        ("signed twice, once wrongly", push().signed_by(WEBHOOK).signed_by("wrong"), plain(), 401),
        ("right path, wrong signature", push().signed_by("wrong"), by_path(WEBHOOK), 401),
        ("right signature, wrong path", push().signed_by(WEBHOOK), by_path("wrong"), 401),
        ("all three", authorized(&bearer(WEBHOOK)).signed_by(WEBHOOK), by_path(WEBHOOK), 202),
        ("right path, empty signature", push().with("x-hub-signature-256", ""), by_path(WEBHOOK), 401),
        (
            "a signature without its prefix",
            push().with("x-hub-signature-256", signature(WEBHOOK, &push().body)),
            plain(),
            401,
        ),
        ("another source", authorized(&bearer(WEBHOOK)), "/api/v1/webhooks/elsewhere".to_owned(), 401),
    ];
    for (label, sent, path, status) in cases {
        let answer = sent.to(&World::new(), &path).await;
        assert_eq!(answer.status.as_u16(), status, "{label}: {}", answer.text);
        assert!(!answer.text.contains(WEBHOOK) && !answer.text.contains(NEXT_WEBHOOK), "{label}");
    }
}

#[tokio::test]
async fn method_then_size_then_proof_then_content_type_then_body() {
    let world = World::new();
    let wrong = |sent: Sent| sent.with("authorization", "Bearer wrong");
    let most = 2 * 1024 * 1024;
    let padded = |length: usize| {
        let mut sent = push();
        sent.body.resize(length, b' ');
        sent
    };
    let get = world.call(Method::GET, PATH, "", None).await;
    get.is_problem(405, "");
    assert_eq!(get.header("allow"), "POST");
    wrong(padded(most + 1)).to(&world, PATH).await.is_problem(413, "");
    padded(most + 1).deliver(&world).await.is_problem(413, "");
    padded(most).deliver(&world).await.is(202);
    wrong(Sent::raw("text/plain", "{")).to(&world, PATH).await.is_problem(401, "");
    Sent::raw("text/plain", "{").deliver(&world).await.is_problem(415, "");
    Sent { fields: Vec::new(), ..push() }.deliver(&world).await.is_problem(415, "");
    Sent::raw("application/json", "{").deliver(&world).await.is_problem(400, "");
}
