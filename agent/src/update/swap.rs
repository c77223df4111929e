//! A swap under way, as the journal keeps it: enough to go on, or back, from wherever it was cut.

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
    /// What it is for.
    pub purpose: Purpose,
    /// How the result is judged.
    #[serde(rename = "terms")]
    pub options: SwapOptions,
    /// The services, in the order in which they are replaced.
    #[serde(rename = "parts")]
    pub services: Vec<ServiceSwap>,
    /// How far it is.
    pub stage: Stage,
}

/// What a swap is for.
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

/// How the result is judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwapOptions {
    /// The check; without one it is enough that the container runs.
    pub check: Option<HealthCheck>,
    /// How long it must hold.
    pub healthy_for_seconds: u32,
    /// All tries of it.
    pub within_seconds: u32,
    /// Whether to return to what ran before when it fails.
    pub go_back: bool,
    /// What the way back leads to where the container that ran before is gone.
    pub previous: Option<Image>,
}

/// How far a swap is.
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

/// Why a swap goes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The service that failed.
    pub service: String,
    /// What is told of it.
    pub event: DeviceEvent,
    /// The stable word.
    pub reason: Reason,
    /// In words.
    pub why: String,
}

/// One service of a swap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceSwap {
    /// The service.
    pub service: String,
    /// The image to run.
    pub image: Image,
    /// How its container is replaced.
    pub strategy: Strategy,
    /// Time to end by itself before it is killed.
    pub stop_grace_seconds: u64,
    /// What ran before.
    pub from: Option<Before>,
    /// The new container.
    pub made: Option<ContainerId>,
    /// How far it is.
    pub at: SwapStep,
}

/// What ran before a swap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    /// Its container.
    pub id: ContainerId,
    /// Its image.
    pub image: Image,
    /// Whether it was healthy.
    pub healthy: bool,
}

/// How far one service of a swap is. Whatever is named here has happened; what comes next may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SwapStep {
    /// Nothing happened yet.
    Untouched,
    /// A new container may have been made; the old one is untouched.
    Making,
    /// The new container is there; the old one may have been stopped, the new one started.
    Made,
    /// The new container was started, in the old one's place or beside it.
    Started,
    /// Beside the old one it was found healthy; they may have changed places.
    Checked,
    /// It serves and is healthy.
    Proven,
}

impl Swap {
    /// The name of this piece of work on the containers that are made for it.
    pub fn created_for(&self) -> String {
        match &self.purpose {
            Purpose::Update(key) => format!("{}/{}/update", key.rollout_id, key.attempt),
            Purpose::Rollback(key) => format!("{}/{}/rollback", key.rollout_id, key.attempt),
            Purpose::Converge => "converge".to_owned(),
        }
    }
}
