//! `tidegate-agent run`: everything is put together here, and nowhere else.

mod prepare;
mod telling;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, watch};

use self::telling::Telling;
use super::{environment, notify};
use crate::agent::{Agent, Ended, Ports, Setting};
use crate::cli::log;
use crate::compose;
use crate::config::{Config, EngineAddress, PullSettings};
use crate::registry::{Credentials, Limits, Patience, RegistryClient, Relays};
use crate::runtime::Runtime;
use crate::runtime::docker::{DockerRuntime, Relayed, Setup};
use crate::state::instance::Instance;
use crate::state::snapshot::Snapshot;

pub use prepare::{Prepared, prepare};

/// Longest time until the first poll.
const FIRST_POLL: Duration = Duration::from_secs(5);

/// Does the agent's work until it is asked to stop. Whatever it is at then is in the journal, so it stops at once.
pub async fn run(config: Config) -> anyhow::Result<()> {
    log::set_up(config.log_file.as_deref(), &environment).context("the log file cannot be opened")?;
    let _instance = Instance::take(&config)?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), url = config.url, "the agent starts");
    let mut terminated = signal(SignalKind::terminate()).context("signals cannot be listened to")?;
    tokio::select! {
        done = with_engine(&config) => done?,
        never = notify::watchdog() => match never {},
        _ = terminated.recv() => tracing::info!("the agent stops: it was terminated"),
        _ = tokio::signal::ctrl_c() => tracing::info!("the agent stops: it was interrupted"),
    }
    notify::stopping();
    Ok(())
}

/// Opens the engine and works on it.
async fn with_engine(config: &Config) -> anyhow::Result<()> {
    // The service manager waits for no server: a device without one is up, too.
    notify::ready();
    let runtime = Arc::new(runtime(config)?);
    let prepared = prepare(config, async || images(&*runtime).await).await?;
    Box::pin(drive(config, runtime, prepared)).await
}

/// The engine that the configuration names.
pub(super) fn runtime(config: &Config) -> anyhow::Result<DockerRuntime> {
    let project = match &config.engine.compose_file {
        Some(file) => Some(compose::read(file, &std::env::vars().collect())?),
        None => None,
    };
    let credentials = Arc::new(Credentials::new(config.pull.registry_config.clone()));
    let relayed = match &config.engine.address {
        // An engine in another network namespace cannot reach this one's loopback interface.
        EngineAddress::Tcp(_) => None,
        EngineAddress::Unix(_) => Some(relayed(config, Arc::clone(&credentials))?),
    };
    Ok(DockerRuntime::new(Setup {
        address: &config.engine.address.to_string(),
        project,
        credentials,
        relayed,
        programs: config.allowed_commands.clone(),
        state: &config.state_dir,
    }))
}

fn relayed(config: &Config, credentials: Arc<Credentials>) -> anyhow::Result<Relayed> {
    let PullSettings { bandwidth_limit, concurrency, keep_free, .. } = config.pull;
    let bandwidth = bandwidth_limit.and_then(NonZeroU64::new);
    let downloads = u32::try_from(concurrency).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
    let client = RegistryClient::new(credentials, Patience::default())?;
    let spool = config.state_dir.join("spool");
    let relays = Relays::new(client, Limits { bandwidth, downloads, keep_free }, spool.clone());
    Ok(Relayed { relays, spool, keep_free, limited: bandwidth.is_some() })
}

/// The image of each service of the engine, for an enrolment.
pub async fn images<E: Runtime>(runtime: &E) -> anyhow::Result<BTreeMap<String, String>> {
    let services = runtime.services().await?;
    Ok(services.into_iter().map(|(name, service)| (name, service.image.image)).collect())
}

/// The agent's loop over this engine. Ends only when the server has deleted the device.
pub async fn drive<E: Runtime>(config: &Config, runtime: Arc<E>, prepared: Prepared) -> anyhow::Result<()> {
    let Prepared { identity, link, store, memory, host } = prepared;
    let (seen, watched) = watch::channel(Snapshot { memory: memory.clone(), ..Snapshot::default() });
    let host = Arc::new(host);
    let telling = Telling::new(config, identity.uuid, Arc::clone(&host));
    let ports = Ports { link, runtime, host, store };
    let setting = Setting { draw: rand::random(), clock: Timestamp::now, seen, wake: Arc::new(Notify::new()) };
    // Not all at once after a power cut of a whole site.
    let first = FIRST_POLL.mul_f64(rand::random());
    let works = async {
        let Ended::Deleted = Agent::new(ports, memory, setting).run(first).await;
        tracing::warn!("the server has deleted this device; what runs, runs on, and nothing more is asked");
        // Ended, the service manager would start it anew, for nothing; and people are still to be told of it.
        std::future::pending().await
    };
    tokio::select! {
        done = works => done,
        never = telling.watch(watched) => match never {},
    }
}
