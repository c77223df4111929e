//! A secret that changes, with the functions as they are: they follow it without a deployment.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::client::Client;
use crate::stack::{say, stack};

/// Where an emulator finds region and service; the signature itself is not looked at.
const AUTHORIZATION: &str =
    "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/secretsmanager/aws4_request, SignedHeaders=host, Signature=0";

/// The local stack's `SecretsKeptSeconds`, and time for an emulator that has much to do.
const PATIENCE: Duration = Duration::from_mins(1);

async fn secrets_manager(endpoint: &str, action: &str, body: &Value) -> Value {
    // Refused where a test before it installed it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let request = http
        .post(endpoint)
        .header("X-Amz-Target", format!("secretsmanager.{action}"))
        .header("Content-Type", "application/x-amz-json-1.1")
        .header("Authorization", AUTHORIZATION);
    let response = request.body(body.to_string()).send().await.expect("Secrets Manager answers");
    let (status, text) = (response.status(), response.text().await.expect("a body"));
    assert!(status.is_success(), "{action}: {status} {text}");
    serde_json::from_str(&text).expect("JSON")
}

/// Waits until the operators' door answers this token so.
async fn until(client: &Client, token: &str, status: u16) {
    let began = Instant::now();
    loop {
        let answer = client.call(Method::GET, "/api/v1/rollouts", token, None).await;
        if answer.status == status {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{} after {:?}, expected {status}", answer.status, began.elapsed());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test]
async fn a_token_comes_and_goes_with_the_secret() {
    let Some(stack) = stack() else { return };
    let client = Client::new(stack);
    let (Some(endpoint), Some(arn)) = (stack.endpoint(), stack.output("SecretArn")) else {
        say("SKIPPED: changing the secret; the stack does not say where it is");
        return;
    };
    let told = secrets_manager(endpoint, "GetSecretValue", &json!({ "SecretId": arn })).await;
    let before = told["SecretString"].as_str().expect("a text").to_owned();
    let mut values: Value = serde_json::from_str(&before).expect("JSON");
    let token = format!("op_{}", Uuid::new_v4().simple());
    let hashes = values["operator_token_hashes"].as_str().expect("hashes");
    // Beside the others' tokens, which other cases use meanwhile.
    values["operator_token_hashes"] = json!(format!("{hashes},{}", hex::encode(Sha256::digest(&token))));
    until(&client, &token, 401).await;
    let put = |text: String| json!({ "SecretId": arn, "SecretString": text, "ClientRequestToken": Uuid::new_v4() });
    secrets_manager(endpoint, "PutSecretValue", &put(values.to_string())).await;
    until(&client, &token, 200).await;
    secrets_manager(endpoint, "PutSecretValue", &put(before)).await;
    until(&client, &token, 401).await;
    assert_eq!(client.call(Method::GET, "/api/v1/rollouts", &stack.operator, None).await.status, 200);
}
