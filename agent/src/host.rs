//! The port to the device around the container engine: locks, hooks, and who can restart the engine.

#[cfg(test)]
mod tests;

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;

use crate::config::Config;
use crate::durable;
use crate::fault::Fault;
use crate::hooks::{self, HookAnswer, HookCall};
use crate::locks::{self, Lock};

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

/// The file by which the agent asks for a restart of the engine, in its runtime folder. The package's
/// `tidegate-agent-engine.path` waits for it.
pub const RESTART_REQUEST: &str = "restart-engine";

#[derive(Debug, Clone)]
pub struct DeviceHost {
    locks: PathBuf,
    hooks: PathBuf,
    hook_timeout: Duration,
    restart_request: PathBuf,
    now: fn() -> Timestamp,
}

impl DeviceHost {
    /// This device, as it is configured.
    pub fn new(config: &Config) -> Self {
        Self {
            locks: locks::directory(&config.runtime_dir),
            hooks: config.hooks.directory.clone(),
            hook_timeout: config.hooks.timeout,
            restart_request: config.runtime_dir.join(RESTART_REQUEST),
            now: Timestamp::now,
        }
    }
}

impl Host for DeviceHost {
    fn lock(&self, service: &str) -> Option<Lock> {
        locks::held(&self.locks, service, (self.now)())
    }

    async fn hook(&self, call: HookCall<'_>) -> Result<HookAnswer, Fault> {
        hooks::run(&self.hooks, self.hook_timeout, call).await
    }

    fn ask_engine_restart(&self) -> bool {
        match durable::replace(&self.restart_request, b"", 0o644) {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(file = %self.restart_request.display(), %error, "the engine's restart cannot be asked for");
                false
            }
        }
    }
}
