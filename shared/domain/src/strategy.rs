//! A rollout's plan as data: a list of stages, each with how far it reaches and the gates behind it.
//!
//! It is compiled from the policy when the rollout is created, and stored once beside it. A gate says whether the next
//! stage may open; what happens then is the step's.

mod compile;
mod gates;
mod shown;
mod stage;

pub use compile::compile;
pub use gates::{Facts, Gate, Refused, StopRule, Verdict, winner};
pub(crate) use gates::{expires_at, unproven};
pub(crate) use shown::shown;
pub use shown::{GateState, ShownGate, ShownStage};
pub use stage::{Phase, Stage, Stages};

#[cfg(test)]
mod tests;
