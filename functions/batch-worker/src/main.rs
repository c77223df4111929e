//! Planning, deadline checks and registry look-ups: a message is a bounded piece of work.

mod handler;

use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let started = tidegate_aws::bootstrap::start().await?;
    let memory = tidegate_engine::memory::RolloutMemory::default();
    lambda_runtime::run(service_fn(|event: LambdaEvent<_>| handler::handle(&started.ports, &memory, event.payload)))
        .await
}
