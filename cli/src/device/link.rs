//! The device's two calls, over HTTP.

use std::future::Future;
use std::time::Duration;

use reqwest::header::IF_NONE_MATCH;
use reqwest::{Method, StatusCode};

use super::report::{StateReport, Taken};
use super::target::TargetState;
use crate::api::{Api, ApiError, Call, Caller};

/// What a poll answers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Polled {
    /// Nothing changed since the `ETag` that was sent.
    Unchanged {
        /// When to poll next.
        after: Duration,
    },
    /// The target.
    Target {
        /// What to run.
        target: TargetState,
        /// Sent back with the next poll.
        etag: Option<String>,
        /// When to poll next.
        after: Duration,
    },
}

/// What a report answers.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Reported {
    /// What became of the reports.
    pub(crate) taken: Taken,
    /// Sent back with the next poll, beside the target's.
    pub(crate) etag: Option<String>,
}

/// Why a call came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LinkError {
    /// It may work later; the server may say when.
    Later {
        /// When.
        after: Option<Duration>,
        /// Why, in words.
        why: String,
    },
    /// The server knows the device no more: what runs is kept, nothing more is asked.
    Deleted,
    /// The server refuses this very call.
    Refused(String),
}

/// The way to the server.
pub(crate) trait Link: Send {
    /// Asks for the target, with the `ETag`s that the device knows.
    fn poll(&mut self, known: &[String]) -> impl Future<Output = Result<Polled, LinkError>> + Send;

    /// Tells what runs and what was done.
    fn report(&mut self, body: &StateReport) -> impl Future<Output = Result<Reported, LinkError>> + Send;
}

/// Where the answer does not say when to poll next.
const POLL_AFTER: Duration = Duration::from_mins(5);

/// The link over HTTP.
pub(crate) struct HttpLink {
    api: Api,
    path: String,
    token: String,
    /// All devices of this program share so many calls at once.
    turns: std::sync::Arc<tokio::sync::Semaphore>,
}

impl HttpLink {
    /// The link of a device.
    pub(crate) fn new(api: Api, uuid: &str, token: &str, turns: std::sync::Arc<tokio::sync::Semaphore>) -> Self {
        Self { api, path: format!("/api/v1/device/{uuid}/state"), token: token.to_owned(), turns }
    }

    async fn once(&self, call: Call<'_>) -> Result<crate::api::Answer, LinkError> {
        // The semaphore is never closed; without a turn the call is made all the same.
        let _turn = self.turns.acquire().await;
        self.api.once(&call).await.map_err(|error| match error.status() {
            Some(410) => LinkError::Deleted,
            _ if error.may_pass() => LinkError::Later { after: error.wait(), why: error.to_string() },
            // A token may be restored, a device be told of late: asked again, seldom.
            Some(401 | 403 | 404) => LinkError::Later { after: Some(Duration::from_mins(1)), why: error.to_string() },
            _ => LinkError::Refused(error.to_string()),
        })
    }
}

impl Link for HttpLink {
    async fn poll(&mut self, known: &[String]) -> Result<Polled, LinkError> {
        let mut call = Call::new(Method::GET, &*self.path, Caller::Device(&self.token));
        if !known.is_empty() {
            call = call.header(IF_NONE_MATCH, &known.join(", "));
        }
        let answer = self.once(call).await?;
        let after = answer.header("tidegate-poll-after").and_then(|seconds| seconds.parse().ok());
        let after = after.map_or(POLL_AFTER, Duration::from_secs);
        if answer.status == StatusCode::NOT_MODIFIED {
            return Ok(Polled::Unchanged { after });
        }
        let target = answer.read().map_err(unreadable)?;
        Ok(Polled::Target { target, etag: answer.header("etag").map(str::to_owned), after })
    }

    async fn report(&mut self, body: &StateReport) -> Result<Reported, LinkError> {
        let call = Call::new(Method::PATCH, &*self.path, Caller::Device(&self.token)).json(body);
        let answer = self.once(call).await?;
        Ok(Reported { taken: answer.read().map_err(unreadable)?, etag: answer.header("etag").map(str::to_owned) })
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn unreadable(error: ApiError) -> LinkError {
    LinkError::Later { after: None, why: error.to_string() }
}
