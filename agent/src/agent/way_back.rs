//! Replacing containers, back: the old one runs again, whatever it takes.

use std::time::Duration;

use rand::Rng as _;
use tidegate_domain::event::DeviceEvent;
use tokio::time::sleep;

use super::Agent;
use crate::backoff;
use crate::fault::{Fault, Reason};
use crate::host::Host;
use crate::image::Image;
use crate::runtime::{ContainerId, Create, Engine, Place};
use crate::server::link::Link;
use crate::server::report::Details;
use crate::state::store::Journal;
use crate::update::health::stays;
use crate::update::swap::{At, Failure, Part, Purpose, Swap};

/// Longest wait for an engine on the way back; it is waited for as long as it takes.
const ENGINE_WAIT: Duration = Duration::from_mins(1);

impl<L: Link, E: Engine, H: Host, J: Journal> Agent<L, E, H, J> {
    /// Returns every part that was touched to what ran before, the last first, and tells the end.
    pub(super) async fn go_back(&mut self, failure: &Failure) {
        let Some(swap) = self.memory.swap.clone() else { return };
        let mut stuck = None;
        for part in swap.parts.iter().rev().filter(|part| part.at > At::Untouched) {
            match self.return_part(&swap, part).await {
                Ok(Some(image)) => {
                    let healthy = part.from.as_ref().is_none_or(|from| from.healthy);
                    self.settle(&part.service, image, healthy);
                }
                // Nothing ran before, and nothing runs now.
                Ok(None) => {
                    self.memory.running.remove(&part.service);
                }
                Err(fault) => {
                    if !self.keep_something(part).await {
                        self.memory.owed.insert(part.service.clone());
                    }
                    stuck.get_or_insert((part.service.clone(), fault));
                }
            }
        }
        self.memory.swap = None;
        self.tell_return(&swap, failure, stuck);
    }

    fn tell_return(&mut self, swap: &Swap, failure: &Failure, stuck: Option<(String, Fault)>) {
        let touched = swap.parts.iter().any(|part| part.at > At::Untouched);
        match (&swap.purpose, stuck) {
            // Nothing was told to be replaced, so nothing is told to be back.
            (Purpose::Update(key), None) if !touched => self.memory.finish(key.clone()),
            (Purpose::Update(key), None) => {
                let details = Details::because(failure.reason.word(), failure.why.clone());
                self.say(&failure.service, key, DeviceEvent::RolledBack, details);
                self.memory.finish(key.clone());
            }
            (Purpose::Update(key), Some((service, fault))) => {
                let details = Details::because("rollback_failed", fault.why);
                self.say(&service, key, DeviceEvent::RollbackFailed, details);
                self.memory.finish(key.clone());
            }
            (Purpose::Rollback(_) | Purpose::Converge, stuck) => {
                let fault = stuck.map_or_else(|| Fault::new(failure.reason, failure.why.clone()), |(_, fault)| fault);
                let part = swap.parts.iter().find(|part| part.service == failure.service);
                let image = part.map(|part| part.image.clone());
                self.tell_failure(&swap.purpose, &failure.service, image, failure.event, &fault);
            }
        }
    }

    /// Returns one part; answers the image that runs again. An engine that does not answer is waited for.
    async fn return_part(&mut self, swap: &Swap, part: &Part) -> Result<Option<Image>, Fault> {
        let mut failures = 0;
        loop {
            match self.try_return(swap, part).await {
                Err(fault) if fault.reason == Reason::EngineUnavailable => {
                    failures += 1;
                    tracing::warn!(service = part.service, "the way back waits for the engine: {fault}");
                    self.tell_if_possible().await;
                    sleep(backoff::wait(failures, None, self.random.random_range(0.5..1.0)).min(ENGINE_WAIT)).await;
                }
                answer => return answer,
            }
        }
    }

    async fn try_return(&mut self, swap: &Swap, part: &Part) -> Result<Option<Image>, Fault> {
        let service = &part.service;
        let containers = self.engine.containers(service).await?;
        let made_for = swap.made_for();
        let new = containers.iter().find(|container| {
            part.made.as_ref() == Some(&container.id) || container.made_for.as_deref() == Some(&made_for)
        });
        let old = part.from.as_ref().filter(|from| containers.iter().any(|container| container.id == from.id));
        let Some(image) = part.from.as_ref().map(|from| &from.image).or(swap.terms.previous.as_ref()) else {
            if let Some(new) = new {
                self.engine.remove(&new.id).await?;
            }
            return Ok(None);
        };
        if let Some(new) = new {
            self.engine.hold(&new.id, true).await?;
            self.engine.stop(&new.id, Duration::from_secs(part.stop_grace_seconds)).await?;
            self.engine.rename(&new.id, service, Place::Next).await?;
        }
        let image = Image { image: image.image.clone(), digest: image.digest.clone() };
        let back = match old {
            Some(old) => {
                self.engine.rename(&old.id, service, Place::Live).await?;
                old.id.clone()
            }
            None => self.make_again(service, &image, new.map(|container| &container.id), &made_for).await?,
        };
        self.start_surely(service, &back).await?;
        self.engine.hold(&back, false).await?;
        stays(&self.engine, service, &back).await?;
        if let Some(new) = new {
            self.engine.remove(&new.id).await?;
        }
        Ok(Some(image))
    }

    /// The old container is gone: another one of its image takes its place.
    async fn make_again(
        &self,
        service: &str,
        image: &Image,
        like: Option<&ContainerId>,
        made_for: &str,
    ) -> Result<ContainerId, Fault> {
        if self.engine.present(image).await?.is_none() {
            self.engine.pull(image, &|_| {}).await?;
        }
        let made_for = format!("{made_for}/back");
        let create = Create { service, image, place: Place::Live, like, made_for: &made_for, serves: true };
        self.engine.create(&create).await
    }

    /// The old container does not run. The new one, unhealthy as it is, is better than none. Says whether it runs.
    async fn keep_something(&mut self, part: &Part) -> bool {
        let service = &part.service;
        let Some(made) = &part.made else { return false };
        let up = async {
            for container in self.engine.containers(service).await? {
                if container.id != *made && container.ours {
                    self.engine.hold(&container.id, true).await?;
                    self.engine.stop(&container.id, Duration::from_secs(part.stop_grace_seconds)).await?;
                    self.engine.rename(&container.id, service, Place::Kept).await?;
                }
            }
            self.engine.rename(made, service, Place::Live).await?;
            self.engine.serve(made, service).await?;
            self.engine.hold(made, false).await?;
            self.engine.start(made).await
        };
        let up: Result<(), Fault> = up.await;
        match &up {
            Ok(()) => self.settle(service, part.image.clone(), false),
            Err(fault) => tracing::error!(service, "neither the old container nor the new one runs: {fault}"),
        }
        up.is_ok()
    }
}
