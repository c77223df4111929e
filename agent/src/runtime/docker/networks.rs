//! Networks and volumes around a container: created where they are missing, joined with or without the service's names.

use bollard::models::{ContainerInspectResponse, EndpointSettings, NetworkConnectRequest, NetworkDisconnectRequest};
use bollard::query_parameters::InspectNetworkOptions;

use super::DockerRuntime;
use super::connection::CALL;
use super::faults::Answer;
use crate::container_spec::{Attachment, Configuration, Needed};
use crate::fault::{Fault, Reason};
use crate::runtime::ContainerId;

impl DockerRuntime {
    /// Makes the networks and volumes that a declared service needs and that are missing.
    pub(super) async fn provide(&self, service: &str) -> Result<(), Fault> {
        let (Some(project), Some(declared)) = (&self.project, self.declared(service)) else { return Ok(()) };
        let docker = self.connection.docker().await?;
        for attachment in &declared.configuration.networks {
            let name = &attachment.network;
            let asked = docker.inspect_network(name, None::<InspectNetworkOptions>);
            let there = self.connection.ask(&format!("inspecting network {name}"), CALL, asked).await.found()?;
            match (there, project.networks.get(name)) {
                (Some(_), _) | (None, None) => {}
                (None, Some(Needed::External)) => return Err(missing("network", name)),
                (None, Some(Needed::Made(request))) => {
                    let asked = docker.create_network(request.clone());
                    self.connection.ask(&format!("creating network {name}"), CALL, asked).await?;
                }
            }
        }
        for name in &declared.volumes {
            let asked = docker.inspect_volume(name);
            let there = self.connection.ask(&format!("inspecting volume {name}"), CALL, asked).await.found()?;
            match (there, project.volumes.get(name)) {
                (Some(_), _) | (None, None) => {}
                (None, Some(Needed::External)) => return Err(missing("volume", name)),
                (None, Some(Needed::Made(request))) => {
                    let asked = docker.create_volume(request.clone());
                    self.connection.ask(&format!("creating volume {name}"), CALL, asked).await?;
                }
            }
        }
        Ok(())
    }

    /// Brings a container into the networks of its configuration that it is not in yet. Engines older than API 1.44
    /// take one network when a container is created, so a crash can leave one that is in too few.
    pub(super) async fn join(
        &self,
        inspected: &ContainerInspectResponse,
        configuration: &Configuration,
        serves: bool,
    ) -> Result<(), Fault> {
        let id = inspected.id.as_deref().unwrap_or_default();
        for attachment in &configuration.networks {
            if endpoint(inspected, &attachment.network).is_none() {
                self.connect(id, attachment, serves).await?;
            }
        }
        Ok(())
    }

    /// Gives a container the names and addresses of its configuration. An endpoint cannot be changed, so it leaves the
    /// network and comes back; one that has them already stays.
    pub(super) async fn take_names(&self, id: &ContainerId, configuration: &Configuration) -> Result<(), Fault> {
        let docker = self.connection.docker().await?;
        for attachment in &configuration.networks {
            let Some(inspected) = self.inspect(&id.0).await? else { return Err(gone(id)) };
            let name = &attachment.network;
            if let Some(endpoint) = endpoint(&inspected, name) {
                if has_names(endpoint, &attachment.endpoint) {
                    continue;
                }
                let request = NetworkDisconnectRequest { container: id.0.clone(), force: None };
                let asked = docker.disconnect_network(name, request);
                self.connection.ask(&format!("leaving network {name}"), CALL, asked).await.found()?;
            }
            self.connect(&id.0, attachment, true).await?;
        }
        Ok(())
    }

    async fn connect(&self, id: &str, attachment: &Attachment, serves: bool) -> Result<(), Fault> {
        let docker = self.connection.docker().await?;
        let request = NetworkConnectRequest {
            container: id.to_owned(),
            endpoint_config: Some(Configuration::endpoint(attachment, serves)),
        };
        let asked = docker.connect_network(&attachment.network, request);
        let doing = format!("joining network {}", attachment.network);
        Ok(self.connection.ask(&doing, CALL, asked).await?)
    }
}

fn endpoint<'a>(inspected: &'a ContainerInspectResponse, network: &str) -> Option<&'a EndpointSettings> {
    inspected.network_settings.as_ref()?.networks.as_ref()?.get(network)
}

/// Whether an endpoint has the aliases and the static address that are wanted.
fn has_names(endpoint: &EndpointSettings, wanted: &EndpointSettings) -> bool {
    let has = endpoint.aliases.as_deref().unwrap_or_default();
    let aliases = wanted.aliases.iter().flatten().all(|alias| has.contains(alias));
    let address = |endpoint: &EndpointSettings| {
        let ipam = endpoint.ipam_config.clone().unwrap_or_default();
        (ipam.ipv4_address.unwrap_or_default(), ipam.ipv6_address.unwrap_or_default())
    };
    aliases && address(endpoint) == address(wanted)
}

fn missing(what: &str, name: &str) -> Fault {
    Fault::new(Reason::Configuration, format!("the external {what} {name} is not there"))
}

/// A container that was there a moment ago.
pub(super) fn gone(id: &ContainerId) -> Fault {
    Fault::new(Reason::Refused, format!("container {} is gone", id.0))
}
