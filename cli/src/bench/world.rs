//! What functions reach: a DynamoDB in this process, and a Secrets Manager with one secret.

use anyhow::Result;
use axum::Json;
use axum::Router;
use axum::routing::post;
use dynoxide::Database;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

/// What the stack's tables begin with.
pub(super) const PREFIX: &str = "bench";

/// The provisioning key that devices are enrolled with.
pub(super) const PROVISIONING_KEY: &str = "pk_of_the_bench";

/// Both services.
pub(super) struct World {
    pub(super) dynamodb: String,
    pub(super) secrets: String,
    servers: [AbortHandle; 2],
}

impl World {
    pub(super) async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let dynamodb = format!("http://{}", listener.local_addr()?);
        let tables = tokio::spawn(dynoxide::server::serve_on(listener, Database::memory()?)).abort_handle();
        tidegate_aws::local::new_store(&dynamodb, PREFIX).await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let secrets = format!("http://{}", listener.local_addr()?);
        let routes = Router::new().route("/", post(secret));
        let manager = tokio::spawn(async move { axum::serve(listener, routes).await }).abort_handle();
        Ok(Self { dynamodb, secrets, servers: [tables, manager] })
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for server in &self.servers {
            server.abort();
        }
    }
}

async fn secret() -> Json<Value> {
    let hash = crate::stack::token_hash(PROVISIONING_KEY);
    let values = json!({
        "operator_token_hashes": hash, "provisioning_key_hashes": hash, "webhook_secrets": "webhook-secret-of-the-bench",
        "signing_key": "signing-key-of-the-bench-0123456789", "registry_credentials": "",
    });
    Json(json!({ "ARN": "bench", "Name": "bench", "SecretString": values.to_string() }))
}
