//! The services of a device with what their containers need.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use bollard::models::{NetworkCreateRequest, VolumeCreateRequest};

use super::{Configuration, Strategy};

/// What a Compose file declares.
#[derive(Debug, Clone, PartialEq)]
pub struct Project {
    /// The project's name: the file's own, or that of its folder.
    pub name: String,
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
    pub image: String,
    /// The name of the container that serves.
    pub container_name: String,
    /// All that is not the image.
    pub configuration: Configuration,
    /// The names in the engine of the volumes that it mounts.
    pub volumes: Vec<String>,
    pub strategy: Strategy,
    /// Time to end by itself before it is killed.
    pub stop_grace: Duration,
}
