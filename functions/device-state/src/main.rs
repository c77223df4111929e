//! Devices enrol, ask what to run and tell what they did here; operators look after them.

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    let state = tidegate_gateway::start().await?;
    tidegate_gateway::serve(tidegate_http::devices(state)).await
}
