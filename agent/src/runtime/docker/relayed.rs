//! Pulls through the agent's own relay: limited, resumed, and checked for room and platform before anything is fetched.

use std::path::PathBuf;

use tidegate_domain::image::Digest;

use super::DockerRuntime;
use crate::fault::{Fault, Reason};
use crate::image::{Image, Pulled};
use crate::registry::{Platform, Relays, disk};

/// What pulls go through.
#[derive(Debug)]
pub struct Relayed {
    pub relays: Relays,
    pub spool: PathBuf,
    /// Bytes of the disk that a pull must leave free.
    pub keep_free: u64,
    /// Whether the bandwidth is limited: then no pull may go round the relay.
    pub limited: bool,
}

impl DockerRuntime {
    /// Fetches an image through a relay; none where the engine is to ask the registry by itself: there is no relay, or
    /// the agent cannot ask this registry as the engine may be set up to (a mirror, a certificate of its own).
    pub(super) async fn through_relay(
        &self,
        image: &Image,
        progress: &(dyn Fn(Pulled) + Send + Sync),
    ) -> Result<Option<Digest>, Fault> {
        let Some(Relayed { relays, spool, keep_free, limited }) = &self.relayed else { return Ok(None) };
        let described = self.describe().await?;
        let platform: Platform = described.platform.parse().map_err(|_| {
            Fault::new(Reason::Configuration, format!("the engine's platform is not known: {}", described.platform))
        })?;
        let looked = match relays.client().look(image, &platform).await {
            Ok(looked) => looked,
            Err(fault) if !limited && engine_may_know_better(fault.reason) => {
                tracing::debug!("the engine asks the registry by itself: {fault}");
                return Ok(None);
            }
            Err(fault) => return Err(fault),
        };
        match &described.root {
            Some(root) => disk::check_pull(root.as_ref(), spool, looked.total_bytes, *keep_free)?,
            None => disk::check(spool, looked.total_bytes, *keep_free)?,
        }
        let relay = relays.start(image, &looked).await?;
        let reference = relay.reference();
        // The engine reports to nobody: how far it is, the relay knows better.
        let quiet = |_: Pulled| {};
        let pulled = Image { image: image.image.clone(), digest: Some(looked.digest.clone()) };
        relay.follow(self.pull_from(&reference, &pulled, &quiet), progress).await?;
        if let Err(fault) = relay.finish() {
            tracing::warn!("what was spooled stays for now: {fault}");
        }
        Ok(Some(looked.digest))
    }
}

/// What the agent's own view of a registry may get wrong where the engine is set up for it.
const fn engine_may_know_better(reason: Reason) -> bool {
    match reason {
        Reason::RegistryUnavailable | Reason::RegistryDenied | Reason::Configuration => true,
        Reason::EngineUnavailable
        | Reason::ImageNotFound
        | Reason::WrongPlatform
        | Reason::CorruptImage
        | Reason::DiskFull
        | Reason::NameTaken
        | Reason::PortTaken
        | Reason::EngineKeepsPort
        | Reason::ExitsAtOnce
        | Reason::Unhealthy
        | Reason::HookFailed
        | Reason::Refused => false,
    }
}
