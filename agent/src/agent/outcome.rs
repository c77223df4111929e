//! What is remembered and reported of a swap's steps and of its end.

use jiff::SignedDuration;
use rand::Rng as _;
use tidegate_domain::event::DeviceEvent;

use super::Agent;
use crate::backoff;
use crate::container_spec::Strategy;
use crate::fault::Fault;
use crate::host::Host;
use crate::image::Image;
use crate::locks::Lock;
use crate::runtime::Runtime;
use crate::server::link::Link;
use crate::server::report::Details;
use crate::state::memory::Failed;
use crate::state::store::StateStore;
use crate::update::plan::goes_back;
use crate::update::swap::{Failure, Purpose, ServiceSwap, Stage, Swap, SwapStep};

impl<L: Link, R: Runtime, H: Host, S: StateStore> Agent<L, R, H, S> {
    pub(super) fn step_done(&mut self, swap: &Swap, one: &ServiceSwap, next: &SwapStep) {
        if one.step == SwapStep::RunPreUpdateHook {
            self.report_step(swap, one, DeviceEvent::ContainerUpdating);
        }
        if one.step == SwapStep::Start {
            self.memory.leaves(&one.service);
        }
        let replaces = match one.strategy {
            Strategy::Recreate => SwapStep::Start,
            Strategy::BlueGreen => SwapStep::SwitchOver,
        };
        if one.step == replaces {
            self.settle(&one.service, one.image.clone(), false);
            self.report_step(swap, one, DeviceEvent::UpdateCompleted);
        }
        if *next == SwapStep::Done {
            self.settle(&one.service, one.image.clone(), true);
            if swap.options.check.is_some() {
                self.report_step(swap, one, DeviceEvent::HealthCheckPassed);
            }
        }
    }

    /// Reports a step of an update; of the other purposes only the end is reported.
    fn report_step(&mut self, swap: &Swap, one: &ServiceSwap, event: DeviceEvent) {
        if let Purpose::Update(key) = &swap.purpose {
            self.say(&one.service, key, event, Details::default());
        }
    }

    /// Every service runs its new image, and is healthy.
    pub(super) fn succeeds(&mut self, swap: &Swap) {
        for one in &swap.services {
            match &swap.purpose {
                Purpose::Update(_) => {}
                Purpose::Rollback(key) => self.say(&one.service, key, DeviceEvent::RolledBack, Details::default()),
                Purpose::Converge => self.memory.recovered(&one.service),
            }
        }
        if let Some(key) = swap.purpose.key() {
            self.memory.finish(key.clone());
        }
        self.set_stage(Stage::Settled);
    }

    /// A service failed: the swap goes back, or is over.
    pub(super) fn fails(&mut self, swap: &Swap, failure: Failure) {
        tracing::warn!(service = failure.service, reason = failure.reason.word(), "{}", failure.why);
        if let Purpose::Update(key) = &swap.purpose {
            let details = Details::because(failure.reason.word(), failure.why.clone());
            self.say(&failure.service, key, failure.event, details);
        }
        if goes_back(swap, &failure.service) {
            self.set_stage(Stage::Back(failure));
            return;
        }
        let failed = swap.services.iter().find(|one| one.service == failure.service);
        if let Some(one) = failed.filter(|one| one.new_ran()) {
            self.settle(&one.service, one.image.clone(), false);
        }
        self.end(swap, &failure, None);
        self.set_stage(Stage::Settled);
    }

    fn set_stage(&mut self, stage: Stage) {
        if let Some(swap) = &mut self.memory.swap {
            swap.stage = stage;
        }
    }

    /// Reports the end of a way back; `stuck` is the service that it failed for, and why.
    pub(super) fn report_return(&mut self, swap: &Swap, failure: &Failure, stuck: Option<(String, Fault)>) {
        match (&swap.purpose, &stuck) {
            // Where no replacement was reported, no rollback is.
            (Purpose::Update(key), None) if swap.services.iter().any(ServiceSwap::is_touched) => {
                let details = Details::because(failure.reason.word(), failure.why.clone());
                self.say(&failure.service, key, DeviceEvent::RolledBack, details);
            }
            (Purpose::Update(key), Some((service, fault))) => {
                let details = Details::because("rollback_failed", fault.why.clone());
                self.say(service, key, DeviceEvent::RollbackFailed, details);
            }
            (Purpose::Update(_) | Purpose::Rollback(_) | Purpose::Converge, _) => {}
        }
        self.end(swap, failure, stuck.map(|(_, fault)| fault));
    }

    /// A failed swap is over. The failure of an update was reported before.
    fn end(&mut self, swap: &Swap, failure: &Failure, stuck: Option<Fault>) {
        if let Purpose::Update(key) = &swap.purpose {
            return self.memory.finish(key.clone());
        }
        let fault = stuck.unwrap_or_else(|| Fault::new(failure.reason, failure.why.clone()));
        let failed = swap.services.iter().find(|one| one.service == failure.service);
        let image = failed.map(|one| one.image.clone());
        self.report_failure(&swap.purpose, &failure.service, image, failure.event, &fault);
    }

    /// Reports work that failed; of drift, sets the time of the next try.
    pub(super) fn report_failure(
        &mut self,
        purpose: &Purpose,
        service: &str,
        image: Option<Image>,
        event: DeviceEvent,
        fault: &Fault,
    ) {
        let details = Details::because(fault.reason.word(), fault.why.clone());
        match purpose {
            Purpose::Update(key) => {
                self.say(service, key, event, details);
                self.memory.finish(key.clone());
            }
            Purpose::Rollback(key) => {
                self.say(service, key, DeviceEvent::RollbackFailed, details);
                self.memory.finish(key.clone());
            }
            Purpose::Converge => {
                let Some(image) = image else { return };
                tracing::warn!(service, image = image.image, "cannot be brought to what it should run: {fault}");
                self.count(|tally| tally.failed(format!("{service}: {fault}")));
                let times = self.memory.failure(service, &image).map_or(0, |failed| failed.times) + 1;
                let wait = backoff::wait(times + 5, None, self.random.random_range(0.5..1.0));
                let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::from_mins(15));
                let not_before = (self.clock)().saturating_add(wait).unwrap_or(jiff::Timestamp::MAX);
                self.memory.failed(service, Failed { image, times, not_before, why: fault.why.clone() });
            }
        }
    }

    pub(super) fn put_off(&mut self, swap: &Swap, why: String) {
        self.memory.swap = None;
        let Some(key) = swap.purpose.key() else { return };
        let services: Vec<String> = swap.services.iter().map(|one| one.service.clone()).collect();
        self.block(&services, key, Lock { reason: Some(why), until: None });
        // Unlike a lock, a hook cannot be watched: it is asked again with the server's next answer.
        self.blocked = None;
    }
}
