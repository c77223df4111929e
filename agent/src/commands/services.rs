//! The services that a device is enrolled with.

use std::collections::BTreeMap;

use anyhow::{Context, bail};

use crate::config::Config;
use crate::enrol::{Facts, machine_name, platform};

/// What is told at enrolment.
pub(super) fn facts(services: BTreeMap<String, String>) -> Facts {
    Facts { services, platform: platform(), machine: machine_name() }
}

/// The image of each service that the Compose file declares.
pub(super) fn declared(config: &Config) -> anyhow::Result<BTreeMap<String, String>> {
    let Some(path) = &config.engine.compose_file else { return Ok(BTreeMap::new()) };
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let compose: docker_compose_types::Compose = serde_saphyr::from_str(&text)
        .with_context(|| format!("{} is no Compose file that this agent understands", path.display()))?;
    let mut images = BTreeMap::new();
    for (name, service) in compose.services.0 {
        match service.and_then(|service| service.image) {
            Some(image) => drop(images.insert(name, image)),
            None => bail!("{}: expected an image for the service {name}", path.display()),
        }
    }
    Ok(images)
}
