//! The device's Compose file: which services this device runs, and how.
//!
//! The names and forms are those of the Compose specification. What a file says is either done or refused by name;
//! nothing is silently dropped, since a container that runs with half of its configuration is worse than none.

mod environment;
mod fields;
mod healthcheck;
mod interpolate;
mod mistakes;
mod networks;
mod order;
mod ports;
mod process;
mod project;
mod resources;
mod service;
mod units;
mod unsupported;
mod volumes;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::models::{NetworkCreateRequest, VolumeCreateRequest};

use crate::docker::Configuration;
use crate::engine::Strategy;

pub use mistakes::ComposeError;

/// Values for `${NAME}` by name: the agent's own environment.
pub type Variables = BTreeMap<String, String>;

/// What a Compose file declares.
#[derive(Debug, Clone, PartialEq)]
pub struct Project {
    /// The project's name: the file's own, or that of its folder.
    pub name: String,
    /// The services by name.
    pub services: BTreeMap<String, Declared>,
    /// The networks that services use, by their names in the engine.
    pub networks: BTreeMap<String, Needed<NetworkCreateRequest>>,
    /// The named volumes that services use, by their names in the engine.
    pub volumes: BTreeMap<String, Needed<VolumeCreateRequest>>,
    /// The services in the order in which they start: what others depend on comes first.
    pub order: Vec<String>,
    /// The file, as messages name it.
    pub file: PathBuf,
}

/// Something that must be there before a container can be made.
///
/// `Debug` does not show how it is made: a volume's options carry passwords of file servers.
#[derive(Clone, PartialEq)]
pub enum Needed<T> {
    /// It is made where it is missing.
    Made(T),
    /// Somebody else makes it.
    External,
}

impl<T> fmt::Debug for Needed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Made(_) => "Made",
            Self::External => "External",
        })
    }
}

/// A service as the file declares it.
#[derive(Debug, Clone, PartialEq)]
pub struct Declared {
    /// The reference of the image.
    pub image: String,
    /// The name of the container that serves.
    pub container_name: String,
    /// All that is not the image.
    pub configuration: Configuration,
    /// The names in the engine of the volumes that it mounts.
    pub volumes: Vec<String>,
    /// How its container is replaced.
    pub strategy: Strategy,
    /// Time to end by itself before it is killed.
    pub stop_grace: Duration,
}

impl Project {
    /// Reads a Compose file, with the `.env` beside it. What `variables` has goes before what `.env` has.
    pub fn read(file: &Path, variables: &Variables) -> Result<Self, ComposeError> {
        let unreadable = |file: &Path| {
            let file = file.to_owned();
            move |source| ComposeError::Unreadable { file, source }
        };
        let text = std::fs::read_to_string(file).map_err(unreadable(file))?;
        let beside = folder(file).join(".env");
        let dotenv = match std::fs::read_to_string(&beside) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(unreadable(&beside)(error)),
        };
        Self::parse(file, &text, dotenv.as_deref(), variables)
    }

    /// Reads the text of a Compose file. `file` says where relative paths start and what messages are about; files that
    /// `env_file` names are read.
    pub fn parse(file: &Path, text: &str, dotenv: Option<&str>, variables: &Variables) -> Result<Self, ComposeError> {
        project::parse(file, text, dotenv, variables)
    }
}

/// The folder that a file is in.
fn folder(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    }
}

#[cfg(test)]
mod tests;
