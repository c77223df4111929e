//! A small client of the HTTP contract, for everything that the command line does.
//!
//! Answers are read leniently (a newer server may say more), errors are problem+json and shown as sentences.

mod connection;
mod model;
mod problem;
#[cfg(test)]
mod tests;

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Method, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;

pub(crate) use connection::Connection;
pub(crate) use model::{Batch, Device, Event, Page, Policy, Rollout, Row, RunningService, Stage};
pub(crate) use problem::{ApiError, Problem};

/// Longest time for one request. A cold emulator starts a process for a function's first call.
const REQUEST_SECONDS: u64 = 60;
/// Tries of a call that may be repeated.
const TRIES: u32 = 6;
/// Tries where nobody listens: a person waits for the answer.
const TRIES_OF_NOBODY: u32 = 3;
/// Wait before the second try; doubled for each further one.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// Items asked for at once; the server gives at most 1,000.
const PAGE: u32 = 500;

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    /// The operator of the connection.
    Operator,
    /// The provisioning key of the connection.
    Provisioning,
    /// A registry: it proves itself by the path.
    Nobody,
}

/// One call.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    method: Method,
    path: String,
    query: Vec<(String, String)>,
    caller: Caller,
    headers: HeaderMap,
    body: Option<(String, Vec<u8>)>,
}

impl Call {
    /// A call of a path of the contract, such as `/api/v1/rollouts`.
    pub(crate) fn new(method: Method, path: impl Into<String>, caller: Caller) -> Self {
        Self { method, path: path.into(), query: Vec::new(), caller, headers: HeaderMap::new(), body: None }
    }

    /// With a query parameter, where there is a value.
    #[must_use]
    pub(crate) fn query(mut self, name: &str, value: Option<impl ToString>) -> Self {
        if let Some(value) = value {
            self.query.push((name.to_owned(), value.to_string()));
        }
        self
    }

    /// With a header. A value that cannot stand in a header is left out.
    #[must_use]
    pub(crate) fn header(mut self, name: reqwest::header::HeaderName, value: &str) -> Self {
        if let Ok(value) = value.parse() {
            self.headers.append(name, value);
        }
        self
    }

    /// With a JSON body.
    #[must_use]
    pub(crate) fn json(self, body: &impl serde::Serialize) -> Self {
        let bytes = serde_json::to_vec(body).unwrap_or_default();
        self.body("application/json", bytes)
    }

    /// With a body of this type.
    #[must_use]
    pub(crate) fn body(mut self, content_type: &str, bytes: Vec<u8>) -> Self {
        self.body = Some((content_type.to_owned(), bytes));
        self
    }
}

/// What was answered.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The body as JSON of this shape.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        serde_json::from_slice(&self.body).map_err(ApiError::Unreadable)
    }
}

/// The client. Copies share their connections.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    http: reqwest::Client,
    connection: Connection,
}

impl Api {
    /// A client of this stack.
    pub(crate) fn new(connection: Connection) -> Result<Self, ApiError> {
        // Set by `main`; a test that begins here sets it itself.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder().timeout(Duration::from_secs(REQUEST_SECONDS));
        if connection.is_local() {
            // A proxy of the user's environment knows nothing of this machine's loopback address.
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(ApiError::Unreachable)?;
        Ok(Self { http, connection })
    }

    /// Where it speaks to, and with which secrets.
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Makes the call once.
    pub(crate) async fn once(&self, call: &Call) -> Result<Answer, ApiError> {
        let text = format!("{}{}", self.connection.url.trim_end_matches('/'), call.path);
        let mut url = Url::parse(&text).map_err(|_| ApiError::Address(text))?;
        // An id that is none (`../devices`, `x?y`) would make this the path of something else.
        if !url.path().ends_with(&call.path) || url.query().is_some() || url.fragment().is_some() {
            return Err(ApiError::Path(call.path.clone()));
        }
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        let mut request = self.http.request(call.method.clone(), url).headers(call.headers.clone());
        let token = match call.caller {
            Caller::Operator => Some(self.connection.operator_token()?),
            Caller::Provisioning => Some(self.connection.provisioning_key()?),
            Caller::Nobody => None,
        };
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some((content_type, bytes)) = &call.body {
            request = request.header(CONTENT_TYPE, content_type).body(bytes.clone());
        }
        let response = request.send().await.map_err(ApiError::Unreachable)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.map_err(ApiError::Unreachable)?.to_vec();
        if status.is_success() {
            return Ok(Answer { body });
        }
        let wait =
            headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok()).map(Duration::from_secs);
        Err(ApiError::Refused(Box::new(Problem::read(status.as_u16(), wait, &body))))
    }

    /// Makes a call that does no harm when it is made twice, and repeats it while the server cannot be reached or
    /// asks to wait.
    pub(crate) async fn call(&self, call: &Call) -> Result<Answer, ApiError> {
        let mut wait = FIRST_WAIT;
        for tried in 1..TRIES {
            match self.once(call).await {
                Err(error) if error.is_nobody() && tried >= TRIES_OF_NOBODY => return Err(error),
                Err(error) if error.may_pass() => {
                    tokio::time::sleep(error.wait().unwrap_or(wait)).await;
                    wait *= 2;
                }
                done => return done,
            }
        }
        self.once(call).await
    }

    /// Reads something as the operator.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: impl Into<String>) -> Result<T, ApiError> {
        self.call(&Call::new(Method::GET, path, Caller::Operator)).await?.read()
    }

    /// Sends a body as the operator.
    pub(crate) async fn post(&self, path: impl Into<String>, body: &Value) -> Result<Value, ApiError> {
        let answer = self.call(&Call::new(Method::POST, path, Caller::Operator).json(body)).await?;
        if answer.body.is_empty() { Ok(Value::Null) } else { answer.read() }
    }

    /// Every item of a list, page by page; at most `most`, where that is given.
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        filters: &[(&str, Option<String>)],
        most: Option<usize>,
    ) -> Result<Vec<T>, ApiError> {
        self.list_by(path, filters, most, PAGE).await
    }

    /// The same, in pages of this size.
    async fn list_by<T: DeserializeOwned>(
        &self,
        path: &str,
        filters: &[(&str, Option<String>)],
        most: Option<usize>,
        page: u32,
    ) -> Result<Vec<T>, ApiError> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut call = Call::new(Method::GET, path, Caller::Operator).query("limit", Some(page));
            for (name, value) in filters {
                call = call.query(name, value.as_ref());
            }
            let page: Page<T> = self.call(&call.query("cursor", cursor.as_ref())).await?.read()?;
            items.extend(page.items);
            if most.is_some_and(|most| items.len() >= most) {
                items.truncate(most.unwrap_or(items.len()));
                return Ok(items);
            }
            match page.next_cursor {
                Some(next) => cursor = Some(next),
                None => return Ok(items),
            }
        }
    }

    /// A rollout.
    pub(crate) async fn rollout(&self, rollout_id: &str) -> Result<Rollout, ApiError> {
        self.get(format!("/api/v1/rollouts/{rollout_id}")).await
    }

    /// All rows of a rollout.
    pub(crate) async fn rows(&self, rollout_id: &str) -> Result<Vec<Row>, ApiError> {
        self.list(&format!("/api/v1/rollouts/{rollout_id}/devices"), &[], None).await
    }

    /// All events of a rollout.
    pub(crate) async fn events(&self, rollout_id: &str) -> Result<Vec<Event>, ApiError> {
        self.list(&format!("/api/v1/rollouts/{rollout_id}/events"), &[], None).await
    }

    /// Gives a rollout a command, such as `pause`.
    pub(crate) async fn command(&self, rollout_id: &str, command: &str, body: &Value) -> Result<Value, ApiError> {
        self.post(format!("/api/v1/rollouts/{rollout_id}/{command}"), body).await
    }
}
