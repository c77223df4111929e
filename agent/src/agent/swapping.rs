//! Replacing containers, forward: every step is written down before the next, and can be done again.

use std::time::Duration;

use tidegate_domain::event::DeviceEvent;

use super::{Agent, Stopped, unavailable};
use crate::agent::work::{Kind, Work};
use crate::container_spec::Strategy;
use crate::fault::{Fault, Reason};
use crate::hooks::{HookAnswer, HookCall, Moment};
use crate::host::Host;
use crate::image::Image;
use crate::runtime::{Create, Engine, Place};
use crate::server::link::Link;
use crate::server::report::Details;
use crate::server::target::Move;
use crate::state::store::Journal;
use crate::update::health::verdict;
use crate::update::swap::{At, Before, Failure, Part, Purpose, Stage, Swap, Terms};

/// All tries of a check outside of rollouts, where nothing says how long they may take, in seconds.
const CONVERGE_WITHIN: u32 = 300;
/// All tries to see that an image which was proven before runs again, in seconds.
const ROLLBACK_WITHIN: u32 = 60;

/// Why a swap does not go on.
enum Obstacle {
    /// A part failed.
    Failed(Failure),
    /// A hook says not now, and nothing was touched yet.
    NotNow(String),
}

impl<L: Link, E: Engine, H: Host, J: Journal> Agent<L, E, H, J> {
    /// Begins a swap, and carries it through.
    pub(super) async fn begin(&mut self, work: Work) -> Result<(), Stopped> {
        let services: Vec<String> = work.services.iter().map(|(name, _)| name.clone()).collect();
        let swap = match self.prepare(work).await {
            Ok(Some(swap)) => swap,
            Ok(None) => return Ok(()),
            Err((purpose, fault)) => {
                let fault = unavailable(fault)?;
                let image = self.wanted(&services[0]);
                self.tell_failure(&purpose, &services[0], image, DeviceEvent::UpdateFailed, &fault);
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
        let (purpose, terms) = match &work.kind {
            Kind::Swap(moving) => (Purpose::Update(moving.key()), update_terms(&work, moving)),
            Kind::GoBack(moving) => (Purpose::Rollback(moving.key()), rollback_terms()),
            Kind::Converge | Kind::Pull(_) => (Purpose::Converge, converge_terms(&work)),
        };
        let mut parts = Vec::new();
        for (service, image) in &work.services {
            let image = match &purpose {
                Purpose::Update(key) => {
                    let pulled = self.memory.has_pulled(key).cloned();
                    Image { image: image.image.clone(), digest: image.digest.clone().or(pulled) }
                }
                Purpose::Rollback(_) => self.memory.way_back(service, image),
                Purpose::Converge => image.clone(),
            };
            let part = self.part(service, image).await.map_err(|fault| (purpose.clone(), fault))?;
            parts.push(part);
        }
        if let Purpose::Rollback(key) = &purpose
            && parts.iter().all(|part| self.runs_well(&part.service, &part.image))
        {
            // It is back already: a device that went back by itself before its word of it was heard.
            for part in &parts {
                self.say(&part.service, key, DeviceEvent::RolledBack, Details::default());
            }
            self.memory.finish(key.clone());
            return Ok(None);
        }
        match self.fetch_parts(&purpose, &mut parts).await {
            Ok(true) => Ok(Some(Swap { purpose, terms, parts, stage: Stage::Forward })),
            Ok(false) => Ok(None),
            Err(fault) => Err((purpose, fault)),
        }
    }

    async fn part(&mut self, service: &str, image: Image) -> Result<Part, Fault> {
        let services = self.engine.services().await?;
        let configured = services.get(service).ok_or_else(|| {
            let why = format!("the service {service} is not configured on this device");
            Fault::new(Reason::Configuration, why)
        })?;
        self.tidy(service).await?;
        let live = self.engine.containers(service).await?.into_iter().find(|c| c.place == Place::Live);
        if live.as_ref().is_some_and(|container| !container.ours) {
            let why = format!("a container that is not the agent's has the name of {service}");
            return Err(Fault::new(Reason::NameTaken, why));
        }
        let healthy = self.memory.running.get(service).is_none_or(|running| running.healthy);
        Ok(Part {
            service: service.to_owned(),
            image,
            strategy: configured.strategy,
            stop_grace_seconds: configured.stop_grace.as_secs(),
            from: live.map(|container| Before { id: container.id, image: container.image, healthy }),
            made: None,
            at: At::Untouched,
        })
    }

    /// Sees to it that every image is here. A rollout's was fetched when it was offered: where it is lost, it is to be
    /// fetched and asked for anew, which is no swap.
    async fn fetch_parts(&mut self, purpose: &Purpose, parts: &mut [Part]) -> Result<bool, Fault> {
        for part in parts {
            let present = self.engine.present(&part.image).await?;
            let digest = match (present, purpose) {
                (Some(digest), _) => digest,
                (None, Purpose::Update(_)) => {
                    self.memory.lost_pulled();
                    return Ok(false);
                }
                (None, Purpose::Rollback(_) | Purpose::Converge) => self.engine.pull(&part.image, &|_| {}).await?,
            };
            part.image.digest.get_or_insert(digest);
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

    /// Goes on with the swap under way, from wherever it is, to its end.
    pub(super) async fn drive(&mut self) {
        while let Some(swap) = self.memory.swap.clone() {
            match swap.stage {
                Stage::Forward => match self.forward().await {
                    Ok(()) => self.succeeds(&swap),
                    Err(Obstacle::Failed(failure)) => self.fails(&swap, failure),
                    Err(Obstacle::NotNow(why)) => self.put_off(&swap, why),
                },
                Stage::Back(failure) => self.go_back(&failure).await,
                Stage::Settled => self.clear(&swap).await,
            }
            self.save_if_possible();
        }
    }

    async fn forward(&mut self) -> Result<(), Obstacle> {
        let mut index = 0;
        while let Some(part) = self.memory.swap.as_ref().and_then(|swap| swap.parts.get(index)).cloned() {
            if part.at == At::Proven {
                index += 1;
                continue;
            }
            match self.advance(&part, index).await {
                Ok(next) => {
                    self.now(index, next);
                    self.save_if_possible();
                }
                Err(obstacle) => return Err(obstacle),
            }
        }
        Ok(())
    }

    /// One step of one part. Answers where it is then.
    async fn advance(&mut self, part: &Part, index: usize) -> Result<At, Obstacle> {
        let failed = |event: DeviceEvent, fault: Fault| {
            let Fault { reason, why } = fault;
            Obstacle::Failed(Failure { service: part.service.clone(), event, reason, why })
        };
        let update = |fault| failed(DeviceEvent::UpdateFailed, fault);
        match part.at {
            At::Untouched => {
                self.before(part, index).await?;
                Ok(At::Making)
            }
            At::Making => {
                let made = self.make(part).await.map_err(update)?;
                if let Some(swap) = &mut self.memory.swap {
                    swap.parts[index].made = Some(made);
                }
                Ok(At::Made)
            }
            At::Made => {
                self.start(part).await.map_err(update)?;
                self.memory.leaves(&part.service);
                if part.strategy == Strategy::Recreate {
                    self.settle(&part.service, part.image.clone(), false);
                    self.tell_part(part, DeviceEvent::UpdateCompleted);
                }
                Ok(At::Started)
            }
            At::Started => {
                self.hook(part, Moment::AfterUpdate).await.map_err(update)?;
                self.check(part).await.map_err(|fault| failed(DeviceEvent::HealthCheckFailed, fault))?;
                if part.strategy == Strategy::BlueGreen {
                    return Ok(At::Checked);
                }
                self.proven(part);
                Ok(At::Proven)
            }
            At::Checked => {
                self.change_places(part).await.map_err(update)?;
                self.settle(&part.service, part.image.clone(), false);
                self.tell_part(part, DeviceEvent::UpdateCompleted);
                self.proven(part);
                Ok(At::Proven)
            }
            At::Proven => Ok(At::Proven),
        }
    }

    fn now(&mut self, index: usize, at: At) {
        if let Some(part) = self.memory.swap.as_mut().and_then(|swap| swap.parts.get_mut(index)) {
            part.at = at;
        }
    }

    async fn before(&mut self, part: &Part, index: usize) -> Result<(), Obstacle> {
        match self.hook(part, Moment::BeforeUpdate).await {
            Ok(HookAnswer::GoOn) => {}
            Ok(HookAnswer::NotNow(why)) if index == 0 => return Err(Obstacle::NotNow(why)),
            Ok(HookAnswer::NotNow(why)) => {
                let why = format!("its hook says not now, after another service was updated: {why}");
                let failure = Failure {
                    service: part.service.clone(),
                    event: DeviceEvent::UpdateFailed,
                    reason: Reason::HookFailed,
                    why,
                };
                return Err(Obstacle::Failed(failure));
            }
            Err(Fault { reason, why }) => {
                let event = DeviceEvent::UpdateFailed;
                return Err(Obstacle::Failed(Failure { service: part.service.clone(), event, reason, why }));
            }
        }
        self.tell_part(part, DeviceEvent::ContainerUpdating);
        Ok(())
    }

    /// Hooks belong to updates: a rollback must not wait for what may be broken.
    async fn hook(&self, part: &Part, moment: Moment) -> Result<HookAnswer, Fault> {
        let update = self.memory.swap.as_ref().is_some_and(|swap| matches!(swap.purpose, Purpose::Update(_)));
        if !update {
            return Ok(HookAnswer::GoOn);
        }
        let previous = part.from.as_ref().map(|from| &from.image);
        self.host.hook(HookCall { moment, service: &part.service, image: &part.image, previous }).await
    }

    async fn make(&self, part: &Part) -> Result<crate::runtime::ContainerId, Fault> {
        let made_for = self.memory.swap.as_ref().map(Swap::made_for).unwrap_or_default();
        let create = Create {
            service: &part.service,
            image: &part.image,
            place: Place::Next,
            like: part.from.as_ref().map(|from| &from.id),
            made_for: &made_for,
            serves: part.strategy == Strategy::Recreate,
        };
        self.engine.create(&create).await
    }

    /// Starts the new container: in the old one's place, or beside it.
    async fn start(&self, part: &Part) -> Result<(), Fault> {
        let Some(made) = &part.made else { return Ok(()) };
        if part.strategy == Strategy::Recreate {
            self.make_way(part).await?;
            self.engine.rename(made, &part.service, Place::Live).await?;
        }
        self.engine.start(made).await
    }

    /// The old container ends, and neither its engine nor the device's next start brings it back by itself.
    async fn make_way(&self, part: &Part) -> Result<(), Fault> {
        let Some(from) = &part.from else { return Ok(()) };
        self.engine.hold(&from.id, true).await?;
        self.engine.stop(&from.id, Duration::from_secs(part.stop_grace_seconds)).await?;
        self.engine.rename(&from.id, &part.service, Place::Kept).await
    }

    async fn check(&self, part: &Part) -> Result<(), Fault> {
        let (Some(made), Some(swap)) = (&part.made, &self.memory.swap) else { return Ok(()) };
        verdict(&self.engine, &part.service, made, &swap.terms).await
    }

    /// What was checked beside the old container takes its names and its place.
    async fn change_places(&self, part: &Part) -> Result<(), Fault> {
        let Some(made) = &part.made else { return Ok(()) };
        self.engine.serve(made, &part.service).await?;
        self.make_way(part).await?;
        self.engine.rename(made, &part.service, Place::Live).await
    }

    fn proven(&mut self, part: &Part) {
        self.settle(&part.service, part.image.clone(), true);
        if self.memory.swap.as_ref().is_some_and(|swap| swap.terms.check.is_some()) {
            self.tell_part(part, DeviceEvent::HealthCheckPassed);
        }
    }

    /// Tells a step of an update; the other purposes tell only their end.
    fn tell_part(&mut self, part: &Part, event: DeviceEvent) {
        if let Some(Swap { purpose: Purpose::Update(key), .. }) = self.memory.swap.clone() {
            self.say(&part.service, &key, event, Details::default());
        }
    }

    pub(super) fn stage(&mut self, stage: Stage) {
        if let Some(swap) = &mut self.memory.swap {
            swap.stage = stage;
        }
    }
}

fn update_terms(work: &Work, moving: &Move) -> Terms {
    Terms {
        check: work.check.clone(),
        healthy_for_seconds: moving.healthy_for_seconds,
        within_seconds: moving.health_check_timeout_seconds,
        go_back: moving.auto_rollback,
        previous: moving.previous.clone(),
    }
}

/// The old image was proven once: that it runs is enough, and where it does not, what ran stays.
const fn rollback_terms() -> Terms {
    Terms { check: None, healthy_for_seconds: 0, within_seconds: ROLLBACK_WITHIN, go_back: true, previous: None }
}

fn converge_terms(work: &Work) -> Terms {
    Terms {
        check: work.check.clone(),
        healthy_for_seconds: 0,
        within_seconds: CONVERGE_WITHIN,
        go_back: true,
        previous: None,
    }
}
