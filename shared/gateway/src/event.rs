//! Events of an HTTP API and of a function URL (payload format 2.0), as requests; and answers as they want them.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>
//!
//! Its own hundred lines and not `lambda_http`: that one reads every field of four kinds of event, and brings the tables
//! of encodings of the last century: a tenth of a function's size, and of what a poll costs.

use std::fmt;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// The header that carries a request's id.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The event, as far as a request is made of it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    raw_path: String,
    #[serde(default)]
    raw_query_string: String,
    #[serde(default, deserialize_with = "headers")]
    headers: HeaderMap,
    #[serde(default)]
    cookies: Vec<String>,
    request_context: Context,
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    http: Http,
    request_id: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Http {
    method: String,
}

/// The event is no request. A gateway sends none of these.
#[derive(Debug, thiserror::Error)]
pub enum BadEvent {
    /// Its method, path or query.
    #[error("the event's request line is none")]
    Line(#[from] axum::http::Error),
    /// Its body.
    #[error("the event's body is not in base 64")]
    Body(#[from] base64::DecodeError),
}

impl Event {
    /// The request. One that has no id gets the gateway's, so that its access log and ours tell of the same request.
    pub fn request(self) -> Result<Request<Body>, BadEvent> {
        let line = match self.raw_query_string.as_str() {
            "" => self.raw_path,
            query => format!("{}?{query}", self.raw_path),
        };
        let method =
            Method::from_bytes(self.request_context.http.method.as_bytes()).map_err(axum::http::Error::from)?;
        let body = match self.body {
            None => Body::empty(),
            Some(text) if self.is_base64_encoded => Body::from(BASE64.decode(text)?),
            Some(text) => Body::from(text),
        };
        let mut request = Request::builder().method(method).uri(line).body(body)?;
        *request.headers_mut() = self.headers;
        if !self.cookies.is_empty()
            && let Ok(cookies) = HeaderValue::from_str(&self.cookies.join("; "))
        {
            request.headers_mut().insert(header::COOKIE, cookies);
        }
        if let Some(id) = self.request_context.request_id.and_then(|id| HeaderValue::from_str(&id).ok()) {
            request.headers_mut().entry(REQUEST_ID).or_insert(id);
        }
        Ok(request)
    }
}

/// Names and values; what is no header (a gateway lets nothing like it through) is left out.
fn headers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<HeaderMap, D::Error> {
    struct Headers;
    impl<'de> Visitor<'de> for Headers {
        type Value = HeaderMap;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("headers by their names")
        }

        fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<HeaderMap, M::Error> {
            let mut headers = HeaderMap::with_capacity(map.size_hint().unwrap_or(16));
            while let Some((name, value)) = map.next_entry::<String, String>()? {
                if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                    headers.append(name, value);
                }
            }
            Ok(headers)
        }
    }
    deserializer.deserialize_map(Headers)
}

/// The answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    status_code: u16,
    #[serde(serialize_with = "named")]
    headers: HeaderMap,
    #[serde(skip_serializing_if = "String::is_empty")]
    body: String,
    is_base64_encoded: bool,
}

impl Answer {
    /// Of a response. All of ours are whole in memory.
    pub async fn of(response: Response<Body>) -> Result<Self, axum::Error> {
        let (head, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await?;
        let (body, is_base64_encoded) = match String::from_utf8(body.into()) {
            Ok(text) => (text, false),
            Err(error) => (BASE64.encode(error.as_bytes()), true),
        };
        Ok(Self { status_code: head.status.as_u16(), headers: head.headers, body, is_base64_encoded })
    }
}

/// Values of one name are joined, as the format wants it. No answer of ours sets a cookie, which alone could not be.
fn named<S: serde::Serializer>(headers: &HeaderMap, serializer: S) -> Result<S::Ok, S::Error> {
    let joined = |name: &HeaderName| {
        let values: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
        values.join(", ")
    };
    serializer.collect_map(headers.keys().map(|name| (name.as_str(), joined(name))))
}
