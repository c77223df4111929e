//! Operators look at rollouts, command them and trigger them here; every unknown path ends here too.

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    let state = tidegate_gateway::start().await?;
    tidegate_gateway::serve(tidegate_http::rollouts(state)).await
}
