//! What anybody may ask: whether we are there, and the OpenAPI document. Every unknown path ends here too.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    tidegate_gateway::serve_public(tidegate_http::public).await
}
