//! As much of the distribution API as an engine needs to pull one image
//! (<https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pull>).

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderName, RANGE};
use hyper::http::response::Builder;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tidegate_domain::registry::DIGEST_HEADER;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::reader;
use crate::registry::download::{self, Shared};
use crate::registry::resolved_image::{Document, ResolvedImage};
use crate::registry::source::Source;
use crate::registry::spool::Blob;

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// By it engines tell that this is a registry.
const VERSION: (&str, &str) = ("docker-distribution-api-version", "registry/2.0");
/// After an accept that failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
const OCTETS: &str = "application/octet-stream";

/// All that is served.
#[derive(Debug)]
pub(super) struct Served {
    name: String,
    documents: BTreeMap<String, Document>,
    small: BTreeMap<String, Bytes>,
    blobs: BTreeMap<String, Arc<Blob>>,
}

impl Served {
    pub(super) fn new(name: String, looked: &ResolvedImage, blobs: &[Arc<Blob>]) -> Self {
        let documents = looked.documents.iter().map(|document| (document.digest.to_string(), document.clone()));
        let small = looked.config_bytes.iter().map(|bytes| (looked.config.digest.to_string(), bytes.clone()));
        let blobs = blobs.iter().map(|blob| (blob.digest.to_string(), Arc::clone(blob)));
        Self { name, documents: documents.collect(), small: small.collect(), blobs: blobs.collect() }
    }
}

/// Serves until it is dropped, and with it every connection and every download.
pub(super) async fn run(listener: TcpListener, served: Arc<Served>, source: Arc<Source>, shared: Arc<Shared>) {
    let mut tasks: JoinSet<()> = JoinSet::new();
    let (wanted, mut wants) = mpsc::unbounded_channel();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else {
                    // A connection that is gone already, or no file handles left for now.
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                };
                let (served, wanted) = (Arc::clone(&served), wanted.clone());
                tasks.spawn(async move {
                    let service = service_fn(move |request| {
                        let response = answer(&served, &request, &wanted);
                        async move { Ok::<_, Infallible>(response) }
                    });
                    let connection = http1::Builder::new()
                        .timer(TokioTimer::new())
                        .serve_connection(TokioIo::new(stream), service);
                    // One that breaks off is the engine's to tell of.
                    if let Err(error) = connection.await {
                        tracing::debug!("a connection to the relay ended: {error}");
                    }
                });
            }
            Some(blob) = wants.recv() => {
                tasks.spawn(download::run(blob, Arc::clone(&source), Arc::clone(&shared)));
            }
            Some(_) = tasks.join_next() => {}
        }
    }
}

fn answer(served: &Served, request: &Request<Incoming>, wanted: &mpsc::UnboundedSender<Arc<Blob>>) -> Response<Body> {
    let with_body = match *request.method() {
        Method::GET => true,
        Method::HEAD => false,
        _ => return refusal(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED"),
    };
    let path = request.uri().path();
    if matches!(path, "/v2" | "/v2/") {
        return built(response(StatusCode::OK, "application/json", 2), full(with_body, Bytes::from_static(b"{}")));
    }
    let Some((kind, reference)) = path
        .strip_prefix("/v2/")
        .and_then(|rest| rest.strip_prefix(served.name.as_str()))
        .and_then(|rest| rest.strip_prefix('/'))
        .and_then(|rest| rest.split_once('/'))
    else {
        return refusal(StatusCode::NOT_FOUND, "NAME_UNKNOWN");
    };
    match kind {
        "manifests" => match served.documents.get(reference) {
            Some(document) => {
                let size = document.bytes.len() as u64;
                let head = response(StatusCode::OK, &document.media_type, size).header(DIGEST_HEADER, reference);
                built(head, full(with_body, document.bytes.clone()))
            }
            None => refusal(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN"),
        },
        "blobs" => match (served.small.get(reference), served.blobs.get(reference)) {
            (Some(bytes), _) => {
                let head = response(StatusCode::OK, OCTETS, bytes.len() as u64).header(DIGEST_HEADER, reference);
                built(head, full(with_body, bytes.clone()))
            }
            (None, Some(blob)) => serve_blob(blob, request.headers(), with_body, wanted),
            (None, None) => refusal(StatusCode::NOT_FOUND, "BLOB_UNKNOWN"),
        },
        _ => refusal(StatusCode::NOT_FOUND, "NAME_UNKNOWN"),
    }
}

fn serve_blob(
    blob: &Arc<Blob>,
    headers: &HeaderMap,
    with_body: bool,
    wanted: &mpsc::UnboundedSender<Arc<Blob>>,
) -> Response<Body> {
    let size = blob.size;
    let (status, from, to) = match headers.get(RANGE).and_then(|value| value.to_str().ok()).and_then(range) {
        Some((from, last)) if from < size => {
            (StatusCode::PARTIAL_CONTENT, from, last.map_or(size, |last| last.saturating_add(1).min(size)))
        }
        Some(_) => {
            let mut refused = refusal(StatusCode::RANGE_NOT_SATISFIABLE, "RANGE_INVALID");
            set(&mut refused, CONTENT_RANGE, &format!("bytes */{size}"));
            return refused;
        }
        None => (StatusCode::OK, 0, size),
    };
    let head =
        response(status, OCTETS, to - from).header(DIGEST_HEADER, blob.digest.as_str()).header(ACCEPT_RANGES, "bytes");
    if !with_body {
        return built(head, full(false, Bytes::new()));
    }
    // Who asks again wants it to be tried again.
    blob.forgive();
    let body = StreamBody::new(reader::stream(Arc::clone(blob), from, to, wanted.clone())).boxed_unsync();
    let mut response = built(head, body);
    if status == StatusCode::PARTIAL_CONTENT {
        set(&mut response, CONTENT_RANGE, &format!("bytes {from}-{}/{size}", to - 1));
    }
    response
}

/// The one range that a request asks for, with its last byte where it names one. Of several, or of one that counts
/// from the end, a server may send everything.
fn range(header: &str) -> Option<(u64, Option<u64>)> {
    let (from, last) = header.strip_prefix("bytes=")?.split_once('-')?;
    let from = from.trim().parse().ok()?;
    match last.trim() {
        "" => Some((from, None)),
        last => last.parse().ok().filter(|last| *last >= from).map(|last| (from, Some(last))),
    }
}

fn response(status: StatusCode, content_type: &str, bytes: u64) -> Builder {
    Response::builder()
        .status(status)
        .header(VERSION.0, VERSION.1)
        .header(CONTENT_TYPE, content_type)
        .header(CONTENT_LENGTH, bytes)
}

fn refusal(status: StatusCode, code: &str) -> Response<Body> {
    let body = format!(r#"{{"errors":[{{"code":"{code}","message":"not of the image that this relay is for"}}]}}"#);
    built(response(status, "application/json", body.len() as u64), full(true, Bytes::from(body)))
}

fn full(with_body: bool, bytes: Bytes) -> Body {
    Full::new(if with_body { bytes } else { Bytes::new() }).map_err(|never| match never {}).boxed_unsync()
}

/// A media type that is no header, a registry's own word, is the only thing that can go wrong.
fn built(head: Builder, body: Body) -> Response<Body> {
    head.body(body).unwrap_or_else(|_| {
        let mut empty = Response::new(full(false, Bytes::new()));
        *empty.status_mut() = StatusCode::BAD_GATEWAY;
        empty
    })
}

fn set(response: &mut Response<Body>, name: HeaderName, value: &str) {
    if let Ok(value) = value.parse() {
        response.headers_mut().insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read() {
        for (header, expected) in [
            ("bytes=0-", Some((0, None))),
            ("bytes=100-", Some((100, None))),
            ("bytes=5-9", Some((5, Some(9)))),
            ("bytes=9-5", None),
            ("bytes=-5", None),
            ("bytes=0-1,5-6", None),
            ("items=0-", None),
        ] {
            assert_eq!(range(header), expected, "{header}");
        }
    }
}
