//! The API's paths begin with `/api/v1`; behind a gateway they may begin with its stage. `lambda_http` puts a named
//! stage in front of every path (`apigw_path_with_stage` in its `request.rs`), and so does a gateway's own path style.

use axum::Router;
use axum::extract::Request;
use axum::http::Uri;
use axum::http::uri::PathAndQuery;
use tower::ServiceExt;
use tower::util::MapRequest;

/// What the paths of every route begin with.
const API: &str = "/api/v1/";

/// Takes off whatever stands before the API's path, before routes are looked up.
pub(super) fn stripped(routes: Router) -> Router {
    let strip: fn(Request) -> Request = |mut request| {
        if let Some(uri) = without_stage(request.uri()) {
            *request.uri_mut() = uri;
        }
        request
    };
    let routes: MapRequest<Router, fn(Request) -> Request> = routes.map_request(strip);
    Router::new().fallback_service(routes)
}

fn without_stage(uri: &Uri) -> Option<Uri> {
    let whole = uri.path_and_query()?.as_str();
    let path = uri.path();
    let at = path.find(API).filter(|at| *at > 0)?;
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(&whole[at..]).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_before_the_api_goes() {
        let cases = [
            ("/api/v1/health", None),
            ("/dev/api/v1/health", Some("/api/v1/health")),
            (
                "https://x.example/dev/api/v1/rollouts?status=paused&x=/api/v1/",
                Some("https://x.example/api/v1/rollouts?status=paused&x=/api/v1/"),
            ),
            ("/_aws/execute-api/abc/dev/api/v1/devices", Some("/api/v1/devices")),
            ("/api/v1/webhooks/docker-registry/api/v1/", None),
            ("/elsewhere?next=/api/v1/health", None),
            ("/", None),
        ];
        for (given, expected) in cases {
            let stripped = without_stage(&given.parse().unwrap()).map(|uri| uri.to_string());
            assert_eq!(stripped.as_deref(), expected, "{given}");
        }
    }
}
