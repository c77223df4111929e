//! Adoption: the configuration of a container that somebody else made, read from the engine.
//!
//! What it merely has from its image is left out, so that the next image brings its own; as with Watchtower, what was
//! set to exactly the image's value counts as the image's. Never taken over: the MAC address and addresses that the
//! engine chose, since the old container may have them still.

use std::collections::HashMap;

use bollard::models::{
    ContainerConfig, ContainerCreateBody, ContainerInspectResponse, EndpointSettings, HostConfig, ImageConfig, Mount,
    MountType, RestartPolicy,
};

use crate::container_spec::{Attachment, Configuration, labels};

/// Reads the configuration. `policy` is the restart policy where that is suspended.
pub(super) fn configuration(
    inspected: &ContainerInspectResponse,
    image: &ImageConfig,
    policy: Option<RestartPolicy>,
) -> Configuration {
    let id = inspected.id.as_deref().unwrap_or_default();
    let mut host_config = inspected.host_config.clone().unwrap_or_default();
    host_config.container_id_file = None;
    host_config.links = host_config.links.map(|links| links.iter().map(|link| plain_link(link)).collect());
    if let Some(policy) = policy {
        host_config.restart_policy = Some(policy);
    }
    let networks = attachments(inspected, &host_config, id);
    let config = inspected.config.clone().unwrap_or_default();
    let container =
        ContainerCreateBody { host_config: Some(host_config), ..without_image(config, image, inspected, id) };
    Configuration { container, networks }
}

/// The container's own settings, without those of its image and without those that the engine made up.
fn without_image(
    config: ContainerConfig,
    image: &ImageConfig,
    inspected: &ContainerInspectResponse,
    id: &str,
) -> ContainerCreateBody {
    let (entrypoint, cmd) = if config.entrypoint == image.entrypoint {
        (None, unless_same(config.cmd, image.cmd.as_ref()))
    } else {
        // With an entrypoint of one's own the image's command does not apply, so what is there is one's own too.
        (config.entrypoint, config.cmd)
    };
    let mode = inspected.host_config.as_ref().and_then(|host| host.network_mode.as_deref()).unwrap_or_default();
    let given = mode != "host" && !mode.starts_with("container:");
    let hostname = config.hostname.filter(|name| given && !id.starts_with(name.as_str()));
    ContainerCreateBody {
        hostname,
        domainname: config.domainname.filter(|name| given && !name.is_empty()),
        user: unless_same(config.user, image.user.as_ref()),
        attach_stdin: config.attach_stdin,
        attach_stdout: config.attach_stdout,
        attach_stderr: config.attach_stderr,
        exposed_ports: beyond(config.exposed_ports, image.exposed_ports.as_deref()),
        tty: config.tty,
        open_stdin: config.open_stdin,
        stdin_once: config.stdin_once,
        env: beyond(config.env, image.env.as_deref()),
        cmd,
        healthcheck: unless_same(config.healthcheck, image.healthcheck.as_ref()),
        volumes: beyond(config.volumes, image.volumes.as_deref()),
        working_dir: unless_same(config.working_dir, image.working_dir.as_ref()),
        entrypoint,
        network_disabled: config.network_disabled,
        labels: own_labels(config.labels, image.labels.as_ref()),
        stop_signal: unless_same(config.stop_signal, image.stop_signal.as_ref()),
        stop_timeout: config.stop_timeout,
        shell: unless_same(config.shell, image.shell.as_ref()),
        ..ContainerCreateBody::default()
    }
}

fn unless_same<T: PartialEq>(own: Option<T>, image: Option<&T>) -> Option<T> {
    if own.as_ref() == image { None } else { own }
}

fn beyond(own: Option<Vec<String>>, image: Option<&[String]>) -> Option<Vec<String>> {
    let image = image.unwrap_or_default();
    let own: Vec<String> = own?.into_iter().filter(|one| !image.contains(one)).collect();
    (!own.is_empty()).then_some(own)
}

fn own_labels(
    own: Option<HashMap<String, String>>,
    image: Option<&HashMap<String, String>>,
) -> Option<HashMap<String, String>> {
    let inherited = |key: &str, value: &str| image.and_then(|image| image.get(key)).is_some_and(|of| of == value);
    let own: HashMap<String, String> = own?
        .into_iter()
        .filter(|(key, value)| !labels::WRITTEN.contains(&key.as_str()) && !inherited(key, value))
        .collect();
    (!own.is_empty()).then_some(own)
}

/// A link as it is asked for (`db:cache`), from how the engine tells it (`/db:/web/cache`).
fn plain_link(link: &str) -> String {
    match link.split_once(':') {
        Some((to, alias)) => {
            format!("{}:{}", to.trim_start_matches('/'), alias.rsplit('/').next().unwrap_or(alias))
        }
        None => link.to_owned(),
    }
}

/// The networks that it is in, the one of its network mode first.
fn attachments(inspected: &ContainerInspectResponse, host: &HostConfig, id: &str) -> Vec<Attachment> {
    let mode = host.network_mode.as_deref().unwrap_or_default();
    if mode == "host" || mode == "none" || mode.starts_with("container:") {
        return Vec::new();
    }
    let networks = inspected.network_settings.as_ref().and_then(|settings| settings.networks.clone());
    let mut networks: Vec<(String, EndpointSettings)> = networks.unwrap_or_default().into_iter().collect();
    let primary = |name: &str, endpoint: &EndpointSettings| {
        name == mode
            || endpoint.network_id.as_deref() == Some(mode)
            || (name == "bridge" && (mode == "default" || mode.is_empty()))
    };
    networks.sort_by(|(one, of_one), (other, of_other)| {
        (!primary(one, of_one), one).cmp(&(!primary(other, of_other), other))
    });
    networks.into_iter().map(|(network, endpoint)| Attachment { network, endpoint: asked_for(endpoint, id) }).collect()
}

/// An endpoint as somebody asked for it, without what the engine added.
fn asked_for(endpoint: EndpointSettings, id: &str) -> EndpointSettings {
    let own = |alias: &String| !(alias.len() >= 12 && id.starts_with(alias.as_str()));
    let aliases: Vec<String> = endpoint.aliases.unwrap_or_default().into_iter().filter(own).collect();
    let given = |address: &Option<String>| address.as_deref().is_some_and(|address| !address.is_empty());
    let ipam_config = endpoint.ipam_config.filter(|ipam| given(&ipam.ipv4_address) || given(&ipam.ipv6_address));
    EndpointSettings {
        ipam_config,
        aliases: (!aliases.is_empty()).then_some(aliases),
        driver_opts: endpoint.driver_opts,
        gw_priority: endpoint.gw_priority.filter(|&priority| priority != 0),
        ..EndpointSettings::default()
    }
}

/// Mounts for the anonymous volumes of a container, so that what is in them stays when another takes its place.
/// Places that `configuration` mounts by itself are left out.
pub(super) fn anonymous_volumes(inspected: &ContainerInspectResponse, configuration: &Configuration) -> Vec<Mount> {
    let host = configuration.container.host_config.clone().unwrap_or_default();
    let mounts = host.mounts.iter().flatten().filter_map(|mount| mount.target.as_deref());
    let binds = host.binds.iter().flatten().map(|bind| bind.split(':').nth(1).unwrap_or(bind));
    let tmpfs = host.tmpfs.iter().flatten().map(|(target, _)| target.as_str());
    let taken: Vec<&str> = mounts.chain(binds).chain(tmpfs).collect();
    let mounts = inspected.mounts.iter().flatten();
    mounts
        .filter(|mount| mount.typ.as_deref() == Some("volume"))
        .filter_map(|mount| Some((mount.name.clone()?, mount.destination.clone()?)))
        .filter(|(name, target)| is_anonymous(name) && !taken.contains(&target.as_str()))
        .map(|(source, target)| Mount {
            target: Some(target),
            source: Some(source),
            typ: Some(MountType::VOLUME),
            ..Mount::default()
        })
        .collect()
}

/// Whether the engine made the name up: 64 hexadecimal digits.
fn is_anonymous(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests;
