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
use std::path::Path;

use crate::container_spec::Project;

pub use mistakes::ComposeError;
pub use project::parse;

/// Values for `${NAME}` by name: the agent's own environment.
pub type Variables = BTreeMap<String, String>;

/// Reads a Compose file, with the `.env` beside it. What `variables` has goes before what `.env` has.
pub fn read(file: &Path, variables: &Variables) -> Result<Project, ComposeError> {
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
    parse(file, &text, dotenv.as_deref(), variables)
}

fn folder(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    }
}

#[cfg(test)]
mod tests;
