//! Why nothing could be measured.

use tidegate_domain::fields::FieldError;
use tidegate_engine::EngineError;

/// A measurement went wrong. None of these is about figures: those are reported, whatever they are.
#[derive(Debug, thiserror::Error)]
pub enum CapacityError {
    /// No port of this machine could be had.
    #[error("the database has no port to listen on")]
    Listen(#[source] std::io::Error),
    /// The database refused to open, or its stream to be read.
    #[error("the database in this process failed")]
    Database(#[from] dynoxide::errors::DynoxideError),
    /// The tables could not be made.
    #[error(transparent)]
    Tables(#[from] tidegate_aws::tables::CreateTablesError),
    /// A stream's records are not what Lambda hands over.
    #[error("a stream's records cannot be read")]
    Stream(#[from] serde_json::Error),
    /// A use case failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The policy of the measurement is no policy.
    #[error("the measured policy is not valid: {0:?}")]
    Policy(Vec<FieldError>),
    /// The engine did something else than what was to be measured.
    #[error("{what}, where {wanted} was to be measured")]
    Unexpected {
        /// What it was to do.
        wanted: &'static str,
        /// What it did.
        what: String,
    },
}
