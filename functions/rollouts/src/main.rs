//! Operators look at rollouts, command them and trigger them here; every unknown path ends here too.

use tidegate_gateway::Wiring;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    let state = tidegate_gateway::start(Wiring::STORE.with_queues())?;
    tidegate_gateway::serve(tidegate_http::rollouts(state)).await
}
