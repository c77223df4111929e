//! Every answer carries the id that its log line has.

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use uuid::Builder;

use crate::state::AppState;

/// The header.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest id that is taken from a caller.
const LONGEST: usize = 128;

/// A request's id.
#[derive(Debug, Clone)]
pub(super) struct RequestId(pub(super) HeaderValue);

/// Takes the caller's (or the gateway's) id where it is one, else makes one.
pub(super) async fn identify(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let given = request.headers().get(REQUEST_ID).filter(|value| is_id(value.as_bytes())).cloned();
    let id = given.unwrap_or_else(|| made(state.ports.entropy.u128()));
    request.extensions_mut().insert(RequestId(id.clone()));
    let mut response = next.run(request).await;
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

fn made(random: u128) -> HeaderValue {
    let id = Builder::from_random_bytes(random.to_be_bytes()).into_uuid();
    HeaderValue::from_str(&id.to_string()).unwrap_or(HeaderValue::from_static("unknown"))
}

fn is_id(text: &[u8]) -> bool {
    (1..=LONGEST).contains(&text.len()) && text.iter().all(|b| b.is_ascii_alphanumeric() || b"-._=+/".contains(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_plain_and_short() {
        assert!(is_id(b"0190-abc.DEF_1="));
        for bad in [&b""[..], b"a b", b"a\"b", "ä".as_bytes(), &[b'a'; 129]] {
            assert!(!is_id(bad));
        }
    }
}
