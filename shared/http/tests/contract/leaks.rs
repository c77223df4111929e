//! Nothing secret in what is logged.

use std::cell::RefCell;
use std::io::Write;
use std::sync::OnceLock;

use axum::http::Method;
use serde_json::json;

use crate::world::{DIGEST_2, OPERATOR, PROVISIONING, WEBHOOK, World};

thread_local! {
    /// What was logged by this test: each runs on a thread of its own.
    static LINES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct Lines;

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LINES.with_borrow_mut(|lines| lines.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Keeps everything that is logged from now on. One subscriber for the whole process: `tracing` remembers of every place
/// whether anybody listens, and with one for each test some would be remembered wrongly.
pub(crate) fn listen() {
    static LISTENING: OnceLock<()> = OnceLock::new();
    LISTENING.get_or_init(|| {
        let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false);
        subscriber.with_writer(|| Lines).init();
    });
}

#[tokio::test]
async fn one_line_for_each_request_and_no_secret_in_it() {
    let world = World::new();
    world.policy("a", "north").await;
    let (device, token) = world.enrol("north").await;
    world.push("e1", "v2", DIGEST_2).await.is(202);
    world.call(Method::GET, &format!("/api/v1/device/{device}/state"), &token, None).await.is(200);
    let path = format!("/api/v1/webhooks/docker-registry/{WEBHOOK}");
    world.call(Method::POST, &path, "", Some(json!({"x": "body-text"}))).await.is(202);
    world.call(Method::POST, &format!("{path}wrong"), "", Some(json!({}))).await.is(401);
    let mistaken = json!({"fleet_id": "north", "uuid": device, "current_token": "guessed-token"});
    world.call(Method::POST, "/api/v1/devices", PROVISIONING, Some(mistaken)).await.is(409);
    let text = LINES.with_borrow(|lines| String::from_utf8(lines.clone()).unwrap());
    for secret in [OPERATOR, PROVISIONING, WEBHOOK, &token, "guessed-token", "body-text"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    let requests = text.lines().filter(|line| line.contains("duration_ms=")).count();
    assert_eq!(requests, 7, "{text}");
    assert!(text.contains(r#"route="/api/v1/webhooks/{source}/{token}""#), "{text}");
    assert!(text.contains(r#"caller="device""#), "{text}");
}
