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
use crate::engine::Fault;
use crate::host::{HookAnswer, HookCall, Host, Lock};

pub use hook::unsafe_to_run;

/// The device.
#[derive(Debug, Clone)]
pub struct DeviceHost {
    locks: PathBuf,
    hooks: PathBuf,
    hook_timeout: Duration,
    now: fn() -> Timestamp,
}

impl DeviceHost {
    /// This device, as it is configured.
    pub fn new(config: &Config) -> Self {
        Self {
            locks: lock::directory(&config.runtime_dir),
            hooks: config.hooks.directory.clone(),
            hook_timeout: config.hooks.timeout,
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
}
