//! Does what [`plan`] says. Everything that a swap does to containers is done here.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::health::{stays, verdict};
use super::plan::{self, Leftover, Observed, Previous};
use super::swap::{OldContainer, Purpose, ServiceSwap, Swap, SwapStep};
use crate::container_spec::Strategy;
use crate::fault::{Fault, Reason};
use crate::hooks::{HookAnswer, HookCall, Moment};
use crate::host::Host;
use crate::image::Image;
use crate::runtime::retrying::RetryingRuntime;
use crate::runtime::{Container, ContainerId, Containers as _, Create, Images as _, Place, Runtime, Services as _};

/// How long a container engine that was asked to be restarted is waited for within one try.
const RESTART_WAIT: Duration = Duration::from_mins(1);
/// Between two such wishes: everything else on the device stops with its container engine.
const RESTART_AGAIN: Duration = Duration::from_mins(15);
/// Between two starts meanwhile.
const RESTART_LOOK: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// It is done, and this is the new container.
    Created(ContainerId),
    /// A hook says not now.
    NotNow(String),
}

/// The container runtime and the device, as a swap uses them.
pub struct Executor<R, H> {
    pub runtime: RetryingRuntime<R>,
    pub host: Arc<H>,
    /// When a restart of the container engine was asked for.
    restart_asked: Option<Instant>,
}

impl<R: Runtime, H: Host> Executor<R, H> {
    pub fn new(runtime: Arc<R>, host: Arc<H>) -> Self {
        Self { runtime: RetryingRuntime(runtime), host, restart_asked: None }
    }

    /// Does the service's step.
    pub async fn execute(&mut self, swap: &Swap, one: &ServiceSwap) -> Result<Outcome, Fault> {
        let service = one.service.as_str();
        match &one.step {
            SwapStep::RunPreUpdateHook => {
                if let HookAnswer::NotNow(why) = self.hook(swap, one, Moment::BeforeUpdate).await? {
                    return Ok(Outcome::NotNow(why));
                }
            }
            SwapStep::Create => return self.create(swap, one).await.map(Outcome::Created),
            SwapStep::Start => {
                let Some(new) = &one.new else { return Ok(Outcome::Done) };
                if one.strategy == Strategy::Recreate {
                    self.replace_old(one, new).await?;
                }
                self.runtime.start(new).await?;
            }
            SwapStep::Check => {
                self.hook(swap, one, Moment::AfterUpdate).await?;
                let Some(new) = &one.new else { return Ok(Outcome::Done) };
                verdict(&self.runtime, service, new, &swap.options).await?;
            }
            SwapStep::SwitchOver => {
                let Some(new) = &one.new else { return Ok(Outcome::Done) };
                self.runtime.serve(new, service).await?;
                self.replace_old(one, new).await?;
            }
            SwapStep::StopNew(new) => self.take_down(new, one, Place::Next).await?,
            SwapStep::StartOld(old) => {
                self.runtime.rename(old, service, Place::Live).await?;
                self.bring_up(service, old).await?;
            }
            SwapStep::RecreateOld(image) => {
                let old = self.recreate(swap, one, image).await?;
                self.bring_up(service, &old).await?;
            }
            SwapStep::RemoveNew(new) => self.runtime.remove(new).await?,
            SwapStep::KeepNew(new) => self.keep_new(one, new).await?,
            SwapStep::Done | SwapStep::Returned | SwapStep::GiveUp => {}
        }
        Ok(Outcome::Done)
    }

    /// Hooks belong to updates: a rollback must not wait for what may be broken.
    async fn hook(&self, swap: &Swap, one: &ServiceSwap, moment: Moment) -> Result<HookAnswer, Fault> {
        if !matches!(swap.purpose, Purpose::Update(_)) {
            return Ok(HookAnswer::GoOn);
        }
        let previous = one.old.as_ref().map(|old| &old.image);
        self.host.hook(HookCall { moment, service: &one.service, image: &one.image, previous }).await
    }

    async fn create(&self, swap: &Swap, one: &ServiceSwap) -> Result<ContainerId, Fault> {
        let create = Create {
            service: &one.service,
            image: &one.image,
            place: Place::Next,
            like: one.old.as_ref().map(|old| &old.id),
            created_for: &swap.created_for(),
            serves: one.strategy == Strategy::Recreate,
        };
        self.runtime.create(&create).await
    }

    /// The new container takes the name of the old one, which is stopped for it.
    async fn replace_old(&self, one: &ServiceSwap, new: &ContainerId) -> Result<(), Fault> {
        if let Some(old) = &one.old {
            self.take_down(&old.id, one, Place::Fallback).await?;
        }
        self.runtime.rename(new, &one.service, Place::Live).await
    }

    /// Stops a container such that no restart of the runtime or the device brings it up again.
    async fn take_down(&self, id: &ContainerId, one: &ServiceSwap, to: Place) -> Result<(), Fault> {
        self.runtime.suspend_restart_policy(id).await?;
        self.runtime.stop(id, Duration::from_secs(one.stop_grace_seconds)).await?;
        self.runtime.rename(id, &one.service, to).await
    }

    /// Another container of the old image, created in the service's place.
    async fn recreate(&self, swap: &Swap, one: &ServiceSwap, image: &Image) -> Result<ContainerId, Fault> {
        if self.runtime.present(image).await?.is_none() {
            self.runtime.pull(image, &|_| {}).await?;
        }
        let new = self.runtime.containers(&one.service).await?.into_iter().find(|found| is_new(swap, one, found));
        let create = Create {
            service: &one.service,
            image,
            place: Place::Live,
            like: new.as_ref().map(|new| &new.id),
            created_for: &format!("{}/back", swap.created_for()),
            serves: true,
        };
        self.runtime.create(&create).await
    }

    /// Starts a container that ran before, and sees that it stays up.
    async fn bring_up(&mut self, service: &str, id: &ContainerId) -> Result<(), Fault> {
        self.start_surely(service, id).await?;
        self.runtime.resume_restart_policy(id).await?;
        stays(&self.runtime, service, id).await
    }

    async fn keep_new(&self, one: &ServiceSwap, new: &ContainerId) -> Result<(), Fault> {
        for container in self.runtime.containers(&one.service).await? {
            if container.id != *new && container.ours {
                self.take_down(&container.id, one, Place::Fallback).await?;
            }
        }
        self.runtime.rename(new, &one.service, Place::Live).await?;
        self.runtime.serve(new, &one.service).await?;
        self.runtime.resume_restart_policy(new).await?;
        self.runtime.start(new).await
    }

    /// What the way back of a service begins with.
    pub async fn observe(&self, swap: &Swap, one: &ServiceSwap) -> Result<Observed, Fault> {
        let containers = self.runtime.containers(&one.service).await?;
        let new = containers.iter().find(|found| is_new(swap, one, found)).map(|found| found.id.clone());
        let old = one.old.as_ref().filter(|old| containers.iter().any(|container| container.id == old.id));
        let previous = match (old, swap.previous(one)) {
            (Some(old), _) => Previous::Container(old.id.clone()),
            (None, Some(image)) => Previous::Image(image.clone()),
            (None, None) => Previous::Nothing,
        };
        Ok(Observed::Back { new, previous })
    }

    /// The swap of a service to this image, before its first step. `healthy`: whether what runs now is.
    pub async fn service_swap(&mut self, service: &str, image: Image, healthy: bool) -> Result<ServiceSwap, Fault> {
        let services = self.runtime.services().await?;
        let configured = services.get(service).ok_or_else(|| {
            let why = format!("the service {service} is not configured on this device");
            Fault::new(Reason::Configuration, why)
        })?;
        self.tidy(service).await?;
        let live = self.runtime.containers(service).await?.into_iter().find(|one| one.place == Place::Live);
        if live.as_ref().is_some_and(|container| !container.ours) {
            let why = format!("a container that is not the agent's has the name of {service}");
            return Err(Fault::new(Reason::NameTaken, why));
        }
        Ok(ServiceSwap {
            service: service.to_owned(),
            image,
            strategy: configured.strategy,
            stop_grace_seconds: configured.stop_grace.as_secs(),
            old: live.map(|container| OldContainer { id: container.id, image: container.image, healthy }),
            new: None,
            step: SwapStep::RunPreUpdateHook,
        })
    }

    /// Leaves a service one container, see [`plan::leftovers`].
    pub async fn tidy(&self, service: &str) -> Result<(), Fault> {
        for leftover in plan::leftovers(&self.runtime.containers(service).await?) {
            match leftover {
                Leftover::Remove(id) => self.runtime.remove(&id).await?,
                Leftover::Start(id) => self.runtime.start(&id).await?,
                Leftover::Restore(id) => {
                    tracing::warn!(service, "the container that was kept comes back");
                    // It gets the name last: where anything fails, it is still known as the one that comes back.
                    self.runtime.start(&id).await?;
                    self.runtime.resume_restart_policy(&id).await?;
                    self.runtime.rename(&id, service, Place::Live).await?;
                }
            }
        }
        Ok(())
    }

    pub async fn tidy_all(&self) -> Result<(), Fault> {
        for name in self.runtime.services().await?.into_keys() {
            self.tidy(&name).await?;
        }
        Ok(())
    }

    /// Brings up a service that is down: the container that can serve again, else the one that has the service's name.
    pub async fn restore(&mut self, service: &str) -> Result<(), Fault> {
        match self.tidy(service).await {
            // A restart is asked for below, where it is waited for as well.
            Err(fault) if fault.reason != Reason::EngineKeepsPort => return Err(fault),
            Ok(()) | Err(_) => {}
        }
        let containers = self.runtime.containers(service).await?;
        let ours = |place: Place| containers.iter().find(|one| one.ours && one.place == place);
        // Where there is none at all, the service is created as one that never ran here.
        let Some(one) = ours(Place::Live).or_else(|| ours(Place::Fallback)) else { return Ok(()) };
        self.start_surely(service, &one.id).await?;
        self.runtime.resume_restart_policy(&one.id).await?;
        self.runtime.rename(&one.id, service, Place::Live).await?;
        stays(&self.runtime, service, &one.id).await
    }

    /// Starts a container. A container engine that keeps the port of one it lost never gives it back while it runs, so
    /// its restart is asked for: the service is down already, and is so until then.
    async fn start_surely(&mut self, service: &str, id: &ContainerId) -> Result<(), Fault> {
        loop {
            match self.runtime.start(id).await {
                Err(fault) if fault.reason == Reason::EngineKeepsPort && self.restart_is_awaited(service, &fault) => {
                    sleep(RESTART_LOOK).await;
                }
                answer => return answer,
            }
        }
    }

    /// Asks for a restart of the container engine where that was not done for a while; says whether it is worth waiting
    /// for.
    fn restart_is_awaited(&mut self, service: &str, fault: &Fault) -> bool {
        let since = self.restart_asked.map(|asked| asked.elapsed());
        if since.is_some_and(|since| since < RESTART_AGAIN) {
            return since < Some(RESTART_WAIT);
        }
        tracing::error!(service, "the engine must be restarted, which is asked for: {fault}");
        let asked = self.host.ask_engine_restart();
        self.restart_asked = asked.then(Instant::now);
        asked
    }
}

/// Whether a container was created for this swap. One of a swap that was interrupted has no id on the disk yet.
fn is_new(swap: &Swap, one: &ServiceSwap, found: &Container) -> bool {
    one.new.as_ref() == Some(&found.id) || found.created_for.as_ref() == Some(&swap.created_for())
}
