//! Operators read and write policies here.

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    let state = tidegate_gateway::start().await?;
    tidegate_gateway::serve(tidegate_http::policies(state)).await
}
