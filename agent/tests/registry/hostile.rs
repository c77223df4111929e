//! Registries that mean no good, or are broken: each ends in its reason, in bounded time.

use std::time::{Duration, Instant};

use serde_json::json;
use tidegate_agent::fault::Reason;
use tidegate_domain::registry::ACCEPTED;

use crate::made_up::{Answer, Asked, MadeUp, Then};
use crate::push;
use crate::setup::{Folder, anonymous, pinned, platform, tagged, with_logins};

/// Longer than any of our time-outs; a test that needs it has failed.
const BOUND: Duration = Duration::from_secs(8);

type Make = fn(&Asked, &str, usize) -> Answer;

fn index_of(digest: &str) -> String {
    let platform = json!({"os": "linux", "architecture": "amd64"});
    json!({"mediaType": ACCEPTED[0], "manifests": [{"digest": digest, "size": 9, "platform": platform}]}).to_string()
}

/// An index that names an index.
fn nested(asked: &Asked, _: &str, _: usize) -> Answer {
    let inner = index_of(push::digest_of(b"x").as_str());
    let outer = index_of(push::digest_of(inner.as_bytes()).as_str());
    Answer::new(200, if asked.line.contains("sha256:") { inner } else { outer })
}

#[tokio::test]
async fn bad_answers_end_in_their_reason() {
    let cases: [(&str, Make, Reason, &str); 17] = [
        ("a flood", |_, _, _| Answer::new(200, "{").then(Then::Flood), Reason::RegistryUnavailable, "4 MiB"),
        ("a flood of refusal", |_, _, _| Answer::new(401, "").then(Then::Flood), Reason::RegistryUnavailable, "4 MiB"),
        ("a slow loris", |_, _, _| Answer::new(200, "{").then(Then::Drip), Reason::RegistryUnavailable, "2 s"),
        (
            "silence in the middle",
            |_, _, _| Answer::new(200, "{").then(Then::Silence),
            Reason::RegistryUnavailable,
            "2 s",
        ),
        ("a cut", |_, _, _| Answer::new(200, "{").promising(100), Reason::RegistryUnavailable, "broke off"),
        (
            "a page",
            |_, _, _| Answer::new(200, "<html>").header("content-type", "text/html"),
            Reason::CorruptImage,
            "cannot be read",
        ),
        (
            "a lie about the digest",
            |_, _, _| Answer::new(200, "{}").header("docker-content-digest", push::digest_of(b"x").as_str()),
            Reason::CorruptImage,
            "digest",
        ),
        (
            "a chart",
            |_, _, _| Answer::new(200, "{}").header("content-type", "application/x-chart"),
            Reason::ImageNotFound,
            "application/x-chart",
        ),
        ("an index of an index", nested, Reason::WrongPlatform, "another index"),
        (
            "busy",
            |_, _, _| Answer::new(429, "").header("retry-after", "77"),
            Reason::RegistryUnavailable,
            "try again in 77 s",
        ),
        (
            "down",
            |_, _, _| Answer::new(503, "").header("retry-after", "Fri, 31 Dec 1999 23:59:59 GMT"),
            Reason::RegistryUnavailable,
            "31 Dec 1999",
        ),
        ("forbidden", |_, _, _| Answer::new(403, ""), Reason::RegistryDenied, "403"),
        (
            "a loop",
            |_, _, _| Answer::new(302, "").header("location", "/v2/app/manifests/v1"),
            Reason::RegistryUnavailable,
            "without end",
        ),
        (
            "to nowhere",
            |_, _, _| Answer::new(302, "").header("location", "http://"),
            Reason::RegistryUnavailable,
            "no valid address",
        ),
        (
            "to a file",
            |_, _, _| Answer::new(302, "").header("location", "file:///etc/passwd"),
            Reason::RegistryUnavailable,
            "without TLS",
        ),
        (
            "a config without end",
            |asked, _, _| {
                let manifest = push::manifest(b"{}", b"layer").to_string();
                if asked.line.contains("/blobs/") {
                    Answer::new(200, "{").then(Then::Flood)
                } else {
                    Answer::new(200, manifest)
                }
            },
            Reason::RegistryUnavailable,
            "4 MiB",
        ),
        (
            "another config",
            |asked, _, _| {
                let manifest = push::manifest(b"{}", b"layer").to_string();
                if asked.line.contains("/blobs/") { Answer::new(200, "[]") } else { Answer::new(200, manifest) }
            },
            Reason::CorruptImage,
            "configuration",
        ),
    ];
    for (label, answer, reason, says) in cases {
        let registry = MadeUp::start(answer).await;
        let began = Instant::now();
        let image = tagged(registry.host(), "app:v1");
        let fault = anonymous().look(&image, &platform("linux/amd64")).await.expect_err(label);
        assert_eq!(fault.reason, reason, "{label}: {fault}");
        assert!(fault.why.contains(says), "{label}: {fault}");
        assert!(began.elapsed() < BOUND, "{label} took {:?}", began.elapsed());
    }
}

#[tokio::test]
async fn other_content_than_was_asked_for_is_corrupt() {
    let registry = MadeUp::start(|_, _, _| Answer::new(200, push::manifest(b"{}", b"other").to_string())).await;
    let image = pinned(registry.host(), "app:v1", &push::digest_of(b"what was asked for"));
    let fault = anonymous().look(&image, &platform("linux/amd64")).await.expect_err("other content");
    assert_eq!(fault.reason, Reason::CorruptImage, "{fault}");
}

#[tokio::test]
async fn a_manifest_is_not_taken_from_another_host_nor_a_login_shown_there() {
    let elsewhere = MadeUp::start(|_, _, _| Answer::new(401, "").header("www-authenticate", "Basic")).await;
    let to = format!("http://{}/v2/app/manifests/v1", elsewhere.host());
    let registry = MadeUp::start(move |asked, _, _| match asked.authorization {
        Some(_) => Answer::new(307, "").header("location", &to),
        None => Answer::new(401, "").header("www-authenticate", "Basic"),
    })
    .await;
    let folder = Folder::new();
    let login = json!({"username": "u", "password": "p"});
    let auths = json!({registry.host(): login, elsewhere.host(): login});
    let client = with_logins(&folder, &json!({"auths": auths}));
    let fault = client.look(&tagged(registry.host(), "app:v1"), &platform("linux/amd64")).await.expect_err("refused");
    assert_eq!(fault.reason, Reason::RegistryUnavailable, "{fault}");
    assert!(fault.why.contains("another host"), "{fault}");
    assert!(elsewhere.asked().is_empty());
}

#[tokio::test]
async fn a_registry_that_is_gone_is_unavailable() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let host = listener.local_addr().expect("an address").to_string();
    drop(listener);
    let fault = anonymous().look(&tagged(&host, "app:v1"), &platform("linux/amd64")).await.expect_err("nobody there");
    assert_eq!(fault.reason, Reason::RegistryUnavailable, "{fault}");
    assert!(fault.why.starts_with(&host), "{fault}");
}
