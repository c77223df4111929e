//! What a server answered, within bounds.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::call::CallError;

/// Largest body that is read. A target is some kilobytes; more is no answer of Tidegate's.
const LARGEST: usize = 1 << 20;
/// Longest text of an answer that is shown to people.
const SHOWN: usize = 300;

/// An answer that is a success, or says that nothing changed.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    pub(super) async fn of(mut response: Response) -> Result<Self, CallError> {
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        if response.content_length().is_some_and(|length| length > LARGEST as u64) {
            return Err(CallError::TooLarge);
        }
        while let Some(chunk) = response.chunk().await.map_err(|error| CallError::Unreachable(root(&error)))? {
            if body.len() + chunk.len() > LARGEST {
                return Err(CallError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        let answer = Self { status, headers, body };
        if status.is_success() || status == StatusCode::NOT_MODIFIED { Ok(answer) } else { Err(answer.problem()) }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The server's clock, when it answered.
    pub fn date(&self) -> Option<Timestamp> {
        date(&self.headers, DATE)
    }

    /// The body as JSON of this shape.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, CallError> {
        // Only the place: the body may hold a token.
        serde_json::from_slice(&self.body).map_err(|error| CallError::Unreadable(error.line(), error.column()))
    }

    fn problem(&self) -> CallError {
        let body: Problem = serde_json::from_slice(&self.body).unwrap_or_default();
        let title = self.status.canonical_reason().unwrap_or("no reason given");
        let mut text = body.detail.unwrap_or_else(|| body.title.unwrap_or_else(|| title.to_owned()));
        for WrongField { pointer, detail } in body.errors {
            text = format!("{text}; {pointer}: {detail}");
        }
        CallError::Status {
            status: self.status,
            kind: body.kind.rsplit(':').next().unwrap_or_default().to_owned(),
            text: plain(&text),
            wait: self.retry_after(),
        }
    }

    /// Seconds, or a date, which is read against the server's own clock: the device's may be wrong.
    fn retry_after(&self) -> Option<Duration> {
        let text = self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let wait = date(&self.headers, RETRY_AFTER)?.duration_since(self.date()?);
        Some(Duration::try_from(wait).unwrap_or_default())
    }
}

/// One line of printable text, not too long: it goes to logs and terminals, and comes from elsewhere.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN).collect()
}

fn date(headers: &HeaderMap, name: reqwest::header::HeaderName) -> Option<Timestamp> {
    static PARSER: DateTimeParser = DateTimeParser::new();
    PARSER.parse_timestamp(headers.get(name)?.to_str().ok()?).ok()
}

/// problem+json (RFC 9457), so far as it is of use.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Problem {
    #[serde(rename = "type")]
    kind: String,
    title: Option<String>,
    detail: Option<String>,
    errors: Vec<WrongField>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WrongField {
    pointer: String,
    detail: String,
}

/// The innermost cause: `connection refused` says more than `error sending request`.
pub(super) fn root(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    plain(&cause.to_string())
}
