//! Planning, deadline checks, registry look-ups and what is left of large deliveries: a message is a bounded piece of
//! work.

mod handler;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use tidegate_aws::bootstrap::{self, Started};
use tidegate_aws::clock;
use tidegate_aws::wiring::Wiring;
use tidegate_engine::settings::Settings;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let started = bootstrap::start(Wiring::STORE.with_queues().with_registry())?;
    if let Some(secrets) = &started.secrets
        && let Err(error) = secrets.current(clock::now()).await
    {
        // Planning needs no secret; who asks a registry tries again.
        tracing::error!(error = &error as &dyn std::error::Error, "the access to registries could not be read");
    }
    let memory = tidegate_engine::memory::RolloutMemory::default();
    let Started { ports, config, .. } = &started;
    let settings = Settings::new(config.policy.clone(), config.pace).with_retention(config.retention_days);
    let handle = |event: LambdaEvent<_>| handler::handle(ports, &settings, &memory, event.payload);
    lambda_runtime::run(service_fn(handle)).await
}
