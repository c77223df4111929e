//! The container engine: Docker 20.10 and newer, and what speaks its API, such as Podman.
//!
//! A service is declared in the device's Compose file, or *adopted*: a container that somebody started with the label
//! `tidegate.service=<name>`. Declared ones get their configuration from the file each time a container is created. An
//! adopted one's is read once, from its container, and then travels with the containers that the agent makes, in the
//! label `tidegate.configuration`: it outlives the original and does not pick up what later images bring by themselves.
//!
//! | place | name |
//! | --- | --- |
//! | [`Place::Live`](crate::runtime::Place) | the container's own: `container_name`, `<project>-<service>-1`, or what it was adopted with |
//! | `Place::Next` | the same with `.tidegate-next` |
//! | `Place::Fallback` | the same with `.tidegate-kept` |

mod adopt;
mod connection;
mod create;
mod describe;
mod exec;
mod faults;
mod found;
mod images;
mod lifecycle;
mod networks;
mod places;
mod probe;
mod prune;
mod pull;
mod pulling;
mod relayed;
mod restart_policies;
mod services;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

pub use describe::Description;
pub use relayed::Relayed;

use crate::container_spec::Project;
use crate::registry::Credentials;
use connection::Connection;
use restart_policies::SuspendedRestartPolicies;

/// Where an engine is and what it is asked to run.
#[derive(Debug)]
pub struct Setup<'a> {
    /// The engine's address: a socket's path, `unix:///path` or, of a socket proxy, `tcp://host:port`.
    pub address: &'a str,
    /// What the device's Compose file declares, where it has one.
    pub project: Option<Project>,
    pub credentials: Arc<Credentials>,
    /// What pulls go through; without it the engine asks registries by itself.
    pub relayed: Option<Relayed>,
    /// Programs on the host that a health check may run, by absolute path.
    pub programs: Vec<PathBuf>,
    /// The agent's own folder, for the suspended restart policies of containers.
    pub state: &'a Path,
}

#[derive(Debug)]
pub struct DockerRuntime {
    connection: Connection,
    project: Option<Project>,
    credentials: Arc<Credentials>,
    relayed: Option<Relayed>,
    programs: Vec<PathBuf>,
    restart_policies: SuspendedRestartPolicies,
    /// What was said about labelled containers that cannot be adopted: once is enough.
    told: Mutex<BTreeSet<String>>,
}

impl DockerRuntime {
    /// An engine; the connection is made when it is first needed, so that the engine may start later than the agent.
    pub fn new(setup: Setup<'_>) -> Self {
        Self {
            connection: Connection::new(setup.address),
            project: setup.project,
            credentials: setup.credentials,
            relayed: setup.relayed,
            programs: setup.programs,
            restart_policies: SuspendedRestartPolicies::new(setup.state),
            told: Mutex::default(),
        }
    }

    fn tell(&self, what: String) {
        let mut told = self.told.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !told.contains(&what) {
            tracing::warn!("{what}");
            told.insert(what);
        }
    }
}
