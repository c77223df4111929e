//! Events as an HTTP API and a function URL send them, answered by the real routes.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Response, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, Mac};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::Sha256;
use tidegate_domain::webhook::Secrets;
use tidegate_engine::settings::Settings;
use tidegate_gateway::{Answer, Event};
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
    let request = serde_json::from_str::<Event>(event).unwrap().request().unwrap();
    let response = tidegate_http::all(state()).oneshot(request).await.unwrap();
    let answer = serde_json::to_value(Answer::of(response).await.unwrap()).unwrap();
    assert_eq!(answer["isBase64Encoded"], false);
    let status = u16::try_from(answer["statusCode"].as_u64().unwrap()).unwrap();
    let id = answer["headers"]["x-request-id"].as_str().unwrap().to_owned();
    let body = serde_json::from_str(answer["body"].as_str().unwrap_or_default()).unwrap_or_default();
    (StatusCode::from_u16(status).unwrap(), id, body)
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

#[tokio::test]
async fn an_event_is_read_whole() {
    let headers = json!({"host": "api.example", "x-many": "a, b", "bad name": "x"});
    let text = event("PATCH", "local", "/p%2Fq", &headers, Some(("text", false)));
    let mut event: Value = serde_json::from_str(&text).unwrap();
    event["cookies"] = json!(["a=1", "b=2"]);
    event["rawQueryString"] = json!("x=%20y&x=z");
    let request = serde_json::from_value::<Event>(event.clone()).unwrap().request().unwrap();
    assert_eq!((request.method().as_str(), request.uri().to_string().as_str()), ("PATCH", "/p%2Fq?x=%20y&x=z"));
    assert_eq!(request.headers()[header::COOKIE], "a=1; b=2");
    assert_eq!(request.headers()["x-many"], "a, b");
    assert_eq!(request.headers().len(), 4, "host, x-many, cookie, x-request-id");
    // A test event of the console, and a function URL's without headers.
    for missing in ["headers", "cookies", "body", "isBase64Encoded", "rawQueryString"] {
        let mut event = event.clone();
        event.as_object_mut().unwrap().remove(missing);
        assert!(serde_json::from_value::<Event>(event).unwrap().request().is_ok(), "without {missing}");
    }
    event["isBase64Encoded"] = json!(true);
    event["body"] = json!("?");
    assert!(serde_json::from_value::<Event>(event).unwrap().request().is_err());
}

#[tokio::test]
async fn an_answer_that_is_no_text_is_encoded_and_values_of_a_name_are_joined() {
    let response =
        Response::builder().header("vary", "a").header("vary", "b").body(Body::from(vec![0xff, 0x00])).unwrap();
    let answer = serde_json::to_value(Answer::of(response).await.unwrap()).unwrap();
    let wanted = json!({"statusCode": 200, "headers": {"vary": "a, b"}, "body": "/wA=", "isBase64Encoded": true});
    assert_eq!(answer, wanted);
}
