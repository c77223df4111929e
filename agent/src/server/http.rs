//! The link to the server over HTTP.

mod answer;
mod call;
#[cfg(test)]
mod tests;

use std::time::Duration;

use reqwest::{Method, StatusCode};
use uuid::Uuid;

use crate::server::link::{Link, LinkError, POLL_AFTER, Polled, Reported};
use crate::server::report::StateReport;
use crate::server::secret::Secret;

pub use answer::Answer;
pub use call::{Call, CallError, Client, is_local};

/// When to ask again where the server does not know the device: it may be told of it late.
const UNKNOWN_AFTER: Duration = Duration::from_mins(1);

#[derive(Debug, Clone)]
pub struct HttpLink {
    client: Client,
    address: String,
    token: Secret,
}

impl HttpLink {
    /// The link of a device; `base` is the server's address, or the cheaper one for polls.
    pub fn new(client: Client, base: &str, uuid: Uuid, token: Secret) -> Self {
        Self { client, address: format!("{base}/api/v1/device/{uuid}/state"), token }
    }

    /// Goes on with another token: the device enrolled again.
    pub fn set_token(&mut self, token: Secret) {
        self.token = token;
    }

    async fn call(&self, call: Call<'_>) -> Result<Answer, LinkError> {
        self.client.call(call.token(&self.token)).await.map_err(|error| link_error(&error))
    }
}

/// What an error of a call means for the agent.
fn link_error(error: &CallError) -> LinkError {
    match error.status() {
        Some(StatusCode::GONE) => LinkError::Deleted,
        Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => LinkError::Denied(error.to_string()),
        Some(StatusCode::NOT_FOUND) => LinkError::Later { after: Some(UNKNOWN_AFTER), why: error.to_string() },
        Some(StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY) => {
            LinkError::Refused(error.to_string())
        }
        // Whatever else stands between the device and the server: a proxy's page, a redirect, a gateway's error.
        Some(_) | None => LinkError::Later { after: error.wait(), why: error.to_string() },
    }
}

impl Link for HttpLink {
    async fn poll(&mut self, known: &[String]) -> Result<Polled, LinkError> {
        let mut call = Call::new(Method::GET, &self.address);
        if !known.is_empty() {
            call = call.if_none_match(&known.join(", "));
        }
        let answer = self.call(call).await?;
        let after = answer.header("tidegate-poll-after").and_then(|seconds| seconds.parse().ok());
        let after = after.map_or(POLL_AFTER, Duration::from_secs);
        if answer.status == StatusCode::NOT_MODIFIED {
            return Ok(Polled::Unchanged { after });
        }
        let etag = answer.header("etag").map(str::to_owned);
        Ok(Polled::Target { target: answer.read().map_err(|error| link_error(&error))?, etag, after })
    }

    async fn report(&mut self, body: &StateReport) -> Result<Reported, LinkError> {
        let answer = self.call(Call::new(Method::PATCH, &self.address).json(body)).await?;
        Ok(Reported {
            etag: answer.header("etag").map(str::to_owned),
            taken: answer.read().map_err(|error| link_error(&error))?,
        })
    }
}
