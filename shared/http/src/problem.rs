//! Errors as they are answered: problem details (RFC 9457), never an internal of ours.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tidegate_domain::fields::FieldError;
use tidegate_engine::EngineError;
use utoipa::ToSchema;

/// The media type of problem details.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// What every problem's type begins with; its stable word follows.
const TYPES: &str = "urn:tidegate:problem:";

/// When a caller whom we could not serve may come back, in seconds.
const RETRY_AFTER_SECONDS: &str = "5";

/// What went wrong, for the caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(title = "Problem", description = "Problem details (RFC 9457).", example = json!({
    "type": "urn:tidegate:problem:invalid", "title": "Unprocessable Entity", "status": 422,
    "detail": "/name: expected a name of 1 to 100 characters, with no space at its ends",
    "errors": [{"pointer": "/name", "detail": "expected a name of 1 to 100 characters, with no space at its ends"}],
}))]
pub struct Problem {
    /// Which kind of problem; its last part is a stable word.
    #[serde(rename = "type")]
    #[schema(example = "urn:tidegate:problem:already_enrolled")]
    kind: String,
    /// The kind in words.
    title: &'static str,
    /// The HTTP status.
    #[schema(value_type = u16, example = 400)]
    #[serde(serialize_with = "as_number")]
    status: StatusCode,
    /// This occurrence in words.
    detail: String,
    /// The fields that are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<WrongField>,
    #[serde(skip)]
    #[schema(ignore)]
    headers: Vec<(header::HeaderName, String)>,
}

/// A field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct WrongField {
    /// Where: a JSON pointer (RFC 6901) into the body, or the name of a query parameter.
    #[schema(example = "/update_strategy")]
    pub pointer: String,
    /// What was expected, and what was found.
    pub detail: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn as_number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

impl Problem {
    /// A problem of this stable word.
    pub fn new(status: StatusCode, word: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("{TYPES}{word}"),
            title: status.canonical_reason().unwrap_or("Error"),
            status,
            detail: detail.into(),
            errors: Vec::new(),
            headers: Vec::new(),
        }
    }

    /// A problem that has no more to say than its status.
    pub fn of_status(status: StatusCode) -> Self {
        let (word, detail) = match status {
            StatusCode::NOT_FOUND => ("not_found", "there is nothing at this path"),
            StatusCode::METHOD_NOT_ALLOWED => {
                ("method_not_allowed", "this path does not take this method; see the header Allow")
            }
            StatusCode::PAYLOAD_TOO_LARGE => ("too_large", "the body is too large"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                ("unsupported_media_type", "this path does not take this content type")
            }
            status if status.is_server_error() => ("internal", "something went wrong on our side"),
            _ => ("refused", "the request cannot be answered"),
        };
        Self::new(status, word, detail)
    }

    /// No credential, or a wrong one: it never says which.
    pub fn unauthorized() -> Self {
        let detail = "this needs a credential of its caller, which is missing or not valid";
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail).with(header::WWW_AUTHENTICATE, "Bearer")
    }

    /// A right credential that does not reach so far.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// There is no such thing.
    pub fn missing(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("there is no such {what}"))
    }

    /// The request as a whole cannot be read.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", detail)
    }

    /// It cannot be done as things stand.
    pub fn conflict(word: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, word, detail)
    }

    /// The body is too large.
    pub fn too_large(limit_bytes: usize) -> Self {
        let detail = format!("the body may have at most {limit_bytes} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
    }

    /// Fields of the body that are unknown, missing or wrong: 422.
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [one] if one.pointer.is_empty() => one.detail.clone(),
            [one] => format!("{}: {}", one.pointer, one.detail),
            errors => format!("{} fields are wrong", errors.len()),
        };
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail).about(errors)
    }

    /// With the fields that it is about.
    #[must_use]
    pub fn about(mut self, fields: Vec<FieldError>) -> Self {
        self.errors = fields.into_iter().map(|e| WrongField { pointer: e.pointer, detail: e.detail }).collect();
        self
    }

    /// A query parameter that is wrong, by its name: 400.
    pub fn parameter(name: &str, detail: impl std::fmt::Display) -> Self {
        Self::parameters([(name.to_owned(), detail.to_string())])
    }

    /// Query parameters that are wrong, each by its name: 400.
    pub fn parameters(wrong: impl IntoIterator<Item = (String, String)>) -> Self {
        let errors = wrong.into_iter().map(|(pointer, detail)| WrongField { pointer, detail });
        let errors: Vec<WrongField> = errors.collect();
        let detail = match errors.as_slice() {
            [one] => format!("the query parameter {} is wrong: {}", one.pointer, one.detail),
            errors => format!("{} query parameters are wrong", errors.len()),
        };
        Self { errors, ..Self::bad_request(detail) }
    }

    /// We could not do it now.
    pub fn unavailable() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "this could not be done now; try again")
            .with(header::RETRY_AFTER, RETRY_AFTER_SECONDS)
    }

    /// With a header.
    #[must_use]
    pub fn with(mut self, name: header::HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Its status.
    pub const fn status(&self) -> StatusCode {
        self.status
    }
}

impl From<EngineError> for Problem {
    fn from(error: EngineError) -> Self {
        match &error {
            EngineError::NotFound(what) => Self::missing(what),
            EngineError::Refused(because) => Self::conflict("refused", because.clone()),
            EngineError::Store(_)
            | EngineError::Queue(_)
            | EngineError::Contended { .. }
            | EngineError::Corrupt { .. } => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    retryable = error.retryable(),
                    "request failed"
                );
                if error.retryable() { Self::unavailable() } else { Self::of_status(StatusCode::INTERNAL_SERVER_ERROR) }
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(mut self) -> Response {
        let (status, headers) = (self.status, std::mem::take(&mut self.headers));
        let mut response = (status, Json(self)).into_response();
        let answer = response.headers_mut();
        answer.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                answer.insert(name, value);
            }
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn internals_stay_inside() {
        let source = std::io::Error::other("table tidegate-secret of account 123");
        let store = tidegate_engine::ports::StoreError::Rejected(Box::new(source));
        let problem = Problem::from(EngineError::Store(store));
        assert_eq!(problem.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!serde_json::to_string(&problem).unwrap().contains("secret"));
    }

    #[test]
    fn what_may_work_later_says_when() {
        let response = Problem::from(EngineError::Contended { what: "x" }).into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[header::RETRY_AFTER], RETRY_AFTER_SECONDS);
        assert_eq!(response.headers()[header::CONTENT_TYPE], PROBLEM_JSON);
    }
}
