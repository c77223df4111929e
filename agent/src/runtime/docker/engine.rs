//! The engine's seam, call by call.

use std::collections::BTreeMap;
use std::time::Duration;

use tidegate_domain::health::HealthCheck;
use tidegate_domain::image::Digest;

use super::DockerEngine;
use crate::fault::Fault;
use crate::image::Image;
use crate::image::Pulled;
use crate::runtime::{Container, ContainerId, Create, Engine, Place, Service};

impl Engine for DockerEngine {
    async fn services(&self) -> Result<BTreeMap<String, Service>, Fault> {
        self.all_services().await
    }

    async fn containers(&self, service: &str) -> Result<Vec<Container>, Fault> {
        self.containers_of(service).await
    }

    async fn present(&self, image: &Image) -> Result<Option<Digest>, Fault> {
        Ok(self.local(image).await?.map(|local| local.digest))
    }

    async fn pull(&self, image: &Image, progress: &(dyn Fn(Pulled) + Send + Sync)) -> Result<Digest, Fault> {
        self.fetch(image, progress).await
    }

    async fn create(&self, create: &Create<'_>) -> Result<ContainerId, Fault> {
        self.make(create).await
    }

    async fn start(&self, id: &ContainerId) -> Result<(), Fault> {
        self.begin(id).await
    }

    async fn stop(&self, id: &ContainerId, grace: Duration) -> Result<(), Fault> {
        self.end(id, grace).await
    }

    async fn hold(&self, id: &ContainerId, held: bool) -> Result<(), Fault> {
        if held { self.hold_back(id).await } else { self.let_go(id).await }
    }

    async fn rename(&self, id: &ContainerId, service: &str, to: Place) -> Result<(), Fault> {
        self.move_to(id, service, to).await
    }

    async fn serve(&self, id: &ContainerId, service: &str) -> Result<(), Fault> {
        self.give_names(id, service).await
    }

    async fn remove(&self, id: &ContainerId) -> Result<(), Fault> {
        self.delete(id).await
    }

    async fn probe(&self, service: &str, id: &ContainerId, check: &HealthCheck) -> Result<(), Fault> {
        self.try_once(service, id, check).await
    }

    async fn last_words(&self, id: &ContainerId) -> String {
        self.last_lines(id).await
    }

    async fn prune(&self, keep: &[Image]) -> Result<(), Fault> {
        self.remove_unused(keep).await
    }
}
