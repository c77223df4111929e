//! What the device's owner sets: `/etc/tidegate/agent.toml`.
//!
//! `packaging/agent.toml` explains every key. A key that is not known is refused by name; everything else that is wrong
//! is told at once.

mod address;
mod check;
mod quantity;
mod raw;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use address::EngineAddress;
pub use quantity::time;

/// Where the file is, unless another is named.
pub const DEFAULT_FILE: &str = "/etc/tidegate/agent.toml";

/// Reads an environment variable: the process's own, or a test's.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Everything that is set, with every default filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The server, without a slash at its end.
    pub url: String,
    /// Where to poll and report, where that is elsewhere (a function URL costs less), likewise without a slash.
    pub device_state_url: Option<String>,
    /// What the device is enrolled as.
    pub device: DeviceSettings,
    /// Where the provisioning key stands, if anywhere. Needed until the device is enrolled.
    pub provisioning_key_file: Option<PathBuf>,
    /// Where the identity and the journal are; survives a restart of the device.
    pub state_dir: PathBuf,
    /// Where locks and the status are; need not survive it.
    pub runtime_dir: PathBuf,
    /// Where to log to, where that is not standard error.
    pub log_file: Option<PathBuf>,
    pub engine: EngineSettings,
    /// Fetching images.
    pub pull: PullSettings,
    /// Absolute paths of the programs that a custom health check may run on the device.
    pub allowed_commands: Vec<PathBuf>,
    pub hooks: HookSettings,
}

/// What the device is enrolled as.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeviceSettings {
    pub name: Option<String>,
    /// Its fleet. Needed until the device is enrolled.
    pub fleet_id: Option<String>,
    /// IANA name of its zone.
    pub timezone: Option<String>,
    pub tags: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineSettings {
    /// Where it listens.
    pub address: EngineAddress,
    /// The Compose file that declares the device's services.
    pub compose_file: Option<PathBuf>,
}

/// Fetching images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullSettings {
    /// A `config.json` as `docker login` writes it, with the registries' credentials.
    pub registry_config: Option<PathBuf>,
    /// Bytes per second, over all pulls.
    pub bandwidth_limit: Option<u64>,
    /// Pulls at a time.
    pub concurrency: usize,
    /// Bytes of the disk that a pull must leave free.
    pub keep_free: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookSettings {
    /// Where they are.
    pub directory: PathBuf,
    /// How long one may run.
    pub timeout: Duration,
}

/// Why there is no configuration. Its text names the file, and has the cause in it, which is so not told as a source
/// once more.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there, or may not be read.
    #[error("{} cannot be read: {why}", path.display())]
    Unreadable { path: PathBuf, why: std::io::Error },
    /// It is no TOML, or has a key that there is none of. The text names line and column.
    #[error("{}: {why}", path.display())]
    Syntax {
        path: PathBuf,
        /// Where, and what was expected.
        why: Box<toml::de::Error>,
    },
    /// Values are wrong.
    #[error("{}:{}", path.display(), lines(mistakes))]
    Mistakes {
        path: PathBuf,
        /// All of them.
        mistakes: Vec<Mistake>,
    },
}

/// A value that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The key, such as `pull.concurrency`.
    pub key: String,
    pub what: String,
}

fn lines(mistakes: &[Mistake]) -> String {
    mistakes.iter().fold(String::new(), |text, Mistake { key, what }| text + "\n  " + key + ": " + what)
}

impl Config {
    /// Reads the file.
    pub fn load(path: &Path, environment: Environment<'_>) -> Result<Self, ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|why| ConfigError::Unreadable { path: path.to_owned(), why })?;
        Self::read(path, &text, environment)
    }

    /// Reads a file's text; `path` is only for the errors.
    pub fn read(path: &Path, text: &str, environment: Environment<'_>) -> Result<Self, ConfigError> {
        let raw: raw::RawConfig =
            toml::from_str(text).map_err(|why| ConfigError::Syntax { path: path.to_owned(), why: Box::new(why) })?;
        check::check(raw, environment).map_err(|mistakes| ConfigError::Mistakes { path: path.to_owned(), mistakes })
    }

    /// Where to poll and report.
    pub fn state_base(&self) -> &str {
        self.device_state_url.as_deref().unwrap_or(&self.url)
    }
}
