//! A use case's failure in words.

use tidegate_engine::EngineError;

use crate::failure::words;

/// The error with its sources, for the one line that says that the work comes again. An error that no repetition mends
/// is logged as such at once: its message comes again all the same, until it is kept among the dead letters.
pub fn told(error: &EngineError) -> String {
    let words = words(error);
    if !error.retryable() {
        tracing::error!(error = words, "no repetition will mend this");
    }
    words
}

#[cfg(test)]
mod tests {
    use tidegate_engine::ports::{QueueError, StoreError};

    use super::*;

    #[test]
    fn the_sources_are_told() {
        let cases = [
            (EngineError::from(QueueError("closed".into())), "the queue did not accept the message: closed"),
            (EngineError::from(StoreError::Rejected("no access".into())), "the store refused the call: no access"),
            (EngineError::Contended { what: "the rollout" }, "others kept changing the rollout"),
        ];
        for (error, words) in cases {
            assert_eq!(told(&error), words);
        }
    }
}
