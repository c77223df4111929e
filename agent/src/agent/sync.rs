//! Polls and reports: one try each.

use std::time::Duration;

use super::{Agent, Stopped};
use crate::host::Host;
use crate::runtime::Runtime;
use crate::server::link::{Link, LinkError, Polled};
use crate::server::report::StateReport;
use crate::state::store::StateStore;

/// Reports in one body, as the contract allows.
const REPORTS_MAX: usize = 100;

impl<L: Link, R: Runtime, H: Host, S: StateStore> Agent<L, R, H, S> {
    pub(super) async fn poll(&mut self) -> Result<Duration, Stopped> {
        let known: Vec<String> = self.etag.iter().chain(&self.report_etag).cloned().collect();
        match self.link.poll(&known).await? {
            Polled::Unchanged { after } => {
                self.count(|tally| {
                    tally.polls += 1;
                    tally.unchanged += 1;
                });
                Ok(after)
            }
            Polled::Target { target, etag, after } => {
                if self.memory.target.as_ref() != Some(&target) {
                    self.memory.target = Some(target);
                    self.save()?;
                }
                self.etag = etag;
                self.count(|tally| tally.polls += 1);
                Ok(after)
            }
        }
    }

    /// Sends every report that was not sent yet.
    pub(super) async fn send_reports(&mut self) -> Result<(), Stopped> {
        loop {
            let (services, reports) = (self.memory.untold(), self.memory.outbox(REPORTS_MAX));
            if services.is_empty() && reports.is_empty() {
                return Ok(());
            }
            self.save()?;
            let (count, running) = (reports.len(), self.memory.running.clone());
            match self.link.report(&StateReport { services, reports }).await {
                Ok(reported) => {
                    self.report_etag = reported.etag.or(self.report_etag.take());
                    self.memory.sent(count);
                    self.memory.told(running);
                    self.count(|tally| {
                        tally.reports += 1;
                        tally.ignored(reported.taken.ignored);
                    });
                }
                Err(LinkError::Refused(why)) => {
                    // The same body would be refused for ever; what runs is reported again with the next change.
                    tracing::error!("the server refuses a report: {why}");
                    self.memory.sent(count);
                    self.memory.told(running);
                    self.count(|tally| tally.failed(why));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Sends reports where that is possible just now.
    pub(super) async fn send_reports_if_possible(&mut self) {
        if let Err(stopped) = self.send_reports().await {
            tracing::debug!(?stopped, "nothing can be reported now");
        }
    }
}
