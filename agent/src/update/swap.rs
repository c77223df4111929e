//! A swap under way, as the state store keeps it: enough to go on, or back, from wherever the power went.
//!
//! The names on the disk are those of the first release, which an upgraded agent must be able to read.

use serde::{Deserialize, Serialize};
use tidegate_domain::event::DeviceEvent;
use tidegate_domain::health::HealthCheck;

use crate::container_spec::Strategy;
use crate::fault::Reason;
use crate::image::Image;
use crate::runtime::ContainerId;
use crate::server::target::MoveKey;

/// A swap of one service, or of all services that move together: they stand or fall together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swap {
    pub purpose: Purpose,
    #[serde(rename = "terms")]
    pub options: SwapOptions,
    /// The services, in the order in which they are replaced.
    #[serde(rename = "parts")]
    pub services: Vec<ServiceSwap>,
    pub stage: Stage,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// A rollout's new image.
    Update(MoveKey),
    /// A rollout is taken back.
    Rollback(MoveKey),
    /// What the service should run anyway: told by what runs alone.
    Converge,
}

impl Purpose {
    /// The piece of work in a rollout, where it is one.
    pub const fn key(&self) -> Option<&MoveKey> {
        match self {
            Self::Update(key) | Self::Rollback(key) => Some(key),
            Self::Converge => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwapOptions {
    /// The check; without one it is enough that the container runs.
    pub check: Option<HealthCheck>,
    pub healthy_for_seconds: u32,
    /// All tries of it.
    pub within_seconds: u32,
    /// Whether to return to what ran before when it fails.
    pub go_back: bool,
    /// What the way back leads to where the container that ran before is gone.
    pub previous: Option<Image>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// On the way to the new image.
    Forward,
    /// On the way back, because of this.
    Back(Failure),
    /// Decided, told and finished; only what is left over is to be removed.
    Settled,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub service: String,
    pub event: DeviceEvent,
    pub reason: Reason,
    pub why: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceSwap {
    pub service: String,
    pub image: Image,
    pub strategy: Strategy,
    /// Time to end by itself before it is killed.
    pub stop_grace_seconds: u64,
    /// The container that ran before.
    #[serde(rename = "from")]
    pub old: Option<OldContainer>,
    /// The container that was created for this swap.
    #[serde(rename = "made")]
    pub new: Option<ContainerId>,
    /// The step that may be under way: those before it are done.
    #[serde(rename = "at")]
    pub step: SwapStep,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OldContainer {
    pub id: ContainerId,
    pub image: Image,
    pub healthy: bool,
}

/// One step of replacing a service's container. Each can be done again after it was interrupted anywhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SwapStep {
    /// Asks the pre-update hook; nothing is touched yet.
    #[serde(rename = "untouched")]
    RunPreUpdateHook,
    /// Creates the new container beside the old one.
    #[serde(rename = "making")]
    Create,
    /// Starts the new container; with `recreate` the old one is stopped before, and the new one takes its name.
    #[serde(rename = "made")]
    Start,
    /// Runs the post-update hook, then the health check.
    #[serde(rename = "started")]
    Check,
    /// Of `blue-green`: the new container takes the old one's names and place.
    #[serde(rename = "checked")]
    SwitchOver,
    /// The new container serves and is healthy.
    #[serde(rename = "proven")]
    Done,

    // The way back is never kept: it is planned anew from what is there.
    /// Stops the new container and takes the service's name from it.
    #[serde(skip)]
    StopNew(ContainerId),
    /// Starts the old container in its place.
    #[serde(skip)]
    StartOld(ContainerId),
    /// Creates and starts another container of the old image: the old one is gone.
    #[serde(skip)]
    RecreateOld(Image),
    #[serde(skip)]
    RemoveNew(ContainerId),
    /// What ran before runs again.
    #[serde(skip)]
    Returned,
    /// The old container does not run: the new one, unhealthy as it is, is better than none.
    #[serde(skip)]
    KeepNew(ContainerId),
    /// Neither of them runs.
    #[serde(skip)]
    GiveUp,
}

impl ServiceSwap {
    /// Whether anything may have been done to its containers.
    pub fn is_touched(&self) -> bool {
        self.step != SwapStep::RunPreUpdateHook
    }

    /// Whether the new container was started.
    pub const fn new_ran(&self) -> bool {
        matches!(self.step, SwapStep::Check | SwapStep::SwitchOver | SwapStep::Done)
    }
}

impl Swap {
    /// The name of this piece of work on the containers that are created for it.
    pub fn created_for(&self) -> String {
        match &self.purpose {
            Purpose::Update(key) => format!("{}/{}/update", key.rollout_id, key.attempt),
            Purpose::Rollback(key) => format!("{}/{}/rollback", key.rollout_id, key.attempt),
            Purpose::Converge => "converge".to_owned(),
        }
    }

    /// The image that the way back of this service leads to; none where nothing ran before.
    pub fn previous<'a>(&'a self, service: &'a ServiceSwap) -> Option<&'a Image> {
        service.old.as_ref().map(|old| &old.image).or(self.options.previous.as_ref())
    }
}
