//! Pulls as an engine does, by HTTP.

use reqwest::header::RANGE;
use reqwest::{Client, Response};
use tidegate_agent::fault::{Fault, Reason};
use tidegate_agent::registry::Relay;
use tidegate_domain::image::Digest;
use tidegate_domain::registry::content_digest;

/// The address of something of the relay's image.
pub(crate) fn address(relay: &Relay, kind: &str, reference: &str) -> String {
    let (host, path) = relay.name().split_once('/').expect("a host and a path");
    format!("http://{host}/v2/{path}/{kind}/{reference}")
}

/// Asks for a blob, from a byte on.
pub(crate) async fn ask(relay: &Relay, digest: &Digest, from: u64) -> reqwest::Result<Response> {
    let request = Client::new().get(address(relay, "blobs", digest.as_str()));
    let request = if from > 0 { request.header(RANGE, format!("bytes={from}-")) } else { request };
    request.send().await
}

/// Fetches a blob. Breaking off is what an engine makes of it: its own words, without a reason.
pub(crate) async fn blob(relay: &Relay, digest: &Digest) -> Result<Vec<u8>, Fault> {
    let broke_off = |error: reqwest::Error| Fault::new(Reason::Refused, format!("the engine says: {error}"));
    let response = ask(relay, digest, 0).await.map_err(broke_off)?;
    assert_eq!(response.status(), 200);
    let bytes = response.bytes().await.map_err(broke_off)?.to_vec();
    assert!(content_digest(Some(digest.as_str()), &bytes).is_ok(), "the relay passed on the whole of a wrong blob");
    Ok(bytes)
}
