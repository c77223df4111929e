//! Registries tell of pushes here.

use tidegate_gateway::Wiring;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    let state = tidegate_gateway::start(Wiring::STORE.with_queues())?;
    if state.access.webhooks.is_none() {
        // Without a secret nobody could prove who they are: better to fail here than to refuse every registry.
        return Err("WEBHOOK_SECRETS is not set".into());
    }
    tidegate_gateway::serve(tidegate_http::webhooks(state)).await
}
