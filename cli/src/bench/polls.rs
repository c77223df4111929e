//! What a device takes that has nothing to do: it asks again and again, with the ETag that it was given.

use std::path::Path;

use anyhow::{Context, Result, bail};
use axum::body::Bytes;
use serde_json::{Value, json};

use super::function::Function;
use super::world::{PROVISIONING_KEY, World};

/// Polls before the first that counts.
const WARM_UP: u32 = 200;

/// Processor seconds of 1,000 polls.
pub(super) async fn settled(program: &Path, world: &World, polls: u32) -> Result<f64> {
    let function = Function::start(program, world).await?;
    let device =
        json!({ "fleet_id": "bench", "services": { "web": { "image": "docker.io/acme/web:v1" } } }).to_string();
    let enrolled = function.invoke(&event("POST", "/api/v1/devices", PROVISIONING_KEY, None, Some(&device))).await?;
    let enrolled: Value = serde_json::from_str(enrolled["body"].as_str().unwrap_or_default())
        .with_context(|| format!("enrolling a device: {enrolled}"))?;
    let (Some(uuid), Some(token)) = (enrolled["uuid"].as_str(), enrolled["token"].as_str()) else {
        bail!("the enrolment's answer has no token: {:?}", enrolled.as_object().map(|o| o.keys().collect::<Vec<_>>()))
    };
    let path = format!("/api/v1/device/{uuid}/state");
    let first = function.invoke(&event("GET", &path, token, None, None)).await?;
    let etag = first["headers"]["etag"].as_str().with_context(|| format!("the first poll: {first}"))?.to_owned();
    let poll = event("GET", &path, token, Some(&etag), None);
    for n in 0..WARM_UP {
        let answer = function.invoke(&poll).await?;
        if answer["statusCode"] != 304 {
            bail!("poll {n} is not answered as a settled device's: {answer}");
        }
    }
    let before = function.processor_ms()?;
    for _ in 0..polls {
        function.invoke(&poll).await?;
    }
    Ok((function.processor_ms()? - before) / f64::from(polls))
}

/// A request as an HTTP API hands it over, with the headers of a device's agent.
fn event(method: &str, path: &str, token: &str, etag: Option<&str>, body: Option<&str>) -> Bytes {
    let mut headers = json!({
        "accept": "*/*", "authorization": format!("Bearer {token}"), "content-length": "0",
        "content-type": "application/json", "host": "abcdefghij.execute-api.us-east-1.amazonaws.com",
        "user-agent": "tidegate-agent/0.1.0", "x-amzn-trace-id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700",
        "x-forwarded-for": "192.0.2.1", "x-forwarded-port": "443", "x-forwarded-proto": "https",
    });
    if let Some(etag) = etag {
        headers["if-none-match"] = json!(etag);
    }
    let event = json!({
        "version": "2.0", "routeKey": "ANY /api/v1/device/{proxy+}", "rawPath": format!("/prod{path}"),
        "rawQueryString": "", "headers": headers, "pathParameters": { "proxy": "x/state" },
        "requestContext": {
            "accountId": "123456789012", "apiId": "abcdefghij",
            "domainName": "abcdefghij.execute-api.us-east-1.amazonaws.com", "domainPrefix": "abcdefghij",
            "http": { "method": method, "path": format!("/prod{path}"), "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1", "userAgent": "tidegate-agent/0.1.0" },
            "requestId": "JKJaXmPLvHcESHA=", "routeKey": "ANY /api/v1/device/{proxy+}", "stage": "prod",
            "time": "28/Nov/2026:19:03:58 +0000", "timeEpoch": 1_795_892_638_390_i64,
        },
        "body": body, "isBase64Encoded": false,
    });
    Bytes::from(event.to_string())
}
