//! Why a use case did not do its work, and whether trying again can help.

use crate::ports::{QueueError, StoreError, WriteError};

/// A failure of a use case.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The store did not answer, or refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A queue, the scheduler or the bus did not accept.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// Others kept changing the same item; nothing was done.
    #[error("others kept changing {what}")]
    Contended {
        /// What could not be written.
        what: &'static str,
    },
    /// An item could not be read as what it should be.
    #[error("an item of {table} cannot be read")]
    Corrupt {
        /// Its table.
        table: &'static str,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// The caller asked for something that is not there.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The caller asked for something that cannot be done as things stand.
    #[error("{0}")]
    Refused(String),
}

impl EngineError {
    /// Whether the same call may succeed later: it alone decides what a queue does with a message.
    pub const fn retryable(&self) -> bool {
        match self {
            Self::Store(StoreError::Unavailable(_)) | Self::Queue(_) | Self::Contended { .. } => true,
            Self::Store(StoreError::Rejected(_)) | Self::Corrupt { .. } | Self::NotFound(_) | Self::Refused(_) => false,
        }
    }
}

impl From<WriteError> for EngineError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Store(error) => Self::Store(error),
            WriteError::Refused(_) | WriteError::Conflict => Self::Contended { what: "an item" },
        }
    }
}
