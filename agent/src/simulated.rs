//! A container engine that only pretends: for simulated devices, and for tests that cut the power at every call.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tidegate_domain::health::HealthCheck;
use tidegate_domain::image::Digest;
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::container_spec::Strategy;
use crate::fault::{Fault, Reason};
use crate::hooks::{HookAnswer, HookCall};
use crate::host::Host;
use crate::image::Image;
use crate::image::Pulled;
use crate::locks::Lock;
use crate::runtime::{Container, ContainerId, Create, Engine, Place, Service, State};
use crate::state::store::Journal;

/// What happens when a device takes an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Fate {
    /// It works.
    #[value(skip)]
    Healthy,
    /// The health check fails; the device goes back.
    Unhealthy,
    /// The image cannot be fetched.
    PullFails,
    /// The image can be fetched at the second try; then it works.
    PullFailsOnce,
    /// The new container does not start; the device goes back.
    SwapFails,
    /// The device goes silent for good while it fetches.
    VanishesWhilePulling,
    /// The device goes silent for good once the new container runs.
    VanishesAfterSwap,
    /// The health check fails, and so does every way back.
    RollbackFails,
}

/// The content that a reference stands for in a world without a registry: the same for everybody.
///
/// # Panics
/// Never: a SHA-256 in hex is a digest.
pub fn digest_of(reference: &str) -> Digest {
    let text = format!("sha256:{}", hex::encode(Sha256::digest(reference)));
    Digest::parse(&text).expect("a SHA-256 in hex is a digest")
}

/// How long pretended work takes.
#[derive(Debug, Clone, Copy)]
pub struct Durations {
    /// Fetching.
    pub pull: Duration,
    /// Starting a container.
    pub start: Duration,
    /// One try of a check.
    pub probe: Duration,
}

impl Durations {
    /// Some tenths of a second, different from device to device; `share` is a number from 0 to 1.
    pub fn of_device(share: f64) -> Self {
        let of = |millis: u64| Duration::from_millis(millis).mul_f64(0.5 + share);
        Self { pull: of(600), start: of(300), probe: of(60) }
    }
}

/// The containers on a pretended device, which outlive its agent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Containers {
    made: u64,
    all: BTreeMap<ContainerId, Pretended>,
    images: Vec<Image>,
}

/// A pretended container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "what a container is, each by itself")]
struct Pretended {
    service: String,
    place: Place,
    image: Image,
    made_for: Option<String>,
    running: bool,
    started: bool,
    held: bool,
    serves: bool,
}

impl Containers {
    /// A device whose services run these images.
    pub fn running(services: impl IntoIterator<Item = (String, Image)>) -> Self {
        let mut containers = Self::default();
        for (service, image) in services {
            containers.images.push(image.clone());
            let new = Pretended {
                service,
                place: Place::Live,
                image,
                made_for: None,
                running: true,
                started: true,
                held: false,
                serves: true,
            };
            containers.add(new);
        }
        containers
    }

    fn add(&mut self, container: Pretended) -> ContainerId {
        self.made += 1;
        let id = ContainerId(format!("c{}", self.made));
        self.all.insert(id.clone(), container);
        id
    }
}

/// The pretended engine. What happens on it is the device's fate with an image.
pub struct PretendedEngine<F> {
    fate_of: F,
    durations: Durations,
    strategy: Strategy,
    services: BTreeMap<String, Image>,
    containers: Mutex<Containers>,
    failed_pulls: Mutex<u32>,
    keeps_port: AtomicBool,
    gone: Notify,
}

impl<F: Fn(&Image) -> Fate + Send + Sync> PretendedEngine<F> {
    /// The engine of a device; `fate_of` tells what happens with an image on it.
    pub fn new(containers: Containers, fate_of: F, durations: Durations) -> Self {
        let live = containers.all.values().filter(|container| container.place == Place::Live);
        let services = live.map(|container| (container.service.clone(), container.image.clone())).collect();
        Self {
            fate_of,
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

    /// Declares a service that has no container yet.
    #[must_use]
    pub fn declaring(mut self, service: &str, image: Image) -> Self {
        self.services.insert(service.to_owned(), image);
        self
    }

    /// The containers as they are.
    pub fn containers_now(&self) -> Containers {
        self.all().clone()
    }

    /// Returns when the device went silent for good.
    pub async fn gone(&self) {
        self.gone.notified().await;
    }

    /// The power went and came back: everything stopped, and what its engine may start by itself runs again.
    pub fn power_cut(&self) {
        for container in self.all().all.values_mut() {
            container.running = container.started && !container.held && !self.never_starts(&container.image);
        }
    }

    /// What somebody did by hand: the container in this place is gone.
    pub fn lose(&self, service: &str, place: Place) {
        self.all().all.retain(|_, container| container.service != service || container.place != place);
    }

    /// From now on no container can be started, as on an engine that was killed within a start; or they can again.
    pub fn keep_port(&self, kept: bool) {
        self.keeps_port.store(kept, Ordering::Relaxed);
    }

    /// Whether the engine starts the service's container again by itself.
    pub fn is_held(&self, service: &str) -> bool {
        self.all().all.values().any(|container| container.service == service && container.held)
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
        (self.fate_of)(image) == Fate::SwapFails
    }

    /// Whether an image was fetched whose way back fails: from then on every other one is broken.
    fn way_back_is_broken(&self, image: &Image) -> bool {
        (self.fate_of)(image) != Fate::RollbackFails
            && self.all().all.values().any(|container| (self.fate_of)(&container.image) == Fate::RollbackFails)
    }

    fn all(&self) -> MutexGuard<'_, Containers> {
        self.containers.lock().unwrap_or_else(PoisonError::into_inner)
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

impl<F: Fn(&Image) -> Fate + Send + Sync> Engine for PretendedEngine<F> {
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
            made_for: container.made_for.clone(),
        });
        Ok(seen.collect())
    }

    async fn present(&self, image: &Image) -> Result<Option<Digest>, Fault> {
        Ok(self.all().images.iter().find(|known| known.is_same(image)).and_then(|known| known.digest.clone()))
    }

    async fn pull(&self, image: &Image, _progress: &(dyn Fn(Pulled) + Send + Sync)) -> Result<Digest, Fault> {
        sleep(self.durations.pull).await;
        match (self.fate_of)(image) {
            Fate::PullFails => return Err(Fault::new(Reason::RegistryUnavailable, "the registry does not answer")),
            Fate::PullFailsOnce => {
                let mut failed = self.failed_pulls.lock().unwrap_or_else(PoisonError::into_inner);
                *failed += 1;
                if *failed == 1 {
                    return Err(Fault::new(Reason::RegistryUnavailable, "the connection was reset"));
                }
                *failed = 0;
            }
            Fate::VanishesWhilePulling => self.vanish().await,
            Fate::Healthy | Fate::Unhealthy | Fate::SwapFails | Fate::VanishesAfterSwap | Fate::RollbackFails => {}
        }
        let digest = image.digest.clone().unwrap_or_else(|| digest_of(&image.image));
        let pulled = Image { image: image.image.clone(), digest: Some(digest.clone()) };
        let mut all = self.all();
        if !all.images.contains(&pulled) {
            all.images.push(pulled);
        }
        Ok(digest)
    }

    async fn create(&self, create: &Create<'_>) -> Result<ContainerId, Fault> {
        let mut all = self.all();
        let named = all.all.iter().find(|(_, c)| c.service == create.service && c.place == create.place);
        if let Some((id, found)) = named {
            let id = id.clone();
            if found.made_for.as_deref() == Some(create.made_for) && found.image == *create.image {
                return Ok(id);
            }
            all.all.remove(&id);
        }
        Ok(all.add(Pretended {
            service: create.service.to_owned(),
            place: create.place,
            image: create.image.clone(),
            made_for: Some(create.made_for.to_owned()),
            running: false,
            started: false,
            held: false,
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
        if let Some(container) = self.all().all.get_mut(id) {
            container.running = true;
            container.started = true;
        }
        Ok(())
    }

    async fn stop(&self, id: &ContainerId, _grace: Duration) -> Result<(), Fault> {
        if let Some(container) = self.all().all.get_mut(id) {
            container.running = false;
        }
        Ok(())
    }

    async fn hold(&self, id: &ContainerId, held: bool) -> Result<(), Fault> {
        if let Some(container) = self.all().all.get_mut(id) {
            container.held = held;
        }
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
        if let Some(container) = self.all().all.get_mut(id) {
            container.serves = true;
        }
        Ok(())
    }

    async fn remove(&self, id: &ContainerId) -> Result<(), Fault> {
        self.all().all.remove(id);
        Ok(())
    }

    async fn probe(&self, _service: &str, id: &ContainerId, _check: &HealthCheck) -> Result<(), Fault> {
        sleep(self.durations.probe).await;
        let image = self.image_of(id)?;
        if !self.all().all.get(id).is_some_and(|container| container.running) {
            return Err(Fault::new(Reason::Unhealthy, "the container does not run"));
        }
        match (self.fate_of)(&image) {
            Fate::Unhealthy | Fate::RollbackFails => Err(Fault::new(Reason::Unhealthy, "the check was refused")),
            Fate::VanishesAfterSwap => self.vanish().await,
            Fate::Healthy | Fate::PullFails | Fate::PullFailsOnce | Fate::SwapFails | Fate::VanishesWhilePulling => {
                Ok(())
            }
        }
    }

    async fn last_words(&self, _id: &ContainerId) -> String {
        String::new()
    }

    async fn prune(&self, keep: &[Image]) -> Result<(), Fault> {
        let mut all = self.all();
        let used: Vec<Image> = all.all.values().map(|container| container.image.clone()).collect();
        all.images.retain(|image| keep.iter().chain(&used).any(|kept| kept.is_same(image)));
        Ok(())
    }
}

/// A device without locks and hooks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet;

impl Host for Quiet {
    fn lock(&self, _service: &str) -> Option<Lock> {
        None
    }

    async fn hook(&self, _call: HookCall<'_>) -> Result<HookAnswer, Fault> {
        Ok(HookAnswer::GoOn)
    }

    fn ask_engine_restart(&self) -> bool {
        false
    }
}

/// Keeps nothing: a simulated device never loses its power.
#[derive(Debug, Clone, Copy, Default)]
pub struct Forgetful;

impl Journal for Forgetful {
    fn write(&mut self, _state: &[u8]) -> std::io::Result<()> {
        Ok(())
    }
}
