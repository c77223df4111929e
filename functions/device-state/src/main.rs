//! Devices enrol, ask what to run and tell what they did here; operators look after them.

use tidegate_gateway::Wiring;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    tidegate_gateway::serve(Wiring::STORE, tidegate_http::devices).await
}
