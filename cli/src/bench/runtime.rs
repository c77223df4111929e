//! Lambda's Runtime API, as far as a function needs it
//! (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>): an event at a time, and its answer.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::routing::{get, post};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};
use tokio::task::AbortHandle;

/// What a function did.
enum Did {
    Asked,
    Answered(Bytes),
    Failed(String),
}

/// The API of one function.
pub(super) struct Runtime {
    /// `host:port`, as `AWS_LAMBDA_RUNTIME_API` has it.
    pub(super) address: String,
    events: mpsc::Sender<Bytes>,
    did: Mutex<mpsc::Receiver<Did>>,
    server: AbortHandle,
}

#[derive(Clone)]
struct Sides {
    events: Arc<Mutex<mpsc::Receiver<Bytes>>>,
    did: mpsc::Sender<Did>,
}

impl Runtime {
    pub(super) async fn start() -> Result<Self> {
        let (events, waiting) = mpsc::channel(1);
        let (tell, did) = mpsc::channel(4);
        let sides = Sides { events: Arc::new(Mutex::new(waiting)), did: tell };
        let routes = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .route("/2018-06-01/runtime/init/error", post(error))
            .with_state(sides);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let server = tokio::spawn(async move { axum::serve(listener, routes).await }).abort_handle();
        Ok(Self { address, events, did: Mutex::new(did), server })
    }

    /// Waits until the function asks for its next event.
    pub(super) async fn asked(&self) -> Result<()> {
        match self.did.lock().await.recv().await.context("the function is gone")? {
            Did::Asked => Ok(()),
            Did::Answered(body) => bail!("an answer that nobody waits for: {}", String::from_utf8_lossy(&body)),
            Did::Failed(why) => bail!("the function failed: {why}"),
        }
    }

    /// Gives an event to a function that has asked for one; returns when it asks for the next.
    pub(super) async fn invoke(&self, event: &Bytes) -> Result<Value> {
        self.events.send(event.clone()).await?;
        let answer = match self.did.lock().await.recv().await.context("the function is gone")? {
            Did::Answered(body) => serde_json::from_slice(&body)?,
            Did::Asked => bail!("the function asked without an answer"),
            Did::Failed(why) => bail!("the function failed: {why}"),
        };
        self.asked().await?;
        Ok(answer)
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn next(State(sides): State<Sides>) -> (HeaderMap, Bytes) {
    // Whoever waited is gone: the bench ends.
    let _ = sides.did.send(Did::Asked).await;
    let event = sides.events.lock().await.recv().await.unwrap_or_default();
    let headers = [
        ("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd"),
        ("lambda-runtime-deadline-ms", "4000000000000"),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:123456789012:function:bench"),
        ("lambda-runtime-trace-id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0"),
        ("content-type", "application/json"),
    ];
    let headers = headers.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
    (headers.into_iter().collect(), event)
}

async fn response(State(sides): State<Sides>, Path(_): Path<String>, body: Bytes) -> StatusCode {
    let _ = sides.did.send(Did::Answered(body)).await;
    StatusCode::ACCEPTED
}

async fn error(State(sides): State<Sides>, body: String) -> StatusCode {
    let _ = sides.did.send(Did::Failed(body)).await;
    StatusCode::ACCEPTED
}
