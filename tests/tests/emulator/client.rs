//! The contract's API as these cases call it: raw JSON, so that what is checked is what is sent.

use std::time::{Duration, Instant};

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::Value;

use crate::stack::Stack;

/// Tries of a call: a function may be killed while it answers.
const TRIES: u32 = 8;
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    /// Headers and body, to be searched.
    pub(crate) text: String,
    pub(crate) body: Value,
}

impl Answer {
    /// The body, of an answer with this status.
    pub(crate) fn is(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.body
    }
}

/// A client of the stack, one per case.
pub(crate) struct Client {
    pub(crate) stack: &'static Stack,
    http: reqwest::Client,
}

impl Client {
    pub(crate) fn new(stack: &'static Stack) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_mins(1)).build().expect("a client");
        Self { stack, http }
    }

    /// A call with this bearer token; repeated while the stack fails to answer it.
    pub(crate) async fn call(&self, method: Method, path: &str, token: &str, body: Option<&Value>) -> Answer {
        for _ in 1..TRIES {
            match self.once(&method, path, token, body).await {
                Ok(answer) if answer.status < 500 && answer.status != 429 => return answer,
                Ok(_) | Err(_) => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
        self.once(&method, path, token, body).await.expect("an answer")
    }

    async fn once(
        &self,
        method: &Method,
        path: &str,
        token: &str,
        body: Option<&Value>,
    ) -> Result<Answer, reqwest::Error> {
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.stack.url));
        if !token.is_empty() {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (content_type, body) = (content_type.to_owned(), response.text().await?);
        let text = format!("{headers:?} {body}");
        Ok(Answer { status, content_type, text, body: serde_json::from_str(&body).unwrap_or(Value::Null) })
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.call(Method::GET, path, &self.stack.operator, None).await.is(200)
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::POST, path, &self.stack.operator, Some(body)).await
    }

    /// Every item of a list.
    pub(crate) async fn list(&self, path: &str) -> Vec<Value> {
        let (mut items, mut cursor) = (Vec::new(), String::new());
        let separator = if path.contains('?') { '&' } else { '?' };
        loop {
            let mut page = self.get(&format!("{path}{separator}limit=200{cursor}")).await;
            items.append(page["items"].as_array_mut().expect("items"));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return items,
            }
        }
    }

    pub(crate) async fn rollout(&self, id: &str) -> Value {
        self.get(&format!("/api/v1/rollouts/{id}")).await
    }

    /// The rows of a rollout.
    pub(crate) async fn rows(&self, id: &str) -> Vec<Value> {
        self.list(&format!("/api/v1/rollouts/{id}/devices")).await
    }

    /// The events of a rollout.
    pub(crate) async fn events(&self, id: &str) -> Vec<Value> {
        self.list(&format!("/api/v1/rollouts/{id}/events")).await
    }

    /// Gives a rollout a command.
    pub(crate) async fn command(&self, id: &str, command: &str, body: &Value) -> Answer {
        self.post(&format!("/api/v1/rollouts/{id}/{command}"), body).await
    }

    /// The rollout, once this holds of it.
    pub(crate) async fn once_rollout(
        &self,
        id: &str,
        seconds: u64,
        what: &str,
        holds: impl Fn(&Value) -> bool,
    ) -> Value {
        let deadline = Instant::now() + Duration::from_secs(seconds);
        loop {
            let rollout = self.rollout(id).await;
            if holds(&rollout) {
                return rollout;
            }
            assert!(Instant::now() < deadline, "not {what} within {seconds} s: {rollout}");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// The rollout, once it has this status.
    pub(crate) async fn until(&self, id: &str, status: &str, seconds: u64) -> Value {
        self.once_rollout(id, seconds, status, |rollout| rollout["status"] == status).await
    }

    /// Waits until this many devices of the fleet are there, and each runs what the server wants it to run.
    pub(crate) async fn settled(&self, fleet: &str, devices: usize, seconds: u64) -> Vec<Value> {
        let deadline = Instant::now() + Duration::from_secs(seconds);
        loop {
            let known = self.list(&format!("/api/v1/devices?fleet_id={fleet}")).await;
            let resting = known.iter().filter(|device| at_rest(device)).count();
            if resting == devices && known.len() == devices {
                return known;
            }
            let problem = known.iter().find(|device| !at_rest(device));
            assert!(
                Instant::now() < deadline,
                "{resting} of {} devices are where they should be after {seconds} s, {devices} are expected: {problem:?}",
                known.len()
            );
            tokio::time::sleep(LOOK_EVERY * 2).await;
        }
    }
}

/// Whether the device was heard, and runs what it should.
fn at_rest(device: &Value) -> bool {
    device["services"].as_object().is_some_and(|services| {
        services.values().all(|service| {
            service["digest"].is_string()
                && service["digest"] == service["target"]["digest"]
                && service["healthy"] == true
        })
    })
}
