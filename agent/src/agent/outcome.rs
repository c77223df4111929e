//! How a swap ends: what is remembered, what is told, what is removed.

use jiff::SignedDuration;
use rand::Rng as _;
use tidegate_domain::event::DeviceEvent;

use super::Agent;
use crate::backoff;
use crate::fault::Fault;
use crate::host::Host;
use crate::image::Image;
use crate::locks::Lock;
use crate::runtime::{Images as _, Runtime};
use crate::server::link::Link;
use crate::server::report::Details;
use crate::state::memory::Failed;
use crate::state::store::StateStore;
use crate::update::swap::{Failure, Purpose, Stage, Swap, SwapStep};

impl<L: Link, E: Runtime, H: Host, J: StateStore> Agent<L, E, H, J> {
    pub(super) fn succeeds(&mut self, swap: &Swap) {
        match &swap.purpose {
            Purpose::Update(key) => self.memory.finish(key.clone()),
            Purpose::Rollback(key) => {
                for service_swap in &swap.services {
                    self.say(&service_swap.service, key, DeviceEvent::RolledBack, Details::default());
                }
                self.memory.finish(key.clone());
            }
            Purpose::Converge => {
                for service_swap in &swap.services {
                    self.memory.recovered(&service_swap.service);
                }
            }
        }
        self.stage(Stage::Settled);
    }

    /// A part failed: back, where there is a way back and the policy wants it. Where the new container never ran there
    /// is no choice: nothing was replaced.
    pub(super) fn fails(&mut self, swap: &Swap, failure: Failure) {
        tracing::warn!(service = failure.service, reason = failure.reason.word(), "{}", failure.why);
        if let Purpose::Update(key) = &swap.purpose {
            let details = Details::because(failure.reason.word(), failure.why.clone());
            self.say(&failure.service, key, failure.event, details);
        }
        let services = self.memory.swap.as_ref().map_or(&[][..], |swap| &swap.services);
        let ran = services
            .iter()
            .any(|service_swap| service_swap.service == failure.service && service_swap.at >= SwapStep::Started);
        let way = services.iter().any(|service_swap| service_swap.from.is_some()) || swap.options.previous.is_some();
        if way && (swap.options.go_back || !ran) {
            self.stage(Stage::Back(failure));
            return;
        }
        let image = swap
            .services
            .iter()
            .find(|service_swap| service_swap.service == failure.service)
            .map(|service_swap| service_swap.image.clone());
        if ran && let Some(image) = &image {
            self.settle(&failure.service, image.clone(), false);
        }
        match &swap.purpose {
            Purpose::Update(key) => self.memory.finish(key.clone()),
            Purpose::Rollback(_) | Purpose::Converge => {
                let fault = Fault::new(failure.reason, failure.why.clone());
                self.tell_failure(&swap.purpose, &failure.service, image, failure.event, &fault);
            }
        }
        self.stage(Stage::Settled);
    }

    /// The end of a piece of work that came to nothing.
    pub(super) fn tell_failure(
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
        let services: Vec<String> = swap.services.iter().map(|service_swap| service_swap.service.clone()).collect();
        self.block(&services, key, Lock { reason: Some(why), until: None });
        // Nothing can be looked at: the server's next question asks the hook again.
        self.blocked = None;
    }

    /// Removes what is left over. It is decided by now: nothing here can change how it ended.
    pub(super) async fn clear(&mut self, swap: &Swap) {
        for service_swap in &swap.services {
            if let Err(fault) = self.tidy(&service_swap.service).await {
                tracing::warn!(service = service_swap.service, "what is left over stays for now: {fault}");
            }
        }
        self.memory.swap = None;
        if let Err(fault) = self.runtime.prune(&self.memory.needed()).await {
            tracing::warn!("old images stay for now: {fault}");
        }
    }
}
