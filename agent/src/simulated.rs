//! A simulated device: for fleets of them, and for tests that crash at every call.

mod runtime;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tidegate_domain::image::Digest;

use crate::fault::Fault;
use crate::hooks::{HookAnswer, HookCall};
use crate::host::Host;
use crate::image::Image;
use crate::locks::Lock;
use crate::runtime::{ContainerId, Place};
use crate::state::store::StateStore;

pub use runtime::SimulatedRuntime;

/// What happens when a device takes an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum FaultProfile {
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

/// How long simulated work takes.
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

/// The containers on a simulated device, which outlive its agent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SimulatedContainers {
    made: u64,
    all: BTreeMap<ContainerId, SimulatedContainer>,
    images: Vec<Image>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "what a container is, each by itself")]
struct SimulatedContainer {
    service: String,
    place: Place,
    image: Image,
    #[serde(rename = "made_for")]
    created_for: Option<String>,
    running: bool,
    started: bool,
    #[serde(rename = "held")]
    restart_suspended: bool,
    serves: bool,
}

impl SimulatedContainers {
    /// A device whose services run these images.
    pub fn running(services: impl IntoIterator<Item = (String, Image)>) -> Self {
        let mut containers = Self::default();
        for (service, image) in services {
            containers.images.push(image.clone());
            let new = SimulatedContainer {
                service,
                place: Place::Live,
                image,
                created_for: None,
                running: true,
                started: true,
                restart_suspended: false,
                serves: true,
            };
            containers.add(new);
        }
        containers
    }

    fn add(&mut self, container: SimulatedContainer) -> ContainerId {
        self.made += 1;
        let id = ContainerId(format!("c{}", self.made));
        self.all.insert(id.clone(), container);
        id
    }
}

/// A device without locks and hooks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SimulatedHost;

impl Host for SimulatedHost {
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
pub struct NoStore;

impl StateStore for NoStore {
    fn write(&mut self, _state: &[u8]) -> std::io::Result<()> {
        Ok(())
    }
}
