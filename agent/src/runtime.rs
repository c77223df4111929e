//! The port to the container runtime: what the agent needs of Docker, of Podman, or of a simulated one.
//!
//! Calls are small on purpose: each is one thing that either happened or did not when the power goes, and the agent
//! finds out which. All of them are idempotent: what is so already is no fault.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tidegate_domain::health::HealthCheck;
use tidegate_domain::image::Digest;

use crate::container_spec::Strategy;
use crate::fault::Fault;
use crate::image::{Image, Pulled};

pub mod docker;
pub mod retrying;

/// A service that this device runs: declared in its Compose file, or adopted from a labelled container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// The name that the server knows it by.
    pub name: String,
    /// The image that is declared for it; the first one it runs. Of an adopted one, what its container was made from.
    pub image: Image,
    pub strategy: Strategy,
    /// Time to end by itself before it is killed.
    pub stop_grace: Duration,
    /// Its place in the order in which services are started: what others depend on has a lower one.
    pub rank: usize,
}

/// A container's id, as the engine gave it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ContainerId(pub String);

/// The place of a container in its service, which is what it is named by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The one that serves: the service's own name.
    Live,
    /// One that is being brought up.
    Next,
    /// The one that served before and can serve again.
    #[serde(rename = "kept")]
    Fallback,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    pub id: ContainerId,
    pub place: Place,
    /// Whether the agent made it or adopted it. One that merely has the name is a stranger's and never touched.
    pub ours: bool,
    /// The image that it was made from.
    pub image: Image,
    pub state: State,
    /// The piece of work that it was made for, as [`Create::created_for`] had it.
    pub created_for: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Made, never started.
    Created,
    Running,
    /// It ended, with this code, and its engine starts it again by itself.
    Restarting(i64),
    Exited(i64),
}

/// A container to be made, not started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Create<'a> {
    /// The service, whose configuration it gets.
    pub service: &'a str,
    /// The image, present on the device.
    pub image: &'a Image,
    pub place: Place,
    /// The container to take the configuration from where the service is not declared in a file. One that is gone is
    /// no fault where the engine remembers its configuration.
    pub like: Option<&'a ContainerId>,
    /// Names the piece of work: found again on the container when the agent was interrupted.
    pub created_for: &'a str,
    /// Whether it takes the service's names in its networks at once, or by [`Containers::serve`] later.
    pub serves: bool,
}

/// What the agent needs of a container runtime.
pub trait Runtime: Services + Images + Containers + Checks {}

impl<T: Services + Images + Containers + Checks> Runtime for T {}

/// The services of the device and their containers, as they are now.
pub trait Services: Send + Sync {
    /// The services of this device, by name.
    fn services(&self) -> impl Future<Output = Result<BTreeMap<String, Service>, Fault>> + Send;

    /// Every container that stands in one of the service's places, strangers that have one of its names included.
    fn containers(&self, service: &str) -> impl Future<Output = Result<Vec<Container>, Fault>> + Send;
}

pub trait Images: Send + Sync {
    /// The content of this image where it is on the device, for its platform, and whole.
    fn present(&self, image: &Image) -> impl Future<Output = Result<Option<Digest>, Fault>> + Send;

    /// Fetches an image, pinned to its digest where that is known, and answers the content it got. Says how far it is.
    fn pull(
        &self,
        image: &Image,
        progress: &(dyn Fn(Pulled) + Send + Sync),
    ) -> impl Future<Output = Result<Digest, Fault>> + Send;

    /// Removes the images of these services' repositories that are in nobody's use and not among `keep`.
    fn prune(&self, keep: &[Image]) -> impl Future<Output = Result<(), Fault>> + Send;
}

/// Changes of single containers.
pub trait Containers: Send + Sync {
    /// Creates a container. One of ours that has the name and was created for the same work and image is taken as it is.
    fn create(&self, create: &Create<'_>) -> impl Future<Output = Result<ContainerId, Fault>> + Send;

    fn start(&self, id: &ContainerId) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Stops it: asks, waits for `grace`, then kills it. Returns when it is stopped.
    fn stop(&self, id: &ContainerId, grace: Duration) -> impl Future<Output = Result<(), Fault>> + Send;

    /// The runtime never starts it by itself from now on, whatever its restart policy says: a container that was stopped
    /// for another one must not come up beside it when the runtime or the device restarts.
    fn suspend_restart_policy(&self, id: &ContainerId) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Its own restart policy holds again.
    fn resume_restart_policy(&self, id: &ContainerId) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Moves it to another of its service's places.
    fn rename(&self, id: &ContainerId, service: &str, to: Place) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Gives it the service's names in its networks.
    fn serve(&self, id: &ContainerId, service: &str) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Removes it, running or not. Its named volumes stay.
    fn remove(&self, id: &ContainerId) -> impl Future<Output = Result<(), Fault>> + Send;
}

/// Whether a container works.
pub trait Checks: Send + Sync {
    /// One try of a health check. The caller bounds its time.
    fn probe(
        &self,
        service: &str,
        id: &ContainerId,
        check: &HealthCheck,
    ) -> impl Future<Output = Result<(), Fault>> + Send;

    /// The last lines that it wrote, for a report.
    fn last_words(&self, id: &ContainerId) -> impl Future<Output = String> + Send;
}
