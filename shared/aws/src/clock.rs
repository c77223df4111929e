//! The clock of the machine.

use jiff::Timestamp;

/// The time now: read once for each invocation and handed on.
pub fn now() -> Timestamp {
    Timestamp::now()
}
