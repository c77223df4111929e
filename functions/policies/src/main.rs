//! Operators read and write policies here.

use tidegate_gateway::Wiring;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    tidegate_gateway::serve(Wiring::STORE, tidegate_http::policies).await
}
