//! What the agent took down, it brings up again, however long that takes.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Agent;
use crate::fault::{Fault, Reason};
use crate::host::Host;
use crate::runtime::{ContainerId, Engine, Place};
use crate::server::link::Link;
use crate::state::store::Journal;
use crate::update::health::stays;

/// How long an engine that was asked to be restarted is waited for within one try.
const RESTART_WAIT: Duration = Duration::from_mins(1);
/// Between two such wishes: everything else on the device stops with its engine.
const RESTART_AGAIN: Duration = Duration::from_mins(15);
/// Between two starts meanwhile.
const RESTART_LOOK: Duration = Duration::from_secs(2);

impl<L: Link, E: Engine, H: Host, J: Journal> Agent<L, E, H, J> {
    /// Tries to bring up every service that is down by the agent's doing.
    pub(super) async fn pay_owed(&mut self) {
        for service in self.memory.owed.clone() {
            match self.bring_up(&service).await {
                Ok(()) => {
                    tracing::info!(service, "it runs again");
                    self.memory.owed.remove(&service);
                    self.save_if_possible();
                }
                Err(fault) => {
                    tracing::error!(service, "it is down, and cannot be brought up: {fault}");
                    self.count(|tally| tally.failed(format!("{service} is down: {fault}")));
                }
            }
        }
    }

    /// What was kept for the way back comes back; else what has the service's name is started.
    async fn bring_up(&mut self, service: &str) -> Result<(), Fault> {
        match self.tidy(service).await {
            // Asked for below, where it is waited for as well.
            Err(fault) if fault.reason != Reason::EngineKeepsPort => return Err(fault),
            Ok(()) | Err(_) => {}
        }
        let containers = self.engine.containers(service).await?;
        let ours = |place: Place| containers.iter().find(|one| one.ours && one.place == place);
        // Where there is none at all, the service is made anew as one that never ran here.
        let Some(one) = ours(Place::Live).or_else(|| ours(Place::Kept)) else { return Ok(()) };
        self.start_surely(service, &one.id).await?;
        self.engine.hold(&one.id, false).await?;
        self.engine.rename(&one.id, service, Place::Live).await?;
        stays(&self.engine, service, &one.id).await
    }

    /// Starts a container. An engine that keeps the port of one it lost never gives it back while it runs, so its
    /// restart is asked for: the service is down already, and is so until then.
    pub(super) async fn start_surely(&mut self, service: &str, id: &ContainerId) -> Result<(), Fault> {
        loop {
            match self.engine.start(id).await {
                Err(fault) if fault.reason == Reason::EngineKeepsPort && self.restart_is_awaited(service, &fault) => {
                    sleep(RESTART_LOOK).await;
                }
                answer => return answer,
            }
        }
    }

    /// Asks for a restart of the engine where that was not done for a while; says whether it is worth waiting for.
    fn restart_is_awaited(&mut self, service: &str, fault: &Fault) -> bool {
        let since = self.restart_asked.map(|asked| asked.elapsed());
        if since.is_some_and(|since| since < RESTART_AGAIN) {
            return since < Some(RESTART_WAIT);
        }
        tracing::error!(service, "the engine must be restarted, which is asked for: {fault}");
        let asked = self.host.ask_engine_restart();
        self.restart_asked = asked.then(Instant::now);
        asked
    }
}
