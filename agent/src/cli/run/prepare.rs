//! From a configuration to everything that the agent's loop needs.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use tokio::time::sleep;

use crate::backoff;
use crate::cli::notify;
use crate::cli::services::facts;
use crate::config::Config;
use crate::host::DeviceHost;
use crate::server::enrol::{EnrolError, Reenrolling, enrol, provisioning_key};
use crate::server::http::{Client, HttpLink};
use crate::server::identity::{Identity, IdentityFile};
use crate::state::memory::Memory;
use crate::state::store::file::{FileStore, Opened};

/// How long until the server is asked again where somebody must act there first.
const OPERATOR: Duration = Duration::from_mins(15);

/// What the agent's loop needs beside its engine.
#[derive(Debug)]
pub struct Prepared {
    /// Who the device is.
    pub identity: Identity,
    pub link: Reenrolling,
    /// The journal.
    pub store: FileStore,
    /// What the store held, or what is known without it.
    pub memory: Memory,
    /// Locks and hooks.
    pub host: DeviceHost,
}

/// Puts it together. A device that is not enrolled yet asks until the server takes it; `services` is then asked for
/// what it runs.
pub async fn prepare(
    config: &Config,
    services: impl AsyncFn() -> anyhow::Result<BTreeMap<String, String>>,
) -> anyhow::Result<Prepared> {
    let path = config.state_dir.join("journal");
    let Opened { store, state, set_aside } =
        FileStore::open(&path).with_context(|| format!("the journal {} cannot be opened", path.display()))?;
    if let Some(aside) = set_aside {
        tracing::error!(
            kept = %aside.display(),
            "THE JOURNAL IS DAMAGED: what was under way and what was not reported yet is lost; what runs is taken as it is"
        );
    }
    let client = Client::new(&config.url).context("TLS cannot be set up")?;
    let identity_file = IdentityFile::within(&config.state_dir);
    let (identity, new) = match identity_file.load_for(&config.url)? {
        Some(known) if known.token.is_some() => (known, false),
        Some(_) | None => (until_enrolled(config, &client, &identity_file, services).await?, true),
    };
    let token = identity.token.clone().context("an identity that is enrolled has a token")?;
    let link = HttpLink::new(client.clone(), config.state_base(), identity.uuid, token);
    let link = Reenrolling::new(link, client, config.clone(), identity_file);
    let memory = remembered(state.as_deref(), new, Timestamp::now());
    Ok(Prepared { identity, link, store, memory, host: DeviceHost::new(config) })
}

/// What the device remembers. One that the server knows and that remembers nothing has lost it: a journal that is
/// damaged or gone, or of an agent that wrote it otherwise.
fn remembered(state: Option<&[u8]>, new: bool, now: Timestamp) -> Memory {
    match state.map(serde_json::from_slice) {
        Some(Ok(memory)) => memory,
        Some(Err(error)) => {
            tracing::error!(%error, "THE JOURNAL IS NOT THIS AGENT'S: what runs is taken as it is");
            Memory::after_loss(now)
        }
        None if new => Memory::default(),
        None => Memory::after_loss(now),
    }
}

async fn until_enrolled(
    config: &Config,
    client: &Client,
    file: &IdentityFile,
    services: impl AsyncFn() -> anyhow::Result<BTreeMap<String, String>>,
) -> anyhow::Result<Identity> {
    let mut failures = 0;
    loop {
        failures += 1;
        // Read anew each time: the key, the services and the way to the server may all be mended meanwhile.
        let (why, wait) = match services().await {
            Err(error) => (format!("{error:#}"), backoff::wait(failures, None, rand::random())),
            Ok(services) => match once(config, client, file, services).await {
                Ok(identity) => {
                    tracing::info!(device_uuid = %identity.uuid, "the device is enrolled");
                    return Ok(identity);
                }
                Err(error) => match wait_after(&error, failures, rand::random()) {
                    Some(wait) => (error.to_string(), wait),
                    None => return Err(error.into()),
                },
            },
        };
        tracing::warn!(wait_seconds = wait.as_secs(), "the device is not enrolled yet: {why}");
        notify::status(&format!("not enrolled yet: {why}"));
        sleep(wait).await;
    }
}

async fn once(
    config: &Config,
    client: &Client,
    file: &IdentityFile,
    services: BTreeMap<String, String>,
) -> Result<Identity, EnrolError> {
    let key = provisioning_key(config)?;
    enrol(client, config, file, &key, &facts(services)).await
}

/// How long to wait before enrolling is tried again; none where somebody must mend this device first.
fn wait_after(error: &EnrolError, failures: u32, share: f64) -> Option<Duration> {
    match error {
        EnrolError::Later { after, .. } => Some(backoff::wait(failures, *after, share)),
        // A server's mind can be changed at the server, and nobody may ever come to this device.
        EnrolError::AlreadyEnrolled(_) | EnrolError::Refused(_) => Some(OPERATOR.mul_f64(1.0 + share / 10.0)),
        EnrolError::NoFleet | EnrolError::NoKey | EnrolError::Key { .. } | EnrolError::Identity(_) => None,
    }
}
