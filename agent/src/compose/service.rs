//! A service of a Compose file.

use std::path::Path;
use std::time::Duration;

use bollard::models::{ContainerCreateBody, HostConfig};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tidegate_domain::image::ImageRef;

use super::fields::Fields;
use super::mistakes::Mistakes;
use super::networks::{Networks, Taken};
use super::volumes::Volumes;
use super::{Variables, healthcheck, ports, process, resources, units};
use crate::container_spec::labels::{
    COMPOSE_FILES, COMPOSE_FOLDER, COMPOSE_HASH, COMPOSE_NUMBER, COMPOSE_ONE_OFF, COMPOSE_PROJECT, COMPOSE_SERVICE,
    ENABLE, SERVICE, STRATEGY,
};
use crate::container_spec::{Configuration, Declared, Strategy};

/// The engine's own time to end.
const STOP_GRACE: Duration = Duration::from_secs(10);

/// Labels that begin so are the agent's.
const OURS: &str = "tidegate.";

/// What a service needs to know of the rest.
pub(super) struct Surroundings<'a> {
    pub(super) project: &'a str,
    pub(super) file: &'a Path,
    pub(super) folder: &'a Path,
    pub(super) variables: &'a Variables,
    pub(super) networks: &'a mut Networks,
    pub(super) volumes: &'a mut Volumes,
}

/// Reads a service, and the names of those that it starts after. `None` where it is too wrong to say more about it.
pub(super) fn read(
    name: &str,
    value: Value,
    around: &mut Surroundings<'_>,
    mistakes: &Mistakes,
) -> Option<(Declared, Vec<String>)> {
    let path = format!("services.{name}");
    let mut fields = Fields::of(&path, value, mistakes);
    let image = image(&mut fields);
    let container_name = container_name(&mut fields, around.project, name);
    let (mut container, mut host) = (ContainerCreateBody::default(), HostConfig::default());
    process::read(&mut fields, around, &mut container, &mut host);
    resources::read(&mut fields, &mut host);
    healthcheck::read(&mut fields, &mut container);
    ports::read(&mut fields, &mut container, &mut host);
    let volumes = around.volumes.of_service(&mut fields, around.folder, &mut container, &mut host);
    let Taken { networks, mode } = around.networks.of_service(&mut fields, name);
    host.network_mode = Some(mode);

    let stop_grace = fields.parsed("stop_grace_period", units::duration).unwrap_or(STOP_GRACE);
    // The engine, when it ends itself, gives as much.
    container.stop_timeout = i64::try_from(stop_grace.as_secs()).ok();
    container.stop_signal = fields.text("stop_signal");
    let depends = process::depends_on(&mut fields);
    let mut labels = process::pairs(&mut fields, "labels");
    let strategy = strategy(&fields, &mut labels, name);
    container.labels = Some(labels.into_iter().collect());
    container.host_config = Some(host);
    let mut configuration = Configuration { container, networks };
    if strategy == Strategy::BlueGreen {
        side_by_side(&fields, &configuration);
    }
    fields.end();
    add_labels(&mut configuration, around, name);
    let declared = Declared { image: image?, container_name, configuration, volumes, strategy, stop_grace };
    Some((declared, depends))
}

fn image(fields: &mut Fields<'_>) -> Option<String> {
    let Some(image) = fields.text("image") else {
        fields.note("image", "expected an image such as ghcr.io/owner/app:1.2");
        return None;
    };
    match ImageRef::parse(&image) {
        Ok(_) => Some(image),
        Err(error) => {
            fields.note("image", error);
            None
        }
    }
}

fn container_name(fields: &mut Fields<'_>, project: &str, service: &str) -> String {
    let Some(name) = fields.text("container_name") else { return format!("{project}-{service}-1") };
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
    if name.len() < 2 || !plain || !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        fields.note("container_name", format_args!("expected letters, digits, _, . and -, got {name:?}"));
    }
    if name.contains(".tidegate-") {
        fields.note("container_name", "names with .tidegate- are the agent's own");
    }
    name
}

/// The agent's settings among the labels; one that it does not know is a slip of the pen.
fn strategy(fields: &Fields<'_>, labels: &mut std::collections::BTreeMap<String, String>, name: &str) -> Strategy {
    let known = [STRATEGY, ENABLE];
    for (key, value) in labels.iter().filter(|(key, _)| key.starts_with(OURS)) {
        let path = format!("labels.{key}");
        match key.as_str() {
            ENABLE if value != "true" => fields.note(&path, format_args!("expected true or false, got {value:?}")),
            SERVICE if value == name => {}
            SERVICE => {
                fields.note(&path, format_args!("a declared service has the name that it is declared by, {name}"));
            }
            other if known.contains(&other) => {}
            _ => {
                fields.note(&path, format_args!("not supported; the agent's labels are {} and {}", known[0], known[1]));
            }
        }
    }
    match labels.get(STRATEGY).map(String::as_str) {
        None | Some("recreate") => Strategy::Recreate,
        Some("blue-green") => Strategy::BlueGreen,
        Some(other) => {
            fields.note(&format!("labels.{STRATEGY}"), format_args!("expected recreate or blue-green, got {other:?}"));
            Strategy::Recreate
        }
    }
}

/// Whether the new container can run beside the old one.
fn side_by_side(fields: &Fields<'_>, configuration: &Configuration) {
    let path = format!("labels.{STRATEGY}");
    if let Some(why) = configuration.alone() {
        fields.note(&path, format_args!("blue-green is not possible: {why}"));
    }
    let mut endpoints = configuration.networks.iter().map(|attachment| &attachment.endpoint);
    if endpoints.any(|endpoint| endpoint.ipam_config.is_some()) {
        let why = "two containers cannot both have a static address; leave it out, or use the strategy recreate";
        fields.note(&path, format_args!("blue-green is not possible: {why}"));
    }
}

/// What `docker compose` finds a project's containers by.
fn add_labels(configuration: &mut Configuration, around: &Surroundings<'_>, service: &str) {
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string();
    // Its text through a tree, whose fields are in order: the same configuration has the same hash.
    let tree = serde_json::to_value(&*configuration).unwrap_or_default();
    let hash = hex::encode(Sha256::digest(tree.to_string()));
    configuration.container.labels.get_or_insert_default().extend(
        [
            (COMPOSE_PROJECT, around.project.to_owned()),
            (COMPOSE_SERVICE, service.to_owned()),
            (COMPOSE_NUMBER, "1".to_owned()),
            (COMPOSE_ONE_OFF, "False".to_owned()),
            (COMPOSE_HASH, hash),
            (COMPOSE_FILES, absolute(around.file)),
            (COMPOSE_FOLDER, absolute(around.folder)),
        ]
        .map(|(key, value)| (key.to_owned(), value)),
    );
}
