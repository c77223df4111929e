//! What can be seen of an agent from outside.

use serde::Serialize;

use crate::image::Pulled;
use crate::server::report::Ignored;
use crate::state::memory::Memory;

/// Ignored reports that are kept to be shown.
const IGNORED_KEPT: usize = 20;

#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    pub memory: Memory,
    pub doing: Doing,
    /// How far the pull is, while there is one.
    pub pulled: Pulled,
    pub tally: Tally,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Doing {
    /// It was not heard of yet.
    #[default]
    Starting,
    /// It waits for its next poll.
    Idle,
    /// It fetches an image.
    Pulling,
    /// It replaces a container and checks it, there or back.
    Swapping,
    /// A lock holds an update.
    Blocked,
    /// The server does not answer it.
    Unheard,
    /// The server does not accept its token.
    Denied,
    /// The server knows it no more.
    Deleted,
    /// It is silent for good.
    Vanished,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Tally {
    /// Polls that were answered.
    pub polls: u64,
    /// Of these, with nothing new.
    pub unchanged: u64,
    /// Bodies of reports that were taken.
    pub reports: u64,
    /// Calls that came to nothing and were repeated.
    pub errors: u64,
    /// The last of their reasons.
    pub last_error: Option<String>,
    /// Reports that the server ignored, the newest last.
    pub ignored: Vec<Ignored>,
}

impl Tally {
    /// Something came to nothing.
    pub fn failed(&mut self, why: String) {
        self.errors += 1;
        self.last_error = Some(why);
    }

    /// The server did not take these.
    pub fn ignored(&mut self, ignored: Vec<Ignored>) {
        self.ignored.extend(ignored);
        let surplus = self.ignored.len().saturating_sub(IGNORED_KEPT);
        self.ignored.drain(..surplus);
    }
}
