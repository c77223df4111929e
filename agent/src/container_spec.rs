//! A container's configuration apart from its image: what stays when the image changes.

use std::fmt;

pub mod labels;
mod project;

use bollard::models::{ContainerCreateBody, EndpointSettings};
use serde::{Deserialize, Serialize};

pub use project::{Declared, Needed, Project};

/// How a container is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// The old one stops, then the new one starts.
    #[default]
    Recreate,
    /// The new one starts beside the old one and is checked there; then they change places.
    BlueGreen,
}

/// What a container is made with, whatever its image.
///
/// `Debug` shows neither environment nor command: they carry passwords.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Configuration {
    /// The engine's own body, without image and networks.
    pub container: ContainerCreateBody,
    /// The networks by name, the one that it starts with first. None where the network mode says it all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<Attachment>,
}

/// A network that a container is in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attachment {
    /// The network's name in the engine.
    pub network: String,
    /// Aliases and static addresses; never what the engine gave by itself.
    pub endpoint: EndpointSettings,
}

impl fmt::Debug for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Configuration").field("networks", &self.networks).finish_non_exhaustive()
    }
}

impl Configuration {
    /// The first host port that is one fixed port, so that two containers cannot have it at a time.
    pub fn fixed_port(&self) -> Option<String> {
        let bindings = self.container.host_config.as_ref()?.port_bindings.as_ref()?;
        let mut fixed: Vec<&str> = bindings
            .values()
            .flatten()
            .flatten()
            .filter_map(|binding| binding.host_port.as_deref())
            .filter(|port| !port.is_empty() && *port != "0" && !port.contains('-'))
            .collect();
        fixed.sort_unstable();
        fixed.first().map(|&port| port.to_owned())
    }

    /// Why two containers with this configuration cannot run side by side, and the way out.
    pub fn alone(&self) -> Option<String> {
        let mode = self.container.host_config.as_ref().and_then(|host| host.network_mode.as_deref()).unwrap_or("");
        if mode == "host" || mode.starts_with("container:") {
            return Some(format!(
                "two containers cannot share the network mode {mode}; use a network, or the strategy recreate"
            ));
        }
        if let Some(port) = self.fixed_port() {
            return Some(format!(
                "two containers cannot both have host port {port}; publish a range with room for two \
                 (such as 8080-8081:80), no port, or use the strategy recreate"
            ));
        }
        None
    }

    /// The endpoint of this attachment for a container that serves, or not yet.
    pub(crate) fn endpoint(attachment: &Attachment, serves: bool) -> EndpointSettings {
        if serves {
            return attachment.endpoint.clone();
        }
        // Names and static addresses are the serving container's until the change of places.
        EndpointSettings { aliases: None, ipam_config: None, ..attachment.endpoint.clone() }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use bollard::models::{HostConfig, PortBinding};

    use super::*;

    fn with(mode: &str, ports: &[&str]) -> Configuration {
        let bindings = ports.iter().map(|&port| PortBinding { host_ip: None, host_port: Some(port.to_owned()) });
        let host_config = HostConfig {
            network_mode: Some(mode.to_owned()),
            port_bindings: Some(HashMap::from([("80/tcp".to_owned(), Some(bindings.collect()))])),
            ..HostConfig::default()
        };
        let container = ContainerCreateBody { host_config: Some(host_config), ..ContainerCreateBody::default() };
        Configuration { container, networks: Vec::new() }
    }

    #[test]
    fn two_side_by_side() {
        let cases: [(&str, Configuration, Option<&str>); 6] = [
            ("no port", with("net", &[]), None),
            ("a range", with("net", &["8080-8081"]), None),
            ("any port", with("net", &["", "0"]), None),
            ("a fixed port", with("net", &["8080"]), Some("host port 8080")),
            ("the host's network", with("host", &[]), Some("network mode host")),
            ("another's network", with("container:vpn", &[]), Some("network mode container:vpn")),
        ];
        for (label, configuration, expected) in cases {
            let why = configuration.alone();
            assert_eq!(why.is_some(), expected.is_some(), "{label}");
            assert!(why.unwrap_or_default().contains(expected.unwrap_or_default()), "{label}");
        }
    }

    #[test]
    fn secrets_stay_out_of_debug_output() {
        let env = Some(vec!["PASSWORD=hunter2".to_owned()]);
        let container = ContainerCreateBody { env, ..ContainerCreateBody::default() };
        let shown = format!("{:?}", Configuration { container, networks: Vec::new() });
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
