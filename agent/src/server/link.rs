//! The port to the server: a device's two calls.

use std::future::Future;
use std::time::Duration;

use crate::server::report::{StateReport, Taken};
use crate::server::target::TargetState;

#[derive(Debug, Clone, PartialEq)]
pub enum Polled {
    /// Nothing changed since the `ETag` that was sent.
    Unchanged { after: Duration },
    Target {
        target: TargetState,
        /// Sent back with the next poll.
        etag: Option<String>,
        after: Duration,
    },
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reported {
    /// What became of the reports.
    pub taken: Taken,
    /// Sent back with the next poll, beside the target's.
    pub etag: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// It may work later; the server may say when.
    #[error("{why}")]
    Later { after: Option<Duration>, why: String },
    /// The server does not accept this device's token: what runs is kept, and it is asked again, seldom.
    #[error("{0}")]
    Denied(String),
    /// The server knows the device no more: what runs is kept, nothing more is asked.
    #[error("the server has deleted this device")]
    Deleted,
    #[error("{0}")]
    Refused(String),
}

/// Where the answer does not say when to poll next.
pub const POLL_AFTER: Duration = Duration::from_mins(5);

pub trait Link: Send {
    /// Asks for the target, with the `ETag`s that the device knows.
    fn poll(&mut self, known: &[String]) -> impl Future<Output = Result<Polled, LinkError>> + Send;

    /// Tells what runs and what was done.
    fn report(&mut self, body: &StateReport) -> impl Future<Output = Result<Reported, LinkError>> + Send;
}
