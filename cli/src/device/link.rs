//! A simulated device's link: the agent's own, for which all devices of this program take turns.

use std::sync::Arc;

use tidegate_agent::server::http::HttpLink;
use tidegate_agent::server::link::{Link, LinkError, Polled, Reported};
use tidegate_agent::server::report::StateReport;
use tokio::sync::Semaphore;

/// The link, and the turns: so many calls may be under way at once.
pub(crate) struct LinkInTurns {
    pub(crate) link: HttpLink,
    pub(crate) turns: Arc<Semaphore>,
}

// The semaphore is never closed; without a turn the call is made all the same.
impl Link for LinkInTurns {
    async fn poll(&mut self, known: &[String]) -> Result<Polled, LinkError> {
        let _turn = self.turns.acquire().await;
        self.link.poll(known).await
    }

    async fn report(&mut self, body: &StateReport) -> Result<Reported, LinkError> {
        let _turn = self.turns.acquire().await;
        self.link.report(body).await
    }
}
