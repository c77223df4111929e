//! The container runtime of a simulated device.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidegate_domain::health::HealthCheck;
use tidegate_domain::image::Digest;
use tokio::sync::Notify;
use tokio::time::sleep;

use super::{Durations, FaultProfile, SimulatedContainer, SimulatedContainers, digest_of};
use crate::container_spec::Strategy;
use crate::fault::{Fault, Reason};
use crate::image::{Image, Pulled};
use crate::runtime::{Checks, Container, ContainerId, Containers, Create, Images, Place, Service, Services, State};

/// The simulated engine. What happens on it is what the fault profile of an image says.
pub struct SimulatedRuntime<F> {
    profile_of: F,
    durations: Durations,
    strategy: Strategy,
    services: BTreeMap<String, Image>,
    containers: Mutex<SimulatedContainers>,
    failed_pulls: Mutex<u32>,
    keeps_port: AtomicBool,
    gone: Notify,
}

impl<F: Fn(&Image) -> FaultProfile + Send + Sync> SimulatedRuntime<F> {
    /// The engine of a device; `fate_of` tells what happens with an image on it.
    pub fn new(containers: SimulatedContainers, profile_of: F, durations: Durations) -> Self {
        let live = containers.all.values().filter(|container| container.place == Place::Live);
        let services = live.map(|container| (container.service.clone(), container.image.clone())).collect();
        Self {
            profile_of,
            durations,
            strategy: Strategy::Recreate,
            services,
            containers: Mutex::new(containers),
            failed_pulls: Mutex::new(0),
            keeps_port: AtomicBool::new(false),
            gone: Notify::new(),
        }
    }

    /// Replaces containers in this way.
    #[must_use]
    pub fn with_strategy(self, strategy: Strategy) -> Self {
        Self { strategy, ..self }
    }

    /// The containers as they are.
    pub fn containers_now(&self) -> SimulatedContainers {
        self.all().clone()
    }

    /// Returns when the device went silent for good.
    pub async fn gone(&self) {
        self.gone.notified().await;
    }

    /// The power went and came back: everything stopped, and what its engine may start by itself runs again.
    pub fn power_cut(&self) {
        for container in self.all().all.values_mut() {
            container.running =
                container.started && !container.restart_suspended && !self.never_starts(&container.image);
        }
    }

    /// From now on no container can be started, as on an engine that was killed within a start; or they can again.
    pub fn keep_port(&self, kept: bool) {
        self.keeps_port.store(kept, Ordering::Relaxed);
    }

    /// Whether the engine starts the service's container again by itself.
    pub fn is_restart_suspended(&self, service: &str) -> bool {
        self.all().all.values().any(|container| container.service == service && container.restart_suspended)
    }

    /// Every container of a service as (place, tag, running), ordered.
    pub fn look(&self, service: &str) -> Vec<(Place, String, bool)> {
        let all = self.all();
        let of = all.all.values().filter(|container| container.service == service);
        let mut seen: Vec<_> = of
            .map(|container| {
                let tag = container.image.image.rsplit(':').next().unwrap_or_default();
                (container.place, tag.to_owned(), container.running)
            })
            .collect();
        seen.sort();
        seen
    }

    /// Whether the service's container answers to the service's names.
    pub fn serves(&self, service: &str) -> bool {
        self.all().all.values().any(|container| container.service == service && container.running && container.serves)
    }

    fn never_starts(&self, image: &Image) -> bool {
        (self.profile_of)(image) == FaultProfile::SwapFails
    }

    /// Whether an image was fetched whose way back fails: from then on every other one is broken.
    fn way_back_is_broken(&self, image: &Image) -> bool {
        (self.profile_of)(image) != FaultProfile::RollbackFails
            && self
                .all()
                .all
                .values()
                .any(|container| (self.profile_of)(&container.image) == FaultProfile::RollbackFails)
    }

    fn all(&self) -> MutexGuard<'_, SimulatedContainers> {
        self.containers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, id: &ContainerId, change: impl FnOnce(&mut SimulatedContainer)) {
        if let Some(container) = self.all().all.get_mut(id) {
            change(container);
        }
    }

    async fn vanish(&self) -> ! {
        self.gone.notify_one();
        std::future::pending().await
    }

    fn image_of(&self, id: &ContainerId) -> Result<Image, Fault> {
        let all = self.all();
        let container = all.all.get(id).ok_or_else(|| Fault::new(Reason::Refused, "no such container"))?;
        Ok(container.image.clone())
    }
}

impl<F: Fn(&Image) -> FaultProfile + Send + Sync> Services for SimulatedRuntime<F> {
    async fn services(&self) -> Result<BTreeMap<String, Service>, Fault> {
        let services = self.services.iter().map(|(name, image)| {
            let service = Service {
                name: name.clone(),
                image: image.clone(),
                strategy: self.strategy,
                stop_grace: Duration::from_secs(10),
                rank: 0,
            };
            (name.clone(), service)
        });
        Ok(services.collect())
    }

    async fn containers(&self, service: &str) -> Result<Vec<Container>, Fault> {
        let all = self.all();
        let of = all.all.iter().filter(|(_, container)| container.service == service);
        let seen = of.map(|(id, container)| Container {
            id: id.clone(),
            place: container.place,
            ours: true,
            image: container.image.clone(),
            state: match (container.running, container.started) {
                (true, _) => State::Running,
                (false, true) => State::Exited(1),
                (false, false) => State::Created,
            },
            created_for: container.created_for.clone(),
        });
        Ok(seen.collect())
    }
}

impl<F: Fn(&Image) -> FaultProfile + Send + Sync> Images for SimulatedRuntime<F> {
    async fn present(&self, image: &Image) -> Result<Option<Digest>, Fault> {
        Ok(self.all().images.iter().find(|known| known.is_same(image)).and_then(|known| known.digest.clone()))
    }

    async fn pull(&self, image: &Image, _progress: &(dyn Fn(Pulled) + Send + Sync)) -> Result<Digest, Fault> {
        sleep(self.durations.pull).await;
        match (self.profile_of)(image) {
            FaultProfile::PullFails => {
                return Err(Fault::new(Reason::RegistryUnavailable, "the registry does not answer"));
            }
            FaultProfile::PullFailsOnce => {
                let mut failed = self.failed_pulls.lock().unwrap_or_else(PoisonError::into_inner);
                *failed += 1;
                if *failed == 1 {
                    return Err(Fault::new(Reason::RegistryUnavailable, "the connection was reset"));
                }
                *failed = 0;
            }
            FaultProfile::VanishesWhilePulling => self.vanish().await,
            FaultProfile::Healthy
            | FaultProfile::Unhealthy
            | FaultProfile::SwapFails
            | FaultProfile::VanishesAfterSwap
            | FaultProfile::RollbackFails => {}
        }
        let digest = image.digest.clone().unwrap_or_else(|| digest_of(&image.image));
        let pulled = Image { image: image.image.clone(), digest: Some(digest.clone()) };
        let mut all = self.all();
        if !all.images.contains(&pulled) {
            all.images.push(pulled);
        }
        Ok(digest)
    }

    async fn prune(&self, keep: &[Image]) -> Result<(), Fault> {
        let mut all = self.all();
        let used: Vec<Image> = all.all.values().map(|container| container.image.clone()).collect();
        all.images.retain(|image| keep.iter().chain(&used).any(|kept| kept.is_same(image)));
        Ok(())
    }
}

impl<F: Fn(&Image) -> FaultProfile + Send + Sync> Containers for SimulatedRuntime<F> {
    async fn create(&self, create: &Create<'_>) -> Result<ContainerId, Fault> {
        let mut all = self.all();
        let named = all.all.iter().find(|(_, c)| c.service == create.service && c.place == create.place);
        if let Some((id, found)) = named {
            let id = id.clone();
            if found.created_for.as_deref() == Some(create.created_for) && found.image == *create.image {
                return Ok(id);
            }
            all.all.remove(&id);
        }
        Ok(all.add(SimulatedContainer {
            service: create.service.to_owned(),
            place: create.place,
            image: create.image.clone(),
            created_for: Some(create.created_for.to_owned()),
            running: false,
            started: false,
            restart_suspended: false,
            serves: create.serves,
        }))
    }

    async fn start(&self, id: &ContainerId) -> Result<(), Fault> {
        sleep(self.durations.start).await;
        let image = self.image_of(id)?;
        if self.keeps_port.load(Ordering::Relaxed) {
            return Err(Fault::new(Reason::EngineKeepsPort, "the port is allocated, and nobody has it"));
        }
        if self.never_starts(&image) {
            return Err(Fault::new(Reason::ExitsAtOnce, "the container exits at once"));
        }
        if self.way_back_is_broken(&image) {
            return Err(Fault::new(Reason::Refused, "the old image is gone from the disk"));
        }
        self.change(id, |container| (container.running, container.started) = (true, true));
        Ok(())
    }

    async fn stop(&self, id: &ContainerId, _grace: Duration) -> Result<(), Fault> {
        self.change(id, |container| container.running = false);
        Ok(())
    }

    async fn suspend_restart_policy(&self, id: &ContainerId) -> Result<(), Fault> {
        self.change(id, |container| container.restart_suspended = true);
        Ok(())
    }

    async fn resume_restart_policy(&self, id: &ContainerId) -> Result<(), Fault> {
        self.change(id, |container| container.restart_suspended = false);
        Ok(())
    }

    async fn rename(&self, id: &ContainerId, service: &str, to: Place) -> Result<(), Fault> {
        let mut all = self.all();
        let taken = all.all.iter().any(|(other, c)| other != id && c.service == service && c.place == to);
        match all.all.get_mut(id) {
            Some(_) if taken => Err(Fault::new(Reason::NameTaken, format!("{to:?} is taken"))),
            Some(container) => {
                container.place = to;
                Ok(())
            }
            None => Ok(()),
        }
    }

    async fn serve(&self, id: &ContainerId, _service: &str) -> Result<(), Fault> {
        self.change(id, |container| container.serves = true);
        Ok(())
    }

    async fn remove(&self, id: &ContainerId) -> Result<(), Fault> {
        self.all().all.remove(id);
        Ok(())
    }
}

impl<F: Fn(&Image) -> FaultProfile + Send + Sync> Checks for SimulatedRuntime<F> {
    async fn probe(&self, _service: &str, id: &ContainerId, _check: &HealthCheck) -> Result<(), Fault> {
        sleep(self.durations.probe).await;
        let image = self.image_of(id)?;
        if !self.all().all.get(id).is_some_and(|container| container.running) {
            return Err(Fault::new(Reason::Unhealthy, "the container does not run"));
        }
        match (self.profile_of)(&image) {
            FaultProfile::Unhealthy | FaultProfile::RollbackFails => {
                Err(Fault::new(Reason::Unhealthy, "the check was refused"))
            }
            FaultProfile::VanishesAfterSwap => self.vanish().await,
            FaultProfile::Healthy
            | FaultProfile::PullFails
            | FaultProfile::PullFailsOnce
            | FaultProfile::SwapFails
            | FaultProfile::VanishesWhilePulling => Ok(()),
        }
    }

    async fn last_words(&self, _id: &ContainerId) -> String {
        String::new()
    }
}
