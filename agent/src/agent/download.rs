//! Fetching an image for a rollout.

use std::time::Duration;

use rand::Rng as _;
use tidegate_domain::event::DeviceEvent;
use tidegate_domain::image::Digest;
use tokio::time::{Instant, interval_at, sleep};

use super::{Agent, Stopped, unavailable};
use crate::agent::work::Work;
use crate::fault::{Fault, Reason};
use crate::host::Host;
use crate::image::{Image, Pulled};
use crate::runtime::{Images as _, Runtime};
use crate::server::link::Link;
use crate::server::report::Details;
use crate::server::target::Move;
use crate::state::store::StateStore;

/// Tries of a pull within one attempt of the server.
const PULL_TRIES: u32 = 3;
/// First wait between two of them; doubled for each further one.
const PULL_WAIT: Duration = Duration::from_secs(1);
/// How often a long pull is reported: the server gives up on a device after ten minutes of silence.
const STILL_PULLING: Duration = Duration::from_mins(4);

impl<L: Link, R: Runtime, H: Host, S: StateStore> Agent<L, R, H, S> {
    /// Fetches the image of an update, and reports it.
    pub(super) async fn fetch(&mut self, work: &Work, moving: &Move) -> Result<(), Stopped> {
        let key = moving.key();
        let Some((service, image)) = work.services.first() else { return Ok(()) };
        if let Some(digest) = self.is_here(image).await? {
            self.say(service, &key, DeviceEvent::ImagePulled, Details::of(Some(digest.clone())));
            self.memory.pulled(key.clone(), digest);
        } else {
            self.say(service, &key, DeviceEvent::ImagePulling, Details::default());
            match self.pull(service, image, moving).await {
                Ok(digest) => {
                    self.say(service, &key, DeviceEvent::ImagePulled, Details::of(Some(digest.clone())));
                    self.memory.pulled(key.clone(), digest);
                }
                Err(fault) if fault.reason == Reason::WrongPlatform => {
                    let details = Details::because(fault.reason.word(), fault.why);
                    self.say(service, &key, DeviceEvent::UpdateSkipped, details);
                    self.memory.finish(key);
                    return Ok(());
                }
                Err(fault) => {
                    let details = Details::because(fault.reason.word(), fault.why);
                    self.say(service, &key, DeviceEvent::UpdateFailed, details);
                    self.memory.finish(key);
                    return Ok(());
                }
            }
        }
        // Reported together with the image, so that the server never counts this device as ready to swap.
        let services = work.names();
        if let Some(lock) = self.lock_of(&services) {
            self.block(&services, &key, lock);
        }
        Ok(())
    }

    /// The digest of a pinned image that is here already. One without a digest is fetched anew for each rollout: its
    /// tag may have moved.
    async fn is_here(&mut self, image: &Image) -> Result<Option<Digest>, Stopped> {
        if image.digest.is_none() {
            return Ok(None);
        }
        match self.executor.runtime.present(image).await {
            Ok(present) => Ok(present.and(image.digest.clone())),
            Err(fault) => unavailable(fault).map(|_| None),
        }
    }

    async fn pull(&mut self, service: &str, image: &Image, moving: &Move) -> Result<Digest, Fault> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.pull_once(service, image, moving).await {
                Err(fault) if fault.reason.may_pass() && tries < PULL_TRIES => {
                    tracing::warn!(tries, "the pull is tried again: {fault}");
                    let wait = PULL_WAIT * 2_u32.pow(tries - 1);
                    sleep(wait.mul_f64(self.random.random_range(0.5..1.0))).await;
                }
                answer => return answer,
            }
        }
    }

    async fn pull_once(&mut self, service: &str, image: &Image, moving: &Move) -> Result<Digest, Fault> {
        let seen = self.seen.clone();
        let progress = |pulled: Pulled| seen.send_modify(|seen| seen.pulled = pulled);
        progress(Pulled::default());
        let runtime = self.executor.runtime.clone();
        let pull = runtime.pull(image, &progress);
        tokio::pin!(pull);
        let mut still = interval_at(Instant::now() + STILL_PULLING, STILL_PULLING);
        loop {
            tokio::select! {
                answer = &mut pull => return answer,
                _ = still.tick() => {
                    let Pulled { done, total } = self.seen.borrow().pulled;
                    let message = format!("{} of {} MB", done / 1_000_000, total / 1_000_000);
                    let details = Details { message: Some(message), ..Details::default() };
                    self.say(service, &moving.key(), DeviceEvent::ImagePulling, details);
                    self.send_reports_if_possible().await;
                }
            }
        }
    }
}
