//! Looking at what really runs, and bringing up what is down.

use std::collections::BTreeMap;

use super::Agent;
use crate::fault::Fault;
use crate::host::Host;
use crate::runtime::{Place, Runtime, State};
use crate::server::link::Link;
use crate::state::memory::Running;
use crate::state::store::StateStore;

impl<L: Link, R: Runtime, H: Host, S: StateStore> Agent<L, R, H, S> {
    /// Takes over what the container runtime shows. One that does not answer changes nothing.
    pub(super) async fn observe(&mut self) {
        match self.look().await {
            Ok((running, order)) => (self.memory.running, self.memory.order) = (running, order),
            Err(fault) => self.count(|tally| tally.failed(format!("the container engine: {fault}"))),
        }
        self.publish(|_| {});
    }

    /// What every service runs, and the order in which they are started.
    async fn look(&self) -> Result<(BTreeMap<String, Running>, Vec<String>), Fault> {
        let runtime = &self.executor.runtime.0;
        let mut seen = BTreeMap::new();
        let services = runtime.services().await?;
        let mut order: Vec<String> = services.keys().cloned().collect();
        order.sort_by_key(|name| services[name].rank);
        for name in services.into_keys() {
            let containers = runtime.containers(&name).await?;
            let Some(live) = containers.into_iter().find(|c| c.ours && c.place == Place::Live) else { continue };
            let known = self.memory.running.get(&name);
            // A digest that is known from the pull alone is kept.
            let mut image = live.image;
            if let Some(known) = known
                && image.digest.is_none()
                && known.image.is_same(&image)
            {
                image.digest.clone_from(&known.image.digest);
            }
            let unchanged = known.is_some_and(|known| known.image.is_same(&image));
            let was_healthy = known.is_none_or(|known| known.healthy || !known.status.starts_with("running"));
            let (status, runs) = match live.state {
                State::Running => ("running".to_owned(), true),
                State::Created => ("created".to_owned(), false),
                State::Restarting(code) => (format!("restarting ({code})"), false),
                State::Exited(code) => (format!("exited ({code})"), false),
            };
            let healthy = runs && (!unchanged || was_healthy);
            seen.insert(name, Running { image, healthy, status });
        }
        Ok((seen, order))
    }

    /// Tries to bring up every service that the agent took down and could not start again.
    pub(super) async fn restore_down_services(&mut self) {
        for service in self.memory.down_services.clone() {
            match self.executor.restore(&service).await {
                Ok(()) => {
                    tracing::info!(service, "it runs again");
                    self.memory.down_services.remove(&service);
                    self.save_if_possible();
                }
                Err(fault) => {
                    tracing::error!(service, "it is down, and cannot be brought up: {fault}");
                    self.count(|tally| tally.failed(format!("{service} is down: {fault}")));
                }
            }
        }
    }
}
