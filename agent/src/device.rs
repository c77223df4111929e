//! The device around the engine: lock files and hooks.

mod hook;
pub mod lock;
mod output;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;

use crate::config::Config;
use crate::durable;
use crate::engine::Fault;
use crate::host::{HookAnswer, HookCall, Host, Lock};

pub use hook::unsafe_to_run;

/// The file by which the agent asks for a restart of the engine, in its runtime folder. The package's
/// `tidegate-agent-engine.path` waits for it.
pub const RESTART_REQUEST: &str = "restart-engine";

/// The device.
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
            locks: lock::directory(&config.runtime_dir),
            hooks: config.hooks.directory.clone(),
            hook_timeout: config.hooks.timeout,
            restart_request: config.runtime_dir.join(RESTART_REQUEST),
            now: Timestamp::now,
        }
    }
}

impl Host for DeviceHost {
    fn lock(&self, service: &str) -> Option<Lock> {
        lock::held(&self.locks, service, (self.now)())
    }

    async fn hook(&self, call: HookCall<'_>) -> Result<HookAnswer, Fault> {
        hook::run(&self.hooks, self.hook_timeout, call).await
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
