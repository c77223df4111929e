//! Creating, starting, stopping, renaming and removing containers.

use std::time::Duration;

use bollard::models::{ContainerUpdateBody, RestartPolicy, RestartPolicyNameEnum};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, KillContainerOptionsBuilder, ListContainersOptions, RemoveContainerOptionsBuilder,
    RenameContainerOptionsBuilder, StartContainerOptions, StopContainerOptionsBuilder,
};

use super::connection::CALL;
use super::faults::Answer;
use super::networks::gone;
use super::{DockerRuntime, found, places};
use crate::fault::{Fault, Reason};
use crate::runtime::{ContainerId, Containers, Create, Place, State};

/// What a stop may take beyond the grace, and a kill: an engine that needs longer hangs on the container.
const BEYOND_GRACE: Duration = Duration::from_secs(30);

impl Containers for DockerRuntime {
    async fn create(&self, create: &Create<'_>) -> Result<ContainerId, Fault> {
        let all = self.listed().await?;
        let base = self.base(&all, create.service)?;
        let standing = self.standing(&all, create.service)?;
        let configuration = self.configuration(create.service, create.like, &standing).await?;
        if !create.serves
            && let Some(why) = configuration.alone()
        {
            return Err(Fault::new(Reason::Configuration, format!("{}: {why}", create.service)));
        }
        let name = places::name(&base, create.place);
        if let Some(there) = standing.iter().find(|one| one.listed.name == name)
            && let Some(id) = self.take_or_clear(there, create, &configuration).await?
        {
            return Ok(id);
        }
        let local = self.local(create.image).await?.ok_or_else(|| {
            Fault::new(Reason::ImageNotFound, format!("the image {} is not on the device", create.image.image))
        })?;
        self.provide(create.service).await?;
        let mut body = self.body(create, &configuration, &local)?;
        self.carry_volumes(create, &standing, &configuration, &mut body).await?;

        let docker = self.connection.docker().await?;
        let options = CreateContainerOptionsBuilder::default().name(&name).build();
        let asked = docker.create_container(Some(options), body);
        let created = self.connection.ask(&format!("creating container {name}"), CALL, asked).await?;
        let id = ContainerId(created.id);
        let inspected = self.inspect(&id.0).await?.ok_or_else(|| gone(&id))?;
        self.join(&inspected, &configuration, create.serves).await?;
        Ok(id)
    }

    async fn start(&self, id: &ContainerId) -> Result<(), Fault> {
        let docker = self.connection.docker().await?;
        let asked = docker.start_container(&id.0, None::<StartContainerOptions>);
        match self.connection.ask("starting the container", CALL, asked).await {
            Err(refusal) => Err(self.nobody_has_it(refusal.fault).await),
            Ok(()) => Ok(()),
        }
    }

    async fn stop(&self, id: &ContainerId, grace: Duration) -> Result<(), Fault> {
        if !self.runs(id).await? {
            return Ok(());
        }
        let limit = grace + BEYOND_GRACE;
        let docker = self.connection.docker().await?.with_timeout(limit + Duration::from_secs(1));
        let seconds = i32::try_from(grace.as_secs()).unwrap_or(i32::MAX);
        let options = StopContainerOptionsBuilder::default().t(seconds).build();
        let asked = docker.stop_container(&id.0, Some(options));
        let stopped = self.connection.ask("stopping the container", limit, asked).await.found();
        if !self.runs(id).await? {
            return Ok(());
        }
        if let Err(fault) = &stopped {
            tracing::warn!(container = id.0, why = fault.why, "the stop did not stop it; it is killed");
        }
        let options = KillContainerOptionsBuilder::default().signal("SIGKILL").build();
        let asked = docker.kill_container(&id.0, Some(options));
        // A refusal to kill what just ended is none: what counts is whether it runs.
        let killed = self.connection.ask("killing the container", BEYOND_GRACE, asked).await.found();
        if !self.runs(id).await? {
            return Ok(());
        }
        let why = killed.err().map_or_else(|| "it runs after it was killed".to_owned(), |fault| fault.why);
        Err(Fault::new(Reason::Refused, format!("the container does not stop: {why}")))
    }

    async fn suspend_restart_policy(&self, id: &ContainerId) -> Result<(), Fault> {
        let Some(inspected) = self.inspect(&id.0).await? else { return Ok(()) };
        let policy = inspected.host_config.and_then(|host| host.restart_policy).unwrap_or_default();
        if never(&policy) {
            return Ok(());
        }
        // First where it outlives everything, then in the engine.
        self.restart_policies.remember(id, &policy).await?;
        self.set_policy(id, RestartPolicy { name: Some(RestartPolicyNameEnum::NO), maximum_retry_count: None }).await
    }

    async fn resume_restart_policy(&self, id: &ContainerId) -> Result<(), Fault> {
        let Some(inspected) = self.inspect(&id.0).await? else { return self.restart_policies.forget(id).await };
        let policy = match self.restart_policies.policy(id).await? {
            Some(policy) => Some(policy),
            None => self.configured_policy(id, &inspected).await?,
        };
        let now = inspected.host_config.and_then(|host| host.restart_policy).unwrap_or_default();
        if let Some(policy) = policy
            && !same(&policy, &now)
        {
            self.set_policy(id, policy).await?;
        }
        self.restart_policies.forget(id).await
    }

    async fn rename(&self, id: &ContainerId, service: &str, to: Place) -> Result<(), Fault> {
        let all = self.listed().await?;
        let Some(listed) = all.iter().find(|listed| listed.id == id.0) else { return Ok(()) };
        let name = places::name(&self.base(&all, service)?, to);
        if listed.name == name {
            return Ok(());
        }
        let docker = self.connection.docker().await?;
        let options = RenameContainerOptionsBuilder::default().name(&name).build();
        let asked = docker.rename_container(&id.0, options);
        let doing = format!("renaming container {} to {name}", listed.name);
        self.connection.ask(&doing, CALL, asked).await.found()?;
        Ok(())
    }

    async fn serve(&self, id: &ContainerId, service: &str) -> Result<(), Fault> {
        let configuration = match self.declared(service) {
            Some(declared) => declared.configuration.clone(),
            None => self.configuration_of(&id.0).await?.ok_or_else(|| gone(id))?,
        };
        self.take_names(id, &configuration).await
    }

    async fn remove(&self, id: &ContainerId) -> Result<(), Fault> {
        let docker = self.connection.docker().await?;
        let options = RemoveContainerOptionsBuilder::default().force(true).v(false).build();
        let asked = docker.remove_container(&id.0, Some(options));
        let removed = self.connection.ask("removing the container", CALL, asked).await;
        match removed {
            // Somebody else, or a call before a crash, removes it already.
            Err(refusal) if refusal.status == Some(409) && refusal.fault.why.contains("already in progress") => {}
            answer => {
                answer.found()?;
            }
        }
        self.restart_policies.forget(id).await
    }
}

impl DockerRuntime {
    /// Where the engine says that a port is allocated which no container has, the engine keeps it: it was killed while
    /// it started the one that was to have it, and gives the port back only when it is started again (moby 20486).
    async fn nobody_has_it(&self, fault: Fault) -> Fault {
        let Some(port) = allocated(&fault.why) else { return fault };
        match self.published().await {
            Ok(published) if !published.contains(&port) => {
                let why = format!("{}; no container has port {port}: the engine must be restarted", fault.why);
                Fault::new(Reason::EngineKeepsPort, why)
            }
            Ok(_) | Err(_) => fault,
        }
    }

    /// The ports of the device that running containers have.
    async fn published(&self) -> Result<Vec<u16>, Fault> {
        let docker = self.connection.docker().await?;
        let asked = docker.list_containers(None::<ListContainersOptions>);
        let running = self.connection.ask("listing containers", CALL, asked).await?;
        Ok(running
            .into_iter()
            .flat_map(|one| one.ports.unwrap_or_default())
            .filter_map(|port| port.public_port)
            .collect())
    }

    async fn runs(&self, id: &ContainerId) -> Result<bool, Fault> {
        let state = self.inspect(&id.0).await?.map(|inspected| found::state(&inspected));
        Ok(matches!(state, Some(State::Running | State::Restarting(_))))
    }

    /// The policy of the configuration that the container was created with; of use where the agent's folder was lost.
    async fn configured_policy(
        &self,
        id: &ContainerId,
        inspected: &bollard::models::ContainerInspectResponse,
    ) -> Result<Option<RestartPolicy>, Fault> {
        let service = found::labels_of(inspected).and_then(|labels| labels.get(crate::container_spec::labels::SERVICE));
        let configuration = match service.and_then(|service| self.declared(service)) {
            Some(declared) => Some(declared.configuration.clone()),
            None => self.configuration_of(&id.0).await?,
        };
        Ok(configuration.and_then(|one| one.container.host_config).and_then(|host| host.restart_policy))
    }

    async fn set_policy(&self, id: &ContainerId, policy: RestartPolicy) -> Result<(), Fault> {
        let docker = self.connection.docker().await?;
        let body = ContainerUpdateBody { restart_policy: Some(policy), ..ContainerUpdateBody::default() };
        let asked = docker.update_container(&id.0, body);
        self.connection.ask("setting the restart policy", CALL, asked).await.found()?;
        Ok(())
    }
}

/// The port that the engine calls allocated: `Bind for 127.0.0.1:8080 failed: port is already allocated`.
fn allocated(message: &str) -> Option<u16> {
    let (bind, _) = message.split_once(" failed: port is already allocated")?;
    bind.rsplit_once(':')?.1.parse().ok()
}

/// Whether a policy never starts a container.
fn never(policy: &RestartPolicy) -> bool {
    matches!(policy.name, None | Some(RestartPolicyNameEnum::NO | RestartPolicyNameEnum::EMPTY))
}

fn same(one: &RestartPolicy, other: &RestartPolicy) -> bool {
    let retries = |policy: &RestartPolicy| policy.maximum_retry_count.unwrap_or_default();
    (never(one) && never(other)) || (one.name == other.name && retries(one) == retries(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_port_that_is_allocated() {
        for (message, port) in [
            ("x (ca2a): Bind for 127.0.0.1:16910 failed: port is already allocated", Some(16910)),
            ("x (ca2a): Bind for 0.0.0.0:80 failed: port is already allocated", Some(80)),
            ("x (ca2a): Bind for :::443 failed: port is already allocated", Some(443)),
            ("listen tcp4 0.0.0.0:80: bind: address already in use", None),
            ("port is already allocated", None),
        ] {
            assert_eq!(allocated(message), port, "{message}");
        }
    }
}
