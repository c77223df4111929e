//! The seam to a container engine, and one that only pretends.

use std::future::Future;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tidegate_domain::health::HealthCheck;
use tidegate_domain::image::Digest;
use tokio::time::sleep;

use super::fate::Fate;
use super::target::Image;

/// Why something on the device came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It failed, in words.
    Failed(String),
    /// The device is gone: no power, no network, nobody at home. Nothing can be told any more.
    Gone,
}

/// What an agent needs of a container engine.
pub(crate) trait Containers: Send {
    /// Fetches an image; answers the content it got.
    fn pull(&mut self, image: &Image) -> impl Future<Output = Result<Digest, Fault>> + Send;

    /// Replaces the service's container by one of this image.
    fn replace(&mut self, service: &str, image: &Image, way: Way) -> impl Future<Output = Result<(), Fault>> + Send;

    /// One try of a health check.
    fn probe(&mut self, service: &str, check: &HealthCheck) -> impl Future<Output = Result<(), Fault>> + Send;
}

/// Which way a container is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// To an image that is to be proven.
    There,
    /// To one that ran before.
    Back,
}

/// The content that a reference stands for in a world without a registry: the same for everybody.
pub(crate) fn digest_of(reference: &str) -> Digest {
    let text = format!("sha256:{}", hex::encode(Sha256::digest(reference)));
    Digest::parse(&text).expect("a SHA-256 in hex is a digest")
}

/// How long pretended work takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Durations {
    /// Fetching.
    pub(crate) pull: Duration,
    /// Replacing.
    pub(crate) replace: Duration,
    /// One try of a check.
    pub(crate) probe: Duration,
}

impl Durations {
    /// Some tenths of a second, different from device to device; `share` is a number from 0 to 1.
    pub(crate) fn of_device(share: f64) -> Self {
        let of = |millis: u64| Duration::from_millis(millis).mul_f64(0.5 + share);
        Self { pull: of(600), replace: of(300), probe: of(60) }
    }
}

/// Containers that are only pretended. What happens to them is the device's fate with the image.
pub(crate) struct Pretended<F> {
    fate_of: F,
    durations: Durations,
    /// The image that is being proven, and its fate.
    proving: Option<Fate>,
    failed_pulls: u32,
}

impl<F: FnMut(&Image) -> Fate + Send> Pretended<F> {
    /// Containers of a device; `fate_of` tells what happens with an image on it.
    pub(crate) fn new(fate_of: F, durations: Durations) -> Self {
        Self { fate_of, durations, proving: None, failed_pulls: 0 }
    }
}

impl<F: FnMut(&Image) -> Fate + Send> Containers for Pretended<F> {
    async fn pull(&mut self, image: &Image) -> Result<Digest, Fault> {
        sleep(self.durations.pull).await;
        match (self.fate_of)(image) {
            Fate::PullFails => Err(Fault::Failed("the registry does not answer".to_owned())),
            Fate::PullFailsOnce if self.failed_pulls == 0 => {
                self.failed_pulls += 1;
                Err(Fault::Failed("the connection was reset".to_owned()))
            }
            Fate::VanishesWhilePulling => Err(Fault::Gone),
            Fate::Healthy
            | Fate::PullFailsOnce
            | Fate::Unhealthy
            | Fate::SwapFails
            | Fate::VanishesAfterSwap
            | Fate::RollbackFails => {
                self.failed_pulls = 0;
                Ok(image.digest.clone().unwrap_or_else(|| digest_of(&image.image)))
            }
        }
    }

    async fn replace(&mut self, _service: &str, image: &Image, way: Way) -> Result<(), Fault> {
        sleep(self.durations.replace).await;
        match way {
            Way::There => {
                let fate = (self.fate_of)(image);
                self.proving = Some(fate);
                match fate {
                    Fate::SwapFails => Err(Fault::Failed("the container exits at once".to_owned())),
                    Fate::Healthy
                    | Fate::PullFails
                    | Fate::PullFailsOnce
                    | Fate::Unhealthy
                    | Fate::VanishesWhilePulling
                    | Fate::VanishesAfterSwap
                    | Fate::RollbackFails => Ok(()),
                }
            }
            Way::Back if self.proving == Some(Fate::RollbackFails) => {
                Err(Fault::Failed("the old image is gone from the disk".to_owned()))
            }
            Way::Back => {
                self.proving = None;
                Ok(())
            }
        }
    }

    async fn probe(&mut self, _service: &str, _check: &HealthCheck) -> Result<(), Fault> {
        sleep(self.durations.probe).await;
        match self.proving {
            Some(Fate::Unhealthy | Fate::RollbackFails) => Err(Fault::Failed("the check was refused".to_owned())),
            Some(Fate::VanishesAfterSwap) => Err(Fault::Gone),
            None
            | Some(
                Fate::Healthy | Fate::PullFails | Fate::PullFailsOnce | Fate::SwapFails | Fate::VanishesWhilePulling,
            ) => Ok(()),
        }
    }
}
