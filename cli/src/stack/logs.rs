//! What the functions logged: the emulator keeps it as `CloudWatch` Logs does, a group for each function.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::access::Access;

/// Where an emulator finds region and service; the signature itself is not looked at.
const AUTHORIZATION: &str =
    "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/logs/aws4_request, SignedHeaders=host, Signature=0";

/// How far back a line may come late, in milliseconds.
const LATE: i64 = 10_000;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Line {
    /// When it was logged.
    pub(crate) at: Timestamp,
    /// By which function.
    pub(crate) function: String,
    /// What it says.
    pub(crate) text: String,
}

/// A reader of the logs of some functions.
pub(crate) struct Logs {
    http: reqwest::Client,
    endpoint: String,
    stack: String,
    functions: Vec<String>,
    /// Where the next look begins, and which lines after that were seen.
    since: i64,
    seen: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    events: Vec<Logged>,
    #[serde(rename = "nextToken")]
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Logged {
    #[serde(default)]
    event_id: String,
    #[serde(default)]
    log_stream_name: String,
    timestamp: i64,
    message: String,
}

impl Logs {
    /// Of these functions, from a moment on.
    pub(crate) fn new(access: &Access, functions: Vec<String>, since: Timestamp) -> Result<Self> {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build()?;
        let (endpoint, stack) = (access.endpoint.clone(), access.stack.clone());
        Ok(Self { http, endpoint, stack, functions, since: since.as_millisecond(), seen: BTreeSet::new() })
    }

    /// The lines that came since the last look, in the order of their times.
    pub(crate) async fn next(&mut self) -> Result<Vec<Line>> {
        let mut lines = Vec::new();
        let mut seen = BTreeSet::new();
        let mut newest = self.since;
        for function in &self.functions {
            for logged in self.of(function).await? {
                let id = format!(
                    "{function} {} {} {} {}",
                    logged.log_stream_name, logged.event_id, logged.timestamp, logged.message
                );
                newest = newest.max(logged.timestamp);
                if !self.seen.contains(&id) {
                    let at = Timestamp::from_millisecond(logged.timestamp).unwrap_or_default();
                    lines.push(Line { at, function: function.clone(), text: logged.message.trim_end().to_owned() });
                }
                seen.insert(id);
            }
        }
        self.since = self.since.max(newest - LATE);
        self.seen = seen;
        lines.sort_by_key(|line| line.at);
        Ok(lines)
    }

    async fn of(&self, function: &str) -> Result<Vec<Logged>> {
        let group = format!("/aws/lambda/{}-{function}", self.stack);
        let (mut all, mut token) = (Vec::new(), None);
        loop {
            let mut asked = json!({ "logGroupName": group, "startTime": self.since });
            if let Some(token) = &token {
                asked["nextToken"] = Value::from(String::clone(token));
            }
            let answer = self.call(&asked).await?;
            let last = answer.events.is_empty() && answer.next_token == token;
            all.extend(answer.events);
            token = answer.next_token;
            if token.is_none() || last {
                return Ok(all);
            }
        }
    }

    async fn call(&self, asked: &Value) -> Result<Answer> {
        let response = self
            .http
            .post(&self.endpoint)
            .header("X-Amz-Target", "Logs_20140328.FilterLogEvents")
            .header("Content-Type", "application/x-amz-json-1.1")
            .header("Authorization", AUTHORIZATION)
            .body(asked.to_string())
            .send()
            .await
            .context("the local stack does not answer; `tidegate up` starts it again")?;
        let (status, text) = (response.status(), response.text().await?);
        if text.contains("ResourceNotFoundException") {
            // The function has not run yet.
            return Ok(Answer { events: Vec::new(), next_token: None });
        }
        if !status.is_success() {
            bail!("the logs were refused: {status} {text}");
        }
        Ok(serde_json::from_str(&text)?)
    }
}
