//! Errors of a call: problem+json (RFC 9457) as sentences for people.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

/// What the server says is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The HTTP status.
    pub(crate) status: u16,
    /// What kind of problem it is, in a few words.
    pub(crate) title: String,
    /// What exactly is wrong.
    pub(crate) detail: Option<String>,
    /// Bad fields: a JSON pointer and what is wrong with it.
    pub(crate) errors: Vec<(String, String)>,
    /// How long the server asks to wait.
    pub(crate) retry_after: Option<Duration>,
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    detail: Option<String>,
    #[serde(default)]
    errors: Vec<BadField>,
}

#[derive(Deserialize)]
struct BadField {
    #[serde(default)]
    pointer: String,
    #[serde(default)]
    detail: String,
}

impl Problem {
    /// From an answer that is no success. What is no problem+json (a gateway's own answer) is told by its status.
    pub(super) fn read(status: u16, retry_after: Option<Duration>, body: &[u8]) -> Self {
        let reason = reqwest::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
        let title = || reason.unwrap_or("no reason given").to_owned();
        match serde_json::from_slice::<Body>(body) {
            Ok(read) => Self {
                status,
                title: read.title.map_or_else(title, |text| harmless(&text)),
                detail: read.detail.map(|text| harmless(&text)),
                errors: read
                    .errors
                    .into_iter()
                    .map(|field| (harmless(&field.pointer), harmless(&field.detail)))
                    .collect(),
                retry_after,
            },
            Err(_) => Self { status, title: title(), detail: None, errors: Vec::new(), retry_after },
        }
    }
}

/// A server's words may quote what somebody sent it: they stay on their line, and act on nothing.
fn harmless(text: &str) -> String {
    tidegate_domain::text::shown(text).into_owned()
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, title, detail, errors, .. } = self;
        match detail {
            Some(detail) => write!(f, "{detail} ({status} {title})")?,
            None => write!(f, "{title} ({status})")?,
        }
        // A single mistake stands in the detail already.
        let told = |text: &String| detail.as_ref().is_some_and(|detail| detail.contains(text.as_str()));
        for (pointer, detail) in errors.iter().filter(|(_, detail)| !told(detail)) {
            write!(f, "\n  {}: {detail}", if pointer.is_empty() { "/" } else { pointer })?;
        }
        Ok(())
    }
}

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// No answer. Its innermost cause stands in the message, so it is not told as a source once more.
    #[error("the server cannot be reached: {}", root(.0))]
    Unreachable(reqwest::Error),
    /// An answer that is no success.
    #[error("{0}")]
    Refused(Box<Problem>),
    /// An answer that this program does not understand.
    #[error("the server's answer cannot be read")]
    Unreadable(#[source] serde_json::Error),
    /// The address is none.
    #[error("{0} is no address of a server")]
    Address(String),
    /// A path of the contract has no such parts.
    #[error("{0:?} is no path of the API: an id in it is none")]
    Path(String),
    /// A secret that the call needs was not given.
    #[error("{0} is not set")]
    NoSecret(&'static str),
}

/// The innermost cause: `connection refused` says more than `error sending request`.
fn root(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

impl ApiError {
    /// The problem, where the server told one.
    pub(crate) fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Refused(problem) => Some(problem),
            Self::Unreachable(_) | Self::Unreadable(_) | Self::Address(_) | Self::Path(_) | Self::NoSecret(_) => None,
        }
    }

    /// The status of a refusal.
    pub(crate) fn status(&self) -> Option<u16> {
        self.problem().map(|problem| problem.status)
    }

    /// Whether the same call can succeed later.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable(error) => !error.is_builder(),
            Self::Refused(problem) => matches!(problem.status, 408 | 429 | 500 | 502 | 503 | 504),
            Self::Unreadable(_) | Self::Address(_) | Self::Path(_) | Self::NoSecret(_) => false,
        }
    }

    /// Whether nobody listens at all: waiting for that is for those who run for long.
    pub(super) fn is_nobody(&self) -> bool {
        matches!(self, Self::Unreachable(error) if error.is_connect())
    }

    /// How long the server asks to wait.
    pub(crate) fn wait(&self) -> Option<Duration> {
        self.problem()?.retry_after
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_sentences() {
        for (label, status, body, shown) in [
            (
                "bad fields",
                422,
                r#"{"type":"about:blank","title":"Unprocessable Content","status":422,"detail":"the policy has mistakes",
                    "errors":[{"pointer":"/max_failure_rate","detail":"expected a share"}]}"#,
                "the policy has mistakes (422 Unprocessable Content)\n  /max_failure_rate: expected a share",
            ),
            (
                "one bad field",
                422,
                r#"{"title":"Unprocessable Content","detail":"/name: expected a name","errors":[{"pointer":"/name","detail":"expected a name"}]}"#,
                "/name: expected a name (422 Unprocessable Content)",
            ),
            (
                "what somebody else wrote",
                409,
                r#"{"title":"Conflict","detail":"kept out: \u001b[2Jfine\nerror: none\u202e"}"#,
                "kept out: \\u{1b}[2Jfine\\nerror: none\\u{202e} (409 Conflict)",
            ),
            ("no detail", 404, r#"{"title":"Not Found"}"#, "Not Found (404)"),
            ("a gateway's answer", 502, "<html>", "Bad Gateway (502)"),
            ("an empty one", 401, "", "Unauthorized (401)"),
        ] {
            assert_eq!(Problem::read(status, None, body.as_bytes()).to_string(), shown, "{label}");
        }
    }

    #[test]
    fn only_what_can_pass_is_tried_again() {
        let refused = |status| ApiError::Refused(Box::new(Problem::read(status, Some(Duration::from_secs(2)), b"")));
        assert!(refused(503).may_pass() && refused(429).may_pass());
        assert!(!refused(409).may_pass() && !refused(422).may_pass() && !refused(401).may_pass());
        assert_eq!(refused(503).wait(), Some(Duration::from_secs(2)));
    }
}
