//! Swaps: every step is kept before it is done, so that it goes on wherever the power goes.

use rand::Rng as _;
use tidegate_domain::event::DeviceEvent;
use tokio::time::{Duration, sleep};

use super::work::{Kind, Work};
use super::{Agent, Stopped, unavailable};
use crate::backoff;
use crate::fault::{Fault, Reason};
use crate::host::Host;
use crate::image::Image;
use crate::runtime::{Images as _, Runtime};
use crate::server::link::Link;
use crate::server::report::Details;
use crate::server::target::Move;
use crate::state::store::StateStore;
use crate::update::execute::Outcome;
use crate::update::plan::{self, Observed};
use crate::update::swap::{Failure, Purpose, ServiceSwap, Stage, Swap, SwapOptions, SwapStep};

/// All tries of a check outside of rollouts, where nothing says how long they may take, in seconds.
const CONVERGE_WITHIN: u32 = 300;
/// All tries to see that an image which was healthy before runs again, in seconds.
const ROLLBACK_WITHIN: u32 = 60;
/// Longest wait for a container engine on the way back; it is waited for as long as it takes.
const ENGINE_WAIT: Duration = Duration::from_mins(1);

/// Why a swap does not go on.
enum Obstacle {
    Failed(Failure),
    /// A hook says not now, and nothing was touched yet.
    NotNow(String),
}

impl<L: Link, R: Runtime, H: Host, S: StateStore> Agent<L, R, H, S> {
    /// Starts a swap, and completes it.
    pub(super) async fn start_swap(&mut self, work: Work) -> Result<(), Stopped> {
        let services = work.names();
        let swap = match self.prepare(work).await {
            Ok(Some(swap)) => swap,
            Ok(None) => return Ok(()),
            Err((purpose, fault)) => {
                let fault = unavailable(fault)?;
                let image = self.wanted(&services[0]);
                self.report_failure(&purpose, &services[0], image, DeviceEvent::UpdateFailed, &fault);
                return Ok(());
            }
        };
        self.memory.swap = Some(swap);
        if let Err(error) = self.save() {
            self.memory.swap = None;
            return Err(error.into());
        }
        self.blocked = None;
        self.drive().await;
        Ok(())
    }

    /// What a piece of work takes; `None` where nothing is left to do.
    async fn prepare(&mut self, work: Work) -> Result<Option<Swap>, (Purpose, Fault)> {
        let (purpose, options) = match &work.kind {
            Kind::Swap(moving) => (Purpose::Update(moving.key()), update_options(&work, moving)),
            Kind::GoBack(moving) => (Purpose::Rollback(moving.key()), rollback_options()),
            Kind::Converge | Kind::Pull(_) => (Purpose::Converge, converge_options(&work)),
        };
        let mut services = Vec::new();
        for (service, image) in &work.services {
            let image = match &purpose {
                Purpose::Update(key) => {
                    let pulled = self.memory.has_pulled(key).cloned();
                    Image { image: image.image.clone(), digest: image.digest.clone().or(pulled) }
                }
                Purpose::Rollback(_) => self.memory.way_back(service, image),
                Purpose::Converge => image.clone(),
            };
            let healthy = self.memory.running.get(service).is_none_or(|running| running.healthy);
            let one = self.executor.service_swap(service, image, healthy).await;
            services.push(one.map_err(|fault| (purpose.clone(), fault))?);
        }
        if let Purpose::Rollback(key) = &purpose
            && services.iter().all(|one| self.runs_well(&one.service, &one.image))
        {
            // The device went back by itself already, and its report of that was not heard yet.
            for one in &services {
                self.say(&one.service, key, DeviceEvent::RolledBack, Details::default());
            }
            self.memory.finish(key.clone());
            return Ok(None);
        }
        match self.fetch_images(&purpose, &mut services).await {
            Ok(true) => Ok(Some(Swap { purpose, options, services, stage: Stage::Forward })),
            Ok(false) => Ok(None),
            Err(fault) => Err((purpose, fault)),
        }
    }

    /// Fetches the images that are missing. A rollout's was fetched when it was offered: where it is gone, the work
    /// starts anew with a pull, and there is no swap.
    async fn fetch_images(&mut self, purpose: &Purpose, services: &mut [ServiceSwap]) -> Result<bool, Fault> {
        let runtime = &self.executor.runtime;
        for one in services {
            let digest = match (runtime.present(&one.image).await?, purpose) {
                (Some(digest), _) => digest,
                (None, Purpose::Update(_)) => {
                    self.memory.lost_pulled();
                    return Ok(false);
                }
                (None, Purpose::Rollback(_) | Purpose::Converge) => runtime.pull(&one.image, &|_| {}).await?,
            };
            one.image.digest.get_or_insert(digest);
        }
        Ok(true)
    }

    fn runs_well(&self, service: &str, image: &Image) -> bool {
        let running = self.memory.running.get(service);
        running.is_some_and(|running| running.healthy && running.image.is_same(image))
    }

    fn wanted(&self, service: &str) -> Option<Image> {
        Some(self.memory.target.as_ref()?.services.get(service)?.image.clone())
    }

    /// Completes the swap under way, from whatever step it is at.
    pub(super) async fn drive(&mut self) {
        while let Some(stage) = self.memory.swap.as_ref().map(|swap| swap.stage.clone()) {
            let obstacle = match stage {
                Stage::Forward => self.forward().await,
                Stage::Back(_) | Stage::Settled => Ok(()),
            };
            let Some(swap) = self.memory.swap.clone() else { return };
            match (stage, obstacle) {
                (Stage::Forward, Ok(())) => self.succeeds(&swap),
                (Stage::Forward, Err(Obstacle::Failed(failure))) => self.fails(&swap, failure),
                (Stage::Forward, Err(Obstacle::NotNow(why))) => self.put_off(&swap, why),
                (Stage::Back(failure), _) => self.go_back(&swap, &failure).await,
                (Stage::Settled, _) => self.clear(&swap).await,
            }
            self.save_if_possible();
        }
    }

    /// Does every step of every service, in order.
    async fn forward(&mut self) -> Result<(), Obstacle> {
        let mut index = 0;
        while let Some(swap) = self.memory.swap.clone().filter(|swap| index < swap.services.len()) {
            let one = &swap.services[index];
            if one.step == SwapStep::Done {
                index += 1;
                continue;
            }
            let failed = |Fault { reason, why }| {
                let event = plan::failure_event(&one.step, reason);
                Obstacle::Failed(Failure { service: one.service.clone(), event, reason, why })
            };
            let new = match self.executor.execute(&swap, one).await.map_err(failed)? {
                Outcome::Done => None,
                Outcome::Created(new) => Some(new),
                Outcome::NotNow(why) if index == 0 => return Err(Obstacle::NotNow(why)),
                Outcome::NotNow(why) => {
                    let why = format!("its hook says not now, after another service was updated: {why}");
                    return Err(failed(Fault::new(Reason::HookFailed, why)));
                }
            };
            let next = plan::next_step(one, &Observed::Forward);
            self.step_done(&swap, one, &next);
            if let Some(kept) = self.memory.swap.as_mut().and_then(|swap| swap.services.get_mut(index)) {
                kept.step = next;
                kept.new = new.or(kept.new.take());
            }
            self.save_if_possible();
        }
        Ok(())
    }

    /// Returns every service that was touched to what ran before, the last first, and reports the end.
    async fn go_back(&mut self, swap: &Swap, failure: &Failure) {
        let mut stuck = None;
        for one in swap.services.iter().rev().filter(|one| one.is_touched()) {
            if let Err(fault) = self.return_service(swap, one).await {
                stuck.get_or_insert((one.service.clone(), fault));
            }
        }
        self.memory.swap = None;
        self.report_return(swap, failure, stuck);
    }

    /// Returns one service, or keeps its new container where that is not possible. A container engine that does not
    /// answer is waited for.
    async fn return_service(&mut self, swap: &Swap, one: &ServiceSwap) -> Result<(), Fault> {
        let mut failures = 0;
        loop {
            match self.try_return(swap, one).await {
                Err(fault) if fault.reason == Reason::EngineUnavailable => {
                    failures += 1;
                    tracing::warn!(service = one.service, "the way back waits for the engine: {fault}");
                    self.send_reports_if_possible().await;
                    sleep(backoff::wait(failures, None, self.random.random_range(0.5..1.0)).min(ENGINE_WAIT)).await;
                }
                Err(fault) => {
                    let step = plan::next_step(one, &Observed::Stuck);
                    self.keep_something(swap, &ServiceSwap { step, ..one.clone() }).await;
                    return Err(fault);
                }
                Ok(()) => break,
            }
        }
        if let Some(image) = swap.previous(one).cloned() {
            let healthy = one.old.as_ref().is_none_or(|old| old.healthy);
            self.settle(&one.service, image, healthy);
        } else {
            // Nothing ran before, and nothing runs now.
            self.memory.running.remove(&one.service);
        }
        Ok(())
    }

    async fn try_return(&mut self, swap: &Swap, one: &ServiceSwap) -> Result<(), Fault> {
        let observed = self.executor.observe(swap, one).await?;
        let mut one = one.clone();
        loop {
            one.step = plan::next_step(&one, &observed);
            if one.step == SwapStep::Returned {
                return Ok(());
            }
            self.executor.execute(swap, &one).await?;
        }
    }

    /// Keeps the new container up where the old one cannot be started.
    async fn keep_something(&mut self, swap: &Swap, one: &ServiceSwap) {
        let kept = self.executor.execute(swap, one).await;
        if matches!(one.step, SwapStep::KeepNew(_)) && kept.is_ok() {
            return self.settle(&one.service, one.image.clone(), false);
        }
        if let Err(fault) = kept {
            tracing::error!(service = one.service, "neither the old container nor the new one runs: {fault}");
        }
        self.memory.down_services.insert(one.service.clone());
    }

    /// Removes leftover containers and images. The outcome is reported by now: a failure here does not change it.
    async fn clear(&mut self, swap: &Swap) {
        for one in &swap.services {
            if let Err(fault) = self.executor.tidy(&one.service).await {
                tracing::warn!(service = one.service, "what is left over stays for now: {fault}");
            }
        }
        self.memory.swap = None;
        if let Err(fault) = self.executor.runtime.prune(&self.memory.needed()).await {
            tracing::warn!("old images stay for now: {fault}");
        }
    }
}

fn update_options(work: &Work, moving: &Move) -> SwapOptions {
    SwapOptions {
        check: work.check.clone(),
        healthy_for_seconds: moving.healthy_for_seconds,
        within_seconds: moving.health_check_timeout_seconds,
        go_back: moving.auto_rollback,
        previous: moving.previous.clone(),
    }
}

/// The old image was healthy once: that it runs is enough, and where it does not, what ran before stays.
const fn rollback_options() -> SwapOptions {
    SwapOptions { check: None, healthy_for_seconds: 0, within_seconds: ROLLBACK_WITHIN, go_back: true, previous: None }
}

fn converge_options(work: &Work) -> SwapOptions {
    SwapOptions { check: work.check.clone(), within_seconds: CONVERGE_WITHIN, ..rollback_options() }
}
