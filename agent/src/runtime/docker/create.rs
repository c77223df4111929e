//! What a container is created from: a service's configuration and an image.

use bollard::models::{ContainerCreateBody, NetworkingConfig};

use super::images::Local;
use super::places::Standing;
use super::{DockerRuntime, adopt, found};
use crate::container_spec::{Configuration, labels};
use crate::fault::{Fault, Reason};
use crate::runtime::{ContainerId, Containers, Create, Place, State};

impl DockerRuntime {
    /// What to do with a container that has the name: it is the one that was asked for, or in the way, or untouchable.
    pub(super) async fn take_or_clear(
        &self,
        there: &Standing,
        create: &Create<'_>,
        configuration: &Configuration,
    ) -> Result<Option<ContainerId>, Fault> {
        let taken = |what: &str| {
            let why = format!("{what} has the name {} (container {})", there.listed.name, short(&there.listed.id));
            Err(Fault::new(Reason::NameTaken, why))
        };
        if !there.ours {
            return taken("a container that is not the agent's");
        }
        let Some(inspected) = self.inspect(&there.listed.id).await? else { return Ok(None) };
        let id = ContainerId(there.listed.id.clone());
        let created_for = found::created_for(&inspected);
        if created_for.as_deref() == Some(create.created_for) && self.image_of(&inspected).await?.is_same(create.image)
        {
            self.join(&inspected, configuration, create.serves).await?;
            return Ok(Some(id));
        }
        // What serves, or did before the agent came, is moved or removed by name, never in passing.
        let runs = matches!(found::state(&inspected), State::Running | State::Restarting(_));
        if create.place != Place::Next && (runs || created_for.is_none()) {
            return taken("the service's own container");
        }
        self.remove(&id).await?;
        Ok(None)
    }

    /// The service's configuration: the file's, else what a container of it carries, else what the original shows.
    pub(super) async fn configuration(
        &self,
        service: &str,
        like: Option<&ContainerId>,
        standing: &[Standing],
    ) -> Result<Configuration, Fault> {
        if let Some(declared) = self.declared(service) {
            return Ok(declared.configuration.clone());
        }
        let mut ids: Vec<String> = like.map(|like| like.0.clone()).into_iter().collect();
        ids.extend(
            [Place::Live, Place::Fallback, Place::Next].into_iter().filter_map(|place| ours_at(standing, place)),
        );
        for id in ids {
            if let Some(configuration) = self.configuration_of(&id).await? {
                return Ok(configuration);
            }
        }
        Err(Fault::new(
            Reason::Configuration,
            format!("no container is left to read the configuration of {service} from"),
        ))
    }

    /// The configuration that a container carries, or shows.
    pub(super) async fn configuration_of(&self, id: &str) -> Result<Option<Configuration>, Fault> {
        let Some(inspected) = self.inspect(id).await? else { return Ok(None) };
        let written = found::labels_of(&inspected).and_then(|labels| labels.get(labels::CONFIGURATION));
        if let Some(configuration) = written.and_then(|text| serde_json::from_str(text).ok()) {
            return Ok(Some(configuration));
        }
        let image = match inspected.image.as_deref() {
            Some(image) => self.inspect_image(image).await?.and_then(|image| image.config),
            None => None,
        };
        let policy = self.restart_policies.policy(&ContainerId(id.to_owned())).await?;
        Ok(Some(adopt::configuration(&inspected, &image.unwrap_or_default(), policy)))
    }

    pub(super) fn body(
        &self,
        create: &Create<'_>,
        configuration: &Configuration,
        local: &Local,
    ) -> Result<ContainerCreateBody, Fault> {
        let mut body = configuration.container.clone();
        let written = body.labels.get_or_insert_default();
        written.insert(labels::SERVICE.to_owned(), create.service.to_owned());
        written.insert(labels::CREATED_FOR.to_owned(), create.created_for.to_owned());
        written.insert(labels::IMAGE.to_owned(), create.image.image.clone());
        written.insert(labels::DIGEST.to_owned(), local.digest.to_string());
        if self.declared(create.service).is_none() {
            let text = serde_json::to_string(configuration);
            let text = text.map_err(|error| Fault::new(Reason::Configuration, error.to_string()))?;
            written.insert(labels::CONFIGURATION.to_owned(), text);
        }
        body.image = Some(local.reference.clone());
        if let Some(first) = configuration.networks.first() {
            let endpoint = Configuration::endpoint(first, create.serves);
            let endpoints = [(first.network.clone(), endpoint)].into();
            body.networking_config = Some(NetworkingConfig { endpoints_config: Some(endpoints) });
        }
        Ok(body)
    }

    /// Mounts the anonymous volumes of the container before it, as `docker compose up` does: they are nameless, not
    /// worthless.
    pub(super) async fn carry_volumes(
        &self,
        create: &Create<'_>,
        standing: &[Standing],
        configuration: &Configuration,
        body: &mut ContainerCreateBody,
    ) -> Result<(), Fault> {
        let before = || ours_at(standing, Place::Live).or_else(|| ours_at(standing, Place::Fallback));
        let Some(id) = create.like.map(|like| like.0.clone()).or_else(before) else { return Ok(()) };
        let Some(inspected) = self.inspect(&id).await? else { return Ok(()) };
        let carried = adopt::anonymous_volumes(&inspected, configuration);
        if !carried.is_empty() {
            body.host_config.get_or_insert_default().mounts.get_or_insert_default().extend(carried);
        }
        Ok(())
    }
}

/// The id of the service's own container in a place.
fn ours_at(standing: &[Standing], place: Place) -> Option<String> {
    standing.iter().find(|one| one.ours && one.place == place).map(|one| one.listed.id.clone())
}

/// An id as people know it.
pub(super) fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}
