//! Events as an HTTP API and a function URL send them, answered by the real routes.

use std::sync::Arc;

use axum::body::to_bytes;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, Mac};
use jiff::Timestamp;
use lambda_http::request::from_str;
use serde_json::{Value, json};
use sha2::Sha256;
use tidegate_domain::webhook::Secrets;
use tidegate_engine::settings::Settings;
use tidegate_gateway::with_the_gateways_id;
use tidegate_http::AppState;
use tidegate_http::auth::{Access, SigningKey, TokenHash, TokenList};
use tidegate_testkit::entropy::SeededEntropy;
use tidegate_testkit::memory::MemoryPorts;
use tower::ServiceExt;

const OPERATOR: &str = "operator-token";
const WEBHOOK: &str = "webhook-secret";

fn state() -> AppState {
    let ports = MemoryPorts::default().ports(Arc::new(SeededEntropy::new(1)));
    let access = Access {
        operators: TokenList::new([(TokenHash::of(OPERATOR), ())]),
        provisioning: TokenList::default(),
        webhooks: Some(Secrets::new([WEBHOOK]).unwrap()),
        signing: SigningKey::new(&"k".repeat(32)).unwrap(),
    };
    AppState::new(ports, Settings::default(), access, Arc::new(|| Timestamp::UNIX_EPOCH))
}

/// An event of payload format 2.0 (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>).
fn event(method: &str, stage: &str, raw_path: &str, headers: &Value, body: Option<(&str, bool)>) -> String {
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": raw_path,
        "rawQueryString": "limit=5",
        "headers": headers,
        "requestContext": {
            "accountId": "123456789012", "apiId": "api", "domainName": "api.example", "domainPrefix": "api",
            "http": {"method": method, "path": raw_path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "x"},
            "requestId": "gateway-id=", "routeKey": "$default", "stage": stage,
            "time": "12/Mar/2026:19:03:58 +0000", "timeEpoch": 1_583_348_638_390_i64,
        },
        "body": body.map(|(text, _)| text),
        "isBase64Encoded": body.is_some_and(|(_, encoded)| encoded),
    })
    .to_string()
}

async fn answered(event: &str) -> (StatusCode, String, Value) {
    let request = with_the_gateways_id(from_str(event).unwrap());
    let response = tidegate_http::all(state()).oneshot(request).await.unwrap();
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let status = response.status();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, id, serde_json::from_slice(&body).unwrap_or_default())
}

#[tokio::test]
async fn stages_and_ids_of_the_gateway() {
    let headers = json!({"host": "api.example", "authorization": format!("Bearer {OPERATOR}")});
    for (stage, path) in
        [("$default", "/api/v1/rollouts"), ("local", "/local/api/v1/rollouts"), ("local", "/api/v1/rollouts")]
    {
        let (status, id, body) = answered(&event("GET", stage, path, &headers, None)).await;
        assert_eq!((status, id.as_str()), (StatusCode::OK, "gateway-id="), "{stage} {path}: {body}");
        assert_eq!(body["items"], json!([]));
    }
    let (status, _, _) = answered(&event("GET", "local", "/local/elsewhere", &headers, None)).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let named = json!({"host": "api.example", "x-request-id": "callers-own"});
    let (status, id, _) = answered(&event("GET", "local", "/local/api/v1/rollouts", &named, None)).await;
    assert_eq!((status, id.as_str()), (StatusCode::UNAUTHORIZED, "callers-own"));
}

#[tokio::test]
async fn a_signature_is_over_the_decoded_body() {
    let body = r#"{"action":"published","package":{"package_type":"CONTAINER","name":"app"}}"#;
    let mut mac = Hmac::<Sha256>::new_from_slice(WEBHOOK.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
    let headers = json!({
        "host": "api.example", "content-type": "application/json", "x-github-event": "package",
        "x-hub-signature-256": signature, "x-github-delivery": "d1",
    });
    let path = "/local/api/v1/webhooks/docker-registry";
    let encoded = BASE64.encode(body);
    for sent in [(body, false), (encoded.as_str(), true)] {
        let (status, _, answer) = answered(&event("POST", "local", path, &headers, Some(sent))).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
        assert_eq!(answer["status"], "ignored");
    }
    let (status, _, _) = answered(&event("POST", "local", path, &headers, Some((&encoded, false)))).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}
