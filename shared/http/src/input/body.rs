//! JSON bodies, each with the mistakes of reading it: a route adds those of its own checks, and refuses them all at once.

use axum::body::{Bytes, to_bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;

use super::json::parse;
use super::mistakes::{Mistakes, read};
use crate::problem::Problem;

/// Largest body of an operator, a device or a provisioning key, in bytes.
const BODY_BYTES: usize = 256 * 1024;

/// Largest set of policies, in bytes.
const SET_BYTES: usize = 2 * 1024 * 1024;

/// An operator's body. Its type denies unknown fields.
#[derive(Debug)]
pub(crate) struct OperatorBody<T>(pub(crate) T, pub(crate) Mistakes);

/// An operator's body that may be left out where no field is required.
#[derive(Debug)]
pub(crate) struct OptionalBody<T>(pub(crate) T, pub(crate) Mistakes);

/// A device's body. Its type ignores unknown fields: an older server must understand a newer agent.
#[derive(Debug)]
pub(crate) struct DeviceBody<T>(pub(crate) T, pub(crate) Mistakes);

/// An operator's body that holds a whole set of things.
#[derive(Debug)]
pub(crate) struct SetBody<T>(pub(crate) T, pub(crate) Mistakes);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for SetBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (headers, body) = received_up_to(SET_BYTES, request).await?;
        is_json(&headers)?;
        typed(&body).map(|(body, mistakes)| Self(body, mistakes))
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for OperatorBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (headers, body) = received(request).await?;
        is_json(&headers)?;
        typed(&body).map(|(body, mistakes)| Self(body, mistakes))
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for OptionalBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (headers, body) = received(request).await?;
        if body.is_empty() {
            return typed(b"{}").map(|(body, mistakes)| Self(body, mistakes));
        }
        is_json(&headers)?;
        typed(&body).map(|(body, mistakes)| Self(body, mistakes))
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for DeviceBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        OperatorBody::from_request(request, state).await.map(|OperatorBody(body, mistakes)| Self(body, mistakes))
    }
}

async fn received(request: Request) -> Result<(HeaderMap, Bytes), Problem> {
    received_up_to(BODY_BYTES, request).await
}

async fn received_up_to(most: usize, request: Request) -> Result<(HeaderMap, Bytes), Problem> {
    let (parts, body) = request.into_parts();
    // A body that breaks off has nobody left to answer, so what fails here is too long.
    let body = to_bytes(body, most).await.map_err(|_| Problem::too_large(most))?;
    Ok((parts.headers, body))
}

fn is_json(headers: &HeaderMap) -> Result<(), Problem> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence == "application/json" || essence.starts_with("application/") && essence.ends_with("+json") {
        return Ok(());
    }
    let detail = "expected a body of the content type application/json";
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail))
}

/// Reads a body; one of which nothing can be made is refused with all that is wrong with it.
fn typed<T: DeserializeOwned>(body: &[u8]) -> Result<(T, Mistakes), Problem> {
    let (value, doubled) = parse(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Problem::bad_request(format!("the body is not JSON (line {line}, column {column})"))
    })?;
    match read(value, doubled) {
        (Some(body), mistakes) => Ok((body, mistakes)),
        (None, mistakes) => Err(Problem::invalid(mistakes.into_all())),
    }
}
