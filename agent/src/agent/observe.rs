//! Looking at what really runs, and putting right what no journal tells of.

use std::collections::BTreeMap;

use super::Agent;
use crate::fault::Fault;
use crate::host::Host;
use crate::runtime::{Container, Containers as _, Place, Runtime, Services as _, State};
use crate::server::link::Link;
use crate::state::memory::Running;
use crate::state::store::StateStore;

impl<L: Link, E: Runtime, H: Host, J: StateStore> Agent<L, E, H, J> {
    /// Brings what is remembered of the containers up to what is so. An engine that does not answer changes nothing.
    pub(super) async fn observe(&mut self) {
        match self.look().await {
            Ok((running, order)) => (self.memory.running, self.memory.order) = (running, order),
            Err(fault) => self.count(|tally| tally.failed(format!("the container engine: {fault}"))),
        }
        self.watch(|_| {});
    }

    /// What every service runs, and the order in which they are started.
    async fn look(&self) -> Result<(BTreeMap<String, Running>, Vec<String>), Fault> {
        let runtime = &self.runtime.0;
        let mut seen = BTreeMap::new();
        let services = runtime.services().await?;
        let mut order: Vec<String> = services.keys().cloned().collect();
        order.sort_by_key(|name| services[name].rank);
        for name in services.into_keys() {
            let containers = runtime.containers(&name).await?;
            let Some(live) = containers.into_iter().find(|c| c.ours && c.place == Place::Live) else { continue };
            let known = self.memory.running.get(&name);
            // A content that only the first report after the pull knew is not forgotten.
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

    /// Brings every service that is not being replaced to one container, the one that serves.
    pub(super) async fn tidy_all(&mut self) -> Result<(), Fault> {
        for name in self.runtime.services().await?.into_keys() {
            self.tidy(&name).await?;
        }
        Ok(())
    }

    /// Leaves a service one container. Without a journal that says more, what runs in the service's name stays; where
    /// that does not run, and one that was kept for the way back is there, the kept one comes back.
    pub(super) async fn tidy(&mut self, service: &str) -> Result<(), Fault> {
        let containers = self.runtime.containers(service).await?;
        let ours = |place: Place| containers.iter().find(|c: &&Container| c.ours && c.place == place);
        let (live, next, kept) = (ours(Place::Live), ours(Place::Next), ours(Place::Fallback));
        let live_runs = live.is_some_and(|c| matches!(c.state, State::Running | State::Restarting(_)));
        if let (Some(kept), false) = (kept, live_runs) {
            tracing::warn!(service, "the container that was kept comes back");
            if let Some(live) = live {
                self.runtime.remove(&live.id).await?;
            }
            // It gets the name last: a cut, or an engine that refuses, leaves one that is kept and comes back again.
            self.runtime.start(&kept.id).await?;
            self.runtime.resume_restart_policy(&kept.id).await?;
            self.runtime.rename(&kept.id, service, Place::Live).await?;
        } else if let Some(kept) = kept {
            self.runtime.remove(&kept.id).await?;
        }
        if let Some(next) = next {
            self.runtime.remove(&next.id).await?;
        }
        // Made and never started: a cut between the two.
        if let (Some(live), None) = (live, kept)
            && live.state == State::Created
        {
            self.runtime.start(&live.id).await?;
        }
        Ok(())
    }
}
