//! Planning, deadline checks and registry look-ups: a message is a bounded piece of work.

mod handler;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use tidegate_aws::bootstrap;
use tidegate_aws::wiring::Wiring;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let started = bootstrap::start(Wiring::STORE.with_queues().with_registry())?;
    if let Some(secrets) = &started.secrets
        && let Err(error) = secrets.current(bootstrap::now()).await
    {
        // Planning needs no secret; who asks a registry tries again.
        tracing::error!(error = &error as &dyn std::error::Error, "the access to registries could not be read");
    }
    let memory = tidegate_engine::memory::RolloutMemory::default();
    lambda_runtime::run(service_fn(|event: LambdaEvent<_>| handler::handle(&started.ports, &memory, event.payload)))
        .await
}
