//! Devices enrol, ask what to run and tell what they did here; operators look after them.

use tidegate_gateway::Wiring;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    let state = tidegate_gateway::start(Wiring::STORE)?;
    tidegate_gateway::serve(tidegate_http::devices(state)).await
}
