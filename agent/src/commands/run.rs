//! `tidegate-agent run`: everything is put together here, and nowhere else.

mod prepare;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

use super::environment;
use super::services::declared;
use crate::config::Config;
use crate::instance::Instance;
use crate::log;
use crate::notify::Notifier;

pub use prepare::{Prepared, prepare};

/// Does the agent's work until it is asked to stop. Whatever it is at then is in the journal, so it stops at once.
pub async fn run(config: Config) -> anyhow::Result<()> {
    log::set_up(config.log_file.as_deref(), &environment).context("the log file cannot be opened")?;
    let notifier = Notifier::new(&environment);
    let _instance = Instance::take(&config)?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), url = config.url, "the agent starts");
    let mut terminated = signal(SignalKind::terminate()).context("signals cannot be listened to")?;
    let work = async {
        // The service manager waits for no server: a device without one is up, too.
        notifier.ready();
        let prepared = prepare(&config, &notifier, async || services(&config).await).await?;
        drive(&config, prepared, &notifier).await
    };
    tokio::select! {
        done = work => done?,
        never = notifier.watchdog() => match never {},
        _ = terminated.recv() => tracing::info!("the agent stops: it was terminated"),
        _ = tokio::signal::ctrl_c() => tracing::info!("the agent stops: it was interrupted"),
    }
    notifier.stopping();
    Ok(())
}

// ---- The last step: the engine and the agent's loop. -------------------------------------------------------------

/// The image of each service of this device, for its enrolment.
#[expect(clippy::unused_async, reason = "an engine is asked, which takes its time")]
async fn services(config: &Config) -> anyhow::Result<BTreeMap<String, String>> {
    declared(config)
}

/// The agent's loop. Ends only with an error.
#[expect(clippy::unused_async, reason = "the loop waits nearly always")]
async fn drive(config: &Config, prepared: Prepared, notifier: &Notifier) -> anyhow::Result<()> {
    let Prepared { identity, .. } = prepared;
    notifier.status("enrolled; this build has no container engine");
    anyhow::bail!("{} is enrolled at {}, but this build has no container engine", identity.uuid, config.url)
}
