//! The services that a device is enrolled with.

use std::collections::BTreeMap;

use crate::compose;
use crate::config::Config;
use crate::server::enrol::{Facts, machine_name, platform};

/// What is told at enrolment.
pub(super) fn facts(services: BTreeMap<String, String>) -> Facts {
    Facts { services, platform: platform(), machine: machine_name() }
}

/// The image of each service that the Compose file declares.
pub(super) fn declared(config: &Config) -> anyhow::Result<BTreeMap<String, String>> {
    let Some(path) = &config.engine.compose_file else { return Ok(BTreeMap::new()) };
    let project = compose::read(path, &std::env::vars().collect())?;
    Ok(project.services.into_iter().map(|(name, declared)| (name, declared.image)).collect())
}
