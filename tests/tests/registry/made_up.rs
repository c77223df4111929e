//! A registry that answers as each tag says.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sha2::{Digest as _, Sha256};
use tidegate_domain::image::Digest;
use tokio::net::TcpListener;

const MANIFEST: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json"}"#;
const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const DIGEST_HEADER: &str = "docker-content-digest";
/// `ci:pass`, as Basic has it.
const LOGIN: &str = "Basic Y2k6cGFzcw==";

/// The digest of the only manifest that it has.
pub(crate) fn digest() -> Digest {
    Digest::parse(&format!("sha256:{}", hex::encode(Sha256::digest(MANIFEST)))).expect("a digest")
}

/// The server, until the test ends.
pub(crate) struct MadeUp {
    host: String,
    asked: Arc<AtomicUsize>,
}

impl MadeUp {
    /// Host and port.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// How many requests came.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

#[derive(Clone)]
struct RolloutContext {
    host: String,
    other: String,
    asked: Arc<AtomicUsize>,
}

/// Serves on a free loopback port, and on another one that redirects lead to.
pub(crate) async fn start() -> MadeUp {
    let asked = Arc::new(AtomicUsize::new(0));
    let listen = async || TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let (here, there) = (listen().await, listen().await);
    let host = |listener: &TcpListener| listener.local_addr().expect("an address").to_string();
    let known = RolloutContext { host: host(&here), other: host(&there), asked: Arc::clone(&asked) };
    let routes = Router::new()
        .route("/v2/team/app/manifests/{tag}", get(manifest))
        .route("/token", get(token))
        .with_state(known.clone());
    let elsewhere = Router::new().fallback(|| async { found() });
    tokio::spawn(async move { axum::serve(here, routes).await });
    tokio::spawn(async move { axum::serve(there, elsewhere).await });
    MadeUp { host: known.host, asked }
}

fn found() -> Response {
    ([(CONTENT_TYPE.as_str(), MANIFEST_TYPE), (DIGEST_HEADER, digest().as_str())], MANIFEST).into_response()
}

async fn manifest(State(known): State<RolloutContext>, Path(tag): Path<String>, headers: HeaderMap) -> Response {
    known.asked.fetch_add(1, Ordering::Relaxed);
    let redirect = |to: String| (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, to)]).into_response();
    let authorization = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    match tag.as_str() {
        "token" if authorization == Some("Bearer issued") => found(),
        "token" => {
            let challenge = format!(r#"Bearer realm="http://{}/token",service="made-up""#, known.host);
            (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, challenge)]).into_response()
        }
        "moved-here" => redirect("/v2/team/app/manifests/open".into()),
        "moved-away" => redirect(format!("http://{}/v2/team/app/manifests/open", known.other)),
        "altered" => ([(DIGEST_HEADER, digest().as_str())], MANIFEST.replace('2', "3")).into_response(),
        "busy" => StatusCode::TOO_MANY_REQUESTS.into_response(),
        "down" => StatusCode::BAD_GATEWAY.into_response(),
        "page" => "<html>".into_response(),
        "huge" => "x".repeat(5 * 1024 * 1024).into_response(),
        _ => found(),
    }
}

/// Issues a token to the one login, for the one scope.
async fn token(RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let asked_right = query.as_deref() == Some("service=made-up&scope=repository%3Ateam%2Fapp%3Apull");
    if !asked_right || headers.get(AUTHORIZATION).is_none_or(|value| value != LOGIN) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    r#"{"token": "issued"}"#.into_response()
}
