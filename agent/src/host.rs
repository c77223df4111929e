//! The seam to the device around the engine: locks and hooks.

use std::future::Future;

use jiff::Timestamp;

use crate::engine::Fault;
use crate::image::Image;

/// An application must not be disturbed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// Why, in the words of who locked.
    pub reason: Option<String>,
    /// Until when, where that is known.
    pub until: Option<Timestamp>,
}

/// When a hook runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before the old container is touched.
    BeforeUpdate,
    /// After the new container started, before its health check.
    AfterUpdate,
}

/// What a hook is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HookCall<'a> {
    /// When it runs.
    pub moment: Moment,
    /// The service.
    pub service: &'a str,
    /// The image to come, or that came.
    pub image: &'a Image,
    /// The image before it.
    pub previous: Option<&'a Image>,
}

/// What a hook says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookAnswer {
    /// Go on.
    GoOn,
    /// Not now: the update waits as with a lock. Exit code 75, as sysexits.h has it.
    NotNow(String),
}

/// What the agent needs of the device itself.
pub trait Host: Send + Sync {
    /// What locks the service, or everything, now.
    fn lock(&self, service: &str) -> Option<Lock>;

    /// Runs the service's hook of this moment, where there is one.
    fn hook(&self, call: HookCall<'_>) -> impl Future<Output = Result<HookAnswer, Fault>> + Send;

    /// Asks the device to start the container engine again, which the agent itself has no right to. Answers whether
    /// there is somebody to ask.
    fn ask_engine_restart(&self) -> bool;
}
