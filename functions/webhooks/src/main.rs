//! Registries tell of pushes here.

use tidegate_gateway::Wiring;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    tidegate_gateway::serve(Wiring::STORE.with_queues(), tidegate_http::webhooks).await
}
