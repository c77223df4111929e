//! The agent: polls, does what [`work::next`] names, and reports, until the server knows the device no more.

mod download;
mod locks;
mod observe;
mod outcome;
mod swap;
mod sync;
pub mod work;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use tidegate_domain::event::DeviceEvent;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};
use uuid::Builder;

use self::work::{Kind, Work};
use crate::backoff;
use crate::fault::{Fault, Reason};
use crate::host::Host;
use crate::image::Image;
use crate::runtime::Runtime;
use crate::server::link::{Link, LinkError};
use crate::server::report::Details;
use crate::server::target::MoveKey;
use crate::state::memory::{Memory, Running};
use crate::state::snapshot::{Doing, Snapshot, Tally};
use crate::state::store::StateStore;
use crate::update::execute::Executor;

/// How often a lock that blocks an update is looked at.
const LOCK_LOOK: Duration = Duration::from_secs(5);
/// How often restoring a service that is down is tried.
const DOWN_SERVICES_LOOK: Duration = Duration::from_secs(15);
/// Between two calls of a device whose token is not accepted; longer with each.
const DENIED_WAIT: Duration = Duration::from_mins(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The server knows it no more; what runs, runs on.
    Deleted,
}

pub struct Ports<L, R, H, S> {
    pub link: L,
    pub runtime: Arc<R>,
    pub host: Arc<H>,
    /// What survives a power cut.
    pub store: S,
}

/// What an agent is given of the world besides its ports.
pub struct Setting {
    /// Where randomness begins: of jitter and of report ids.
    pub draw: u64,
    /// The device's clock: only for what people read.
    pub clock: fn() -> Timestamp,
    pub seen: watch::Sender<Snapshot>,
    /// Told to poll now.
    pub wake: Arc<Notify>,
}

/// An agent with its containers and its way to the server.
pub struct Agent<L, R, H, S> {
    link: L,
    executor: Executor<R, H>,
    store: S,
    memory: Memory,
    /// What the store holds.
    kept: Option<Memory>,
    etag: Option<String>,
    report_etag: Option<String>,
    random: SmallRng,
    clock: fn() -> Timestamp,
    seen: watch::Sender<Snapshot>,
    wake: Arc<Notify>,
    /// The work that a lock blocks, and its services.
    blocked: Option<(MoveKey, Vec<String>)>,
    failures: u32,
}

/// Why a turn ended before its end.
#[derive(Debug)]
enum Stopped {
    /// The server could not be reached, or said no.
    Link(LinkError),
    /// The state could not be written: nothing is started that could be forgotten.
    StateStore(std::io::Error),
    /// The engine does not answer.
    Runtime(Fault),
}

impl From<LinkError> for Stopped {
    fn from(error: LinkError) -> Self {
        Self::Link(error)
    }
}

impl From<std::io::Error> for Stopped {
    fn from(error: std::io::Error) -> Self {
        Self::StateStore(error)
    }
}

impl<L: Link, R: Runtime, H: Host, S: StateStore> Agent<L, R, H, S> {
    /// An agent that goes on where `memory` ends.
    pub fn new(ports: Ports<L, R, H, S>, memory: Memory, setting: Setting) -> Self {
        let Ports { link, runtime, host, store } = ports;
        let Setting { draw, clock, seen, wake } = setting;
        let random = SmallRng::seed_from_u64(draw);
        Self {
            link,
            executor: Executor::new(runtime, host),
            store,
            kept: Some(memory.clone()),
            memory,
            etag: None,
            report_etag: None,
            random,
            clock,
            seen,
            wake,
            blocked: None,
            failures: 0,
        }
    }

    /// Runs until the server has deleted the device; the first poll comes after `wait`. A swap that was interrupted is
    /// completed before anything else.
    pub async fn run(mut self, wait: Duration) -> Ended {
        self.publish(|_| {});
        self.recover().await;
        let mut wait = wait;
        loop {
            self.rest(wait).await;
            match self.turn().await {
                Ok(after) => wait = after,
                Err(ended) => return ended,
            }
        }
    }

    /// Completes a swap that was interrupted, and removes leftover containers where none was.
    pub async fn recover(&mut self) {
        if self.memory.swap.is_some() {
            tracing::info!("a swap was cut; it goes on");
            self.drive().await;
        } else if let Err(fault) = self.executor.tidy_all().await {
            self.count(|tally| tally.failed(format!("what is left over cannot be looked at: {fault}")));
        }
        self.restore_down_services().await;
    }

    /// Looks at what runs, reports it, polls, and works until there is nothing to do. Answers when the next turn is.
    pub async fn turn(&mut self) -> Result<Duration, Ended> {
        match self.try_turn().await {
            Ok(after) => {
                self.failures = 0;
                Ok(after)
            }
            Err(stopped) => self.later(stopped).await,
        }
    }

    async fn try_turn(&mut self) -> Result<Duration, Stopped> {
        self.restore_down_services().await;
        loop {
            self.observe().await;
            self.send_reports().await?;
            let after = self.poll().await?;
            let now = (self.clock)();
            let Some(work) = self.memory.target.as_ref().and_then(|target| work::next(target, &self.memory, now))
            else {
                self.doing(if self.blocked.is_some() { Doing::Blocked } else { Doing::Idle });
                return Ok(after.mul_f64(self.random.random_range(1.0..1.1)));
            };
            if self.is_locked(&work)? {
                self.send_reports().await?;
                self.doing(Doing::Blocked);
                return Ok(after);
            }
            self.perform(work).await?;
        }
    }

    async fn perform(&mut self, work: Work) -> Result<(), Stopped> {
        match work.kind {
            Kind::Pull(ref moving) => {
                self.doing(Doing::Pulling);
                self.fetch(&work, moving).await
            }
            Kind::Swap(_) | Kind::GoBack(_) | Kind::Converge => {
                self.doing(Doing::Swapping);
                self.start_swap(work).await
            }
        }
    }

    /// How long to wait after an error: as the server asks, or longer each time. Work without the server is done first.
    async fn later(&mut self, stopped: Stopped) -> Result<Duration, Ended> {
        self.failures += 1;
        let (after, why, doing) = match stopped {
            Stopped::Link(LinkError::Deleted) => {
                self.doing(Doing::Deleted);
                return Err(Ended::Deleted);
            }
            Stopped::Link(LinkError::Later { after, why }) => (after, why, Doing::Unheard),
            Stopped::Link(LinkError::Refused(why)) => (None, why, Doing::Unheard),
            Stopped::Link(LinkError::Denied(why)) => {
                (Some(DENIED_WAIT * self.failures.min(15)), format!("the token is not accepted: {why}"), Doing::Denied)
            }
            Stopped::StateStore(error) => (None, format!("the journal cannot be written: {error}"), Doing::Idle),
            Stopped::Runtime(fault) => (None, format!("the container engine: {fault}"), Doing::Idle),
        };
        tracing::warn!(failures = self.failures, "{why}");
        self.count(|tally| tally.failed(why));
        self.doing(doing);
        let now = (self.clock)();
        if let Some(work) = self.memory.target.as_ref().and_then(|target| work::at_rest(target, &self.memory, now))
            && let Err(stopped) = self.perform(work).await
        {
            tracing::warn!(?stopped, "nothing could be done meanwhile");
        }
        self.doing(doing);
        Ok(backoff::wait(self.failures, after, self.random.random()))
    }

    /// Sleeps until the next turn; ends early when a lock that blocks an update goes, or when woken.
    async fn rest(&mut self, wait: Duration) {
        let until = Instant::now() + wait;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let Some((key, services)) = self.blocked.clone() else {
                let has_down_services = !self.memory.down_services.is_empty() && left > DOWN_SERVICES_LOOK;
                let woken = timeout(if has_down_services { DOWN_SERVICES_LOOK } else { left }, self.wake.notified())
                    .await
                    .is_ok();
                if woken || !has_down_services {
                    return;
                }
                self.restore_down_services().await;
                continue;
            };
            if left.is_zero() {
                return;
            }
            if self.lock_of(&services).is_none() {
                // The image is still here: reporting it again ends the server's wait for the lock.
                self.blocked = None;
                if let (crate::server::target::Action::Update, Some(digest)) =
                    (key.action, self.memory.has_pulled(&key))
                {
                    let details = Details::of(Some(digest.clone()));
                    self.say(&services[0], &key, DeviceEvent::ImagePulled, details);
                }
                return;
            }
            sleep(left.min(LOCK_LOOK)).await;
        }
    }

    fn say(&mut self, service: &str, key: &MoveKey, event: DeviceEvent, details: Details) {
        let id = Builder::from_random_bytes(self.random.random()).into_uuid();
        let (rollout_id, attempt) = (&key.rollout_id, key.attempt);
        tracing::info!(service, %rollout_id, attempt, reason = details.reason, why = details.message, "{event}");
        self.memory.report((id, (self.clock)()), service, key, event, details);
    }

    /// What runs from now on.
    fn settle(&mut self, service: &str, image: Image, healthy: bool) {
        self.memory.running.insert(service.to_owned(), Running::new(image, healthy));
        self.publish(|_| {});
    }

    /// Writes the state, before anything of it is reported: a number that was used for one report must never be used
    /// for another.
    fn save(&mut self) -> Result<(), std::io::Error> {
        if self.kept.as_ref() == Some(&self.memory) {
            return Ok(());
        }
        self.kept = None;
        self.store.write(&serde_json::to_vec(&self.memory)?)?;
        self.kept = Some(self.memory.clone());
        Ok(())
    }

    /// Writes the state where that is possible: a swap under way must be completed even on a broken disk.
    fn save_if_possible(&mut self) {
        if let Err(error) = self.save() {
            tracing::error!(%error, "the journal cannot be written; the swap goes on");
            self.count(|tally| tally.failed(format!("the journal cannot be written: {error}")));
        }
    }

    fn doing(&self, doing: Doing) {
        self.publish(|seen| seen.doing = doing);
    }

    fn count(&self, count: impl FnOnce(&mut Tally)) {
        self.publish(|seen| count(&mut seen.tally));
    }

    fn publish(&self, change: impl FnOnce(&mut Snapshot)) {
        self.seen.send_modify(|seen| {
            change(seen);
            seen.memory.clone_from(&self.memory);
        });
    }
}

/// A container engine that does not answer ends a turn; any other fault is an answer.
fn unavailable(fault: Fault) -> Result<Fault, Stopped> {
    if fault.reason == Reason::EngineUnavailable { Err(Stopped::Runtime(fault)) } else { Ok(fault) }
}
