//! Finding containers: the engine's list, and what it says of one.

use std::collections::HashMap;

use bollard::models::{ContainerInspectResponse, ContainerStateStatusEnum};
use bollard::query_parameters::{InspectContainerOptions, ListContainersOptionsBuilder};
use tidegate_domain::image::Digest;

use super::DockerRuntime;
use super::connection::CALL;
use super::faults::Answer;
use super::places::{Listed, Standing};
use crate::container_spec::{Declared, labels};
use crate::fault::{Fault, Reason};
use crate::image::Image;
use crate::runtime::State;

impl DockerRuntime {
    /// Every container of the engine, running or not.
    pub(super) async fn listed(&self) -> Result<Vec<Listed>, Fault> {
        let docker = self.connection.docker().await?;
        let options = ListContainersOptionsBuilder::default().all(true).build();
        let all = self.connection.ask("listing containers", CALL, docker.list_containers(Some(options))).await?;
        Ok(all.into_iter().filter_map(Listed::read).collect())
    }

    /// What the engine says of a container, where it has it.
    pub(super) async fn inspect(&self, id: &str) -> Result<Option<ContainerInspectResponse>, Fault> {
        let docker = self.connection.docker().await?;
        let asked = docker.inspect_container(id, None::<InspectContainerOptions>);
        self.connection.ask(&format!("inspecting container {id}"), CALL, asked).await.found()
    }

    /// The declaration of a service, where the Compose file has it.
    pub(super) fn declared(&self, service: &str) -> Option<&Declared> {
        self.project.as_ref()?.services.get(service)
    }

    /// The Compose project, for a service that it declares.
    pub(super) fn project_of(&self, service: &str) -> Option<&str> {
        let project = self.project.as_ref()?;
        project.services.contains_key(service).then_some(project.name.as_str())
    }

    /// The name of the serving container of a service: declared, or that of what was adopted.
    pub(super) fn base(&self, all: &[Listed], service: &str) -> Result<String, Fault> {
        if let Some(declared) = self.declared(service) {
            return Ok(declared.container_name.clone());
        }
        super::services::adopted_base(all, service).ok_or_else(|| {
            let why = format!("{service} is neither declared in the Compose file nor is a container labelled for it");
            Fault::new(Reason::Configuration, why)
        })
    }

    /// The containers in a service's places.
    pub(super) fn standing(&self, all: &[Listed], service: &str) -> Result<Vec<Standing>, Fault> {
        let base = self.base(all, service)?;
        let standing = super::places::standing(all, service, &base, self.project_of(service));
        match super::places::crowded(&standing) {
            None => Ok(standing),
            Some(why) => Err(Fault::new(Reason::Configuration, format!("{service}: {why}"))),
        }
    }

    /// The image that a container was created from: what the agent wrote on it, else what the engine knows.
    pub(super) async fn image_of(&self, inspected: &ContainerInspectResponse) -> Result<Image, Fault> {
        let digest = written(inspected, labels::DIGEST).and_then(|digest| Digest::parse(digest).ok());
        if let (Some(image), Some(_)) = (written(inspected, labels::IMAGE), &digest) {
            return Ok(Image { image: image.to_owned(), digest });
        }
        let named = inspected.config.as_ref().and_then(|config| config.image.clone()).unwrap_or_default();
        let Some(id) = inspected.image.as_deref() else { return Ok(Image { image: named, digest: None }) };
        match self.inspect_image(id).await? {
            Some(local) => Ok(super::images::named(&local, &named)),
            None => Ok(Image { image: named, digest: None }),
        }
    }
}

pub(super) fn labels_of(inspected: &ContainerInspectResponse) -> Option<&HashMap<String, String>> {
    inspected.config.as_ref()?.labels.as_ref()
}

fn written<'a>(inspected: &'a ContainerInspectResponse, key: &str) -> Option<&'a str> {
    labels_of(inspected)?.get(key).map(String::as_str)
}

pub(super) fn created_for(inspected: &ContainerInspectResponse) -> Option<String> {
    written(inspected, labels::CREATED_FOR).map(ToOwned::to_owned)
}

pub(super) fn state(inspected: &ContainerInspectResponse) -> State {
    let state = inspected.state.as_ref();
    let code = state.and_then(|state| state.exit_code).unwrap_or_default();
    match state.and_then(|state| state.status) {
        Some(ContainerStateStatusEnum::CREATED) => State::Created,
        Some(
            ContainerStateStatusEnum::RUNNING | ContainerStateStatusEnum::PAUSED | ContainerStateStatusEnum::STOPPING,
        ) => State::Running,
        Some(ContainerStateStatusEnum::RESTARTING) => State::Restarting(code),
        // Podman has further words for what does not run (`configured`, `stopped`).
        Some(
            ContainerStateStatusEnum::EXITED
            | ContainerStateStatusEnum::DEAD
            | ContainerStateStatusEnum::REMOVING
            | ContainerStateStatusEnum::EMPTY,
        )
        | None => State::Exited(code),
    }
}
