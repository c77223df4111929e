//! The agent: polls, does what [`work::next`] names, and reports, until the device is gone.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use serde::Serialize;
use tidegate_domain::event::DeviceEvent;
use tokio::time::sleep;
use uuid::Builder;

use super::backoff;
use super::containers::{Containers, Fault, Way};
use super::health::{Verdict, verdict};
use super::link::{Link, LinkError, Polled};
use super::memory::{Failed, Memory, Running};
use super::report::{Details, Ignored, StateReport};
use super::target::{Image, Move, TargetState};
use super::work::{self, Kind, Work};

/// Tries of a pull within one attempt (semantics rule 23).
const PULL_TRIES: u32 = 3;
/// First wait between two of them; doubled for each further one.
const PULL_WAIT: Duration = Duration::from_secs(1);
/// Reports in one body, as the contract allows.
const REPORTS_MAX: usize = 100;
/// Ignored reports that are kept to be shown.
const IGNORED_KEPT: usize = 20;
/// Time for a check outside of rollouts, where nothing says one.
const CONVERGE_WITHIN: Duration = Duration::from_mins(5);

/// What can be seen of a device from outside.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// What it remembers.
    pub(crate) memory: Memory,
    /// What the server told it last.
    pub(crate) target: Option<TargetState>,
    /// What it is doing.
    pub(crate) doing: Doing,
    /// What it did so far.
    pub(crate) tally: Tally,
}

/// What a device is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Doing {
    /// It was not heard of yet.
    #[default]
    Starting,
    /// It waits for its next poll.
    Idle,
    /// It fetches an image.
    Pulling,
    /// It replaces a container and checks it, there or back.
    Swapping,
    /// The server does not answer it.
    Unheard,
    /// The server knows it no more.
    Deleted,
    /// It is silent for good.
    Vanished,
}

/// What a device did so far.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub(crate) struct Tally {
    /// Polls that were answered.
    pub(crate) polls: u64,
    /// Of these, with nothing new.
    pub(crate) unchanged: u64,
    /// Bodies of reports that were taken.
    pub(crate) reports: u64,
    /// Calls that came to nothing and were repeated.
    pub(crate) errors: u64,
    /// The last of their reasons.
    pub(crate) last_error: Option<String>,
    /// Reports that the server ignored, the newest last.
    pub(crate) ignored: Vec<Ignored>,
}

/// How a device ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The server knows it no more.
    Deleted,
    /// It vanished.
    Vanished,
}

impl From<Fault> for Ended {
    /// A fault that nobody handled is the device's end.
    fn from(_: Fault) -> Self {
        Self::Vanished
    }
}

/// An agent with its containers and its way to the server.
pub(crate) struct Agent<L, C> {
    link: L,
    containers: C,
    memory: Memory,
    target: Option<TargetState>,
    etag: Option<String>,
    report_etag: Option<String>,
    random: SmallRng,
    clock: fn() -> Timestamp,
    seen: Arc<Mutex<Seen>>,
}

impl<L: Link, C: Containers> Agent<L, C> {
    /// An agent that goes on where `memory` ends. What it does can be watched in `seen`.
    pub(crate) fn new(
        (link, containers): (L, C),
        memory: Memory,
        draw: u64,
        clock: fn() -> Timestamp,
        seen: Arc<Mutex<Seen>>,
    ) -> Self {
        let random = SmallRng::seed_from_u64(draw);
        Self { link, containers, memory, target: None, etag: None, report_etag: None, random, clock, seen }
    }

    /// Runs until the device is gone; the first poll comes after `wait`.
    pub(crate) async fn run(mut self, mut wait: Duration) -> Ended {
        loop {
            self.watch(|_| {});
            sleep(wait).await;
            match self.turn().await {
                Ok(after) => wait = after,
                Err(ended) => {
                    self.doing(match ended {
                        Ended::Deleted => Doing::Deleted,
                        Ended::Vanished => Doing::Vanished,
                    });
                    return ended;
                }
            }
        }
    }

    /// Tells what is untold, polls, and works until the answer asks for nothing more. Answers when to poll next.
    pub(crate) async fn turn(&mut self) -> Result<Duration, Ended> {
        loop {
            self.tell().await?;
            let after = self.poll().await?;
            let now = (self.clock)();
            let Some(work) = self.target.as_ref().and_then(|target| work::next(target, &self.memory, now)) else {
                self.doing(Doing::Idle);
                return Ok(after);
            };
            self.perform(work).await?;
        }
    }

    async fn perform(&mut self, work: Work) -> Result<(), Ended> {
        let Work { service, image, check, kind } = work;
        match kind {
            Kind::Pull(moving) => {
                self.doing(Doing::Pulling);
                self.pull(&service, &image, &moving).await
            }
            Kind::Swap(moving) => {
                self.doing(Doing::Swapping);
                self.swap(&service, &image, check.as_ref(), &moving).await
            }
            Kind::GoBack(moving) => {
                self.doing(Doing::Swapping);
                self.go_back(&service, &image, &moving).await?;
                self.memory.finish(moving.key());
                Ok(())
            }
            Kind::Converge => {
                self.doing(Doing::Swapping);
                self.converge(&service, &image, check.as_ref()).await
            }
        }
    }

    async fn pull(&mut self, service: &str, image: &Image, moving: &Move) -> Result<(), Ended> {
        self.say(service, moving, DeviceEvent::ImagePulling, Details::default());
        let mut tries = 0;
        loop {
            tries += 1;
            match self.containers.pull(image).await {
                Ok(digest) => {
                    self.say(service, moving, DeviceEvent::ImagePulled, Details::of(Some(digest.clone())));
                    self.memory.pulled(moving.key(), digest);
                    return Ok(());
                }
                Err(Fault::Failed(why)) if tries >= PULL_TRIES => {
                    self.say(service, moving, DeviceEvent::UpdateFailed, Details::because("pull_failed", why));
                    self.memory.finish(moving.key());
                    return Ok(());
                }
                Err(Fault::Failed(_)) => {
                    let wait = PULL_WAIT * 2_u32.pow(tries - 1);
                    sleep(wait.mul_f64(self.random.random_range(0.5..1.0))).await;
                }
                Err(Fault::Gone) => return Err(Ended::Vanished),
            }
        }
    }

    async fn swap(
        &mut self,
        service: &str,
        image: &Image,
        check: Option<&tidegate_domain::health::HealthCheck>,
        moving: &Move,
    ) -> Result<(), Ended> {
        self.say(service, moving, DeviceEvent::ContainerUpdating, Details::default());
        let pulled = self.memory.has_pulled(&moving.key()).cloned();
        let image = &Image { image: image.image.clone(), digest: image.digest.clone().or(pulled) };
        let outcome = match self.start(service, image).await {
            Ok(()) => {
                self.say(service, moving, DeviceEvent::UpdateCompleted, Details::default());
                let held = Duration::from_secs(moving.healthy_for_seconds.into());
                let within = Duration::from_secs(moving.health_check_timeout_seconds.into());
                match check {
                    None => None,
                    Some(check) => match verdict(&mut self.containers, service, check, held, within).await? {
                        Verdict::Healthy => {
                            self.say(service, moving, DeviceEvent::HealthCheckPassed, Details::default());
                            None
                        }
                        Verdict::Unhealthy(why) => Some((DeviceEvent::HealthCheckFailed, "unhealthy", why)),
                    },
                }
            }
            Err(Fault::Failed(why)) => Some((DeviceEvent::UpdateFailed, "swap_failed", why)),
            Err(Fault::Gone) => return Err(Ended::Vanished),
        };
        if let Some((event, reason, why)) = outcome {
            self.say(service, moving, event, Details::because(reason, why));
            match moving.previous.as_ref().filter(|_| moving.auto_rollback) {
                Some(previous) => self.go_back(service, previous, moving).await?,
                None => self.settle(service, image.clone(), false),
            }
        } else {
            self.settle(service, image.clone(), true);
        }
        self.memory.finish(moving.key());
        Ok(())
    }

    /// Replaces the container by the new image; from then on that is what runs.
    async fn start(&mut self, service: &str, image: &Image) -> Result<(), Fault> {
        self.memory.leaves(service);
        let started = self.containers.replace(service, image, Way::There).await;
        self.settle(service, image.clone(), false);
        started
    }

    async fn go_back(&mut self, service: &str, image: &Image, moving: &Move) -> Result<(), Ended> {
        let image = &self.memory.way_back(service, image);
        let there = self.memory.running.get(service).is_some_and(|runs| runs.healthy && runs.image.is_same(image));
        let replaced = if there { Ok(()) } else { self.containers.replace(service, image, Way::Back).await };
        match replaced {
            Ok(()) => {
                self.settle(service, image.clone(), true);
                self.say(service, moving, DeviceEvent::RolledBack, Details::default());
            }
            Err(Fault::Failed(why)) => {
                self.say(service, moving, DeviceEvent::RollbackFailed, Details::because("rollback_failed", why));
            }
            Err(Fault::Gone) => return Err(Ended::Vanished),
        }
        Ok(())
    }

    /// Brings a service to what it should run outside of any rollout: same swap and check, back on failure, told by
    /// what runs alone.
    async fn converge(
        &mut self,
        service: &str,
        image: &Image,
        check: Option<&tidegate_domain::health::HealthCheck>,
    ) -> Result<(), Ended> {
        let before = self.memory.running.get(service).cloned();
        if let Some(reached) = self.try_to_reach(service, image, check).await? {
            self.settle(service, reached, true);
            self.memory.recovered(service);
            return Ok(());
        }
        if let Some(before) = before {
            match self.containers.replace(service, &before.image, Way::Back).await {
                Ok(()) => self.settle(service, before.image, true),
                Err(Fault::Failed(_)) => {}
                Err(Fault::Gone) => return Err(Ended::Vanished),
            }
        }
        let times = self.memory.failure(service, image).map_or(0, |failed| failed.times) + 1;
        let wait = backoff::wait(times + 5, None, self.random.random_range(0.5..1.0));
        let not_before = (self.clock)().saturating_add(wait).unwrap_or(Timestamp::MAX);
        self.memory.failed(service, Failed { image: image.clone(), times, not_before });
        Ok(())
    }

    async fn try_to_reach(
        &mut self,
        service: &str,
        image: &Image,
        check: Option<&tidegate_domain::health::HealthCheck>,
    ) -> Result<Option<Image>, Ended> {
        let outcome = async {
            let digest = self.containers.pull(image).await?;
            let image = Image { digest: image.digest.clone().or(Some(digest)), ..image.clone() };
            self.start(service, &image).await?;
            let verdict = match check {
                None => Verdict::Healthy,
                Some(check) => verdict(&mut self.containers, service, check, Duration::ZERO, CONVERGE_WITHIN).await?,
            };
            Ok((verdict == Verdict::Healthy).then_some(image))
        };
        match outcome.await {
            Ok(reached) => Ok(reached),
            Err(Fault::Failed(_)) => Ok(None),
            Err(Fault::Gone) => Err(Ended::Vanished),
        }
    }

    /// What runs from now on.
    fn settle(&mut self, service: &str, image: Image, healthy: bool) {
        self.memory.running.insert(service.to_owned(), Running { image, healthy });
        self.watch(|_| {});
    }

    fn say(&mut self, service: &str, moving: &Move, event: DeviceEvent, details: Details) {
        let id = Builder::from_random_bytes(self.random.random()).into_uuid();
        self.memory.report((id, (self.clock)()), service, &moving.key(), event, details);
    }

    /// Polls until there is an answer.
    async fn poll(&mut self) -> Result<Duration, Ended> {
        let mut failures = 0;
        loop {
            let known: Vec<String> = self.etag.iter().chain(&self.report_etag).cloned().collect();
            match self.link.poll(&known).await {
                Ok(Polled::Unchanged { after }) => {
                    self.watch(|tally| {
                        tally.polls += 1;
                        tally.unchanged += 1;
                    });
                    return Ok(after);
                }
                Ok(Polled::Target { target, etag, after }) => {
                    self.target = Some(target);
                    self.etag = etag;
                    self.watch(|tally| tally.polls += 1);
                    return Ok(after);
                }
                Err(error) => self.pause(error, &mut failures).await?,
            }
        }
    }

    /// Tells everything that is untold; keeps on until the server took it or refused it for good.
    async fn tell(&mut self) -> Result<(), Ended> {
        let mut failures = 0;
        loop {
            let (services, reports) = (self.memory.untold(), self.memory.outbox(REPORTS_MAX));
            if services.is_empty() && reports.is_empty() {
                return Ok(());
            }
            let (count, running) = (reports.len(), self.memory.running.clone());
            match self.link.report(&StateReport { services, reports }).await {
                Ok(reported) => {
                    self.report_etag = reported.etag.or(self.report_etag.take());
                    self.memory.sent(count);
                    self.memory.told(running);
                    self.watch(|tally| {
                        tally.reports += 1;
                        tally.ignored.extend(reported.taken.ignored);
                        let surplus = tally.ignored.len().saturating_sub(IGNORED_KEPT);
                        tally.ignored.drain(..surplus);
                    });
                    failures = 0;
                }
                Err(LinkError::Refused(why)) => {
                    // The same body would be refused for ever; what runs is told again with the next change.
                    self.memory.sent(count);
                    self.memory.told(running);
                    self.failed(why);
                }
                Err(error) => self.pause(error, &mut failures).await?,
            }
        }
    }

    /// Waits after an error, as the server asks or longer each time.
    async fn pause(&mut self, error: LinkError, failures: &mut u32) -> Result<(), Ended> {
        *failures += 1;
        let (after, why) = match error {
            LinkError::Deleted => return Err(Ended::Deleted),
            LinkError::Later { after, why } => (after, why),
            LinkError::Refused(why) => (None, why),
        };
        self.failed(why);
        let before = self.seen.lock().unwrap_or_else(PoisonError::into_inner).doing;
        self.doing(Doing::Unheard);
        sleep(backoff::wait(*failures, after, self.random.random())).await;
        self.doing(before);
        Ok(())
    }

    fn failed(&self, why: String) {
        self.watch(|tally| {
            tally.errors += 1;
            tally.last_error = Some(why);
        });
    }

    fn doing(&self, doing: Doing) {
        self.watch(|_| {});
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).doing = doing;
    }

    /// Shows how things stand.
    fn watch(&self, count: impl FnOnce(&mut Tally)) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        count(&mut seen.tally);
        seen.memory.clone_from(&self.memory);
        seen.target.clone_from(&self.target);
    }
}
