//! A simulated device's two calls, over HTTP: some of a whole fleet's at a time.

use std::time::Duration;

use reqwest::header::IF_NONE_MATCH;
use reqwest::{Method, StatusCode};

use tidegate_agent::server::link::{Link, LinkError, POLL_AFTER, Polled, Reported};
use tidegate_agent::server::report::StateReport;

use crate::api::{Api, ApiError, Call, Caller};

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
