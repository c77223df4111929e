//! What operations cost, counted: the engine's use cases run on tables in this process that count the capacity of each
//! call as DynamoDB bills it. Queues, bus, scheduler, registry and the clock are in memory; the consumers of streams
//! read the tables' own streams, as their functions do.

pub mod deliveries;
mod error;
mod fleet;
mod healthy;
mod operations;
mod report;
mod requests;
mod tables;

pub use error::CapacityError;
pub use healthy::{Healthy, Sizes, healthy_rollout};
pub use operations::{Operation, operations};
pub use report::{Cost, Report, SIZES, WHOLE, measure};
pub use tables::Place;

/// Write units that a healthy device of a rollout of 1,000 may cost, all together.
pub const WRITE_UNITS_PER_DEVICE: f64 = 12.0;

/// Requests that a healthy device makes in a rollout beside idle polls: offer, report, question before the swap, report,
/// one poll after.
pub const REQUESTS_PER_DEVICE: f64 = 5.0;

/// Largest item, in bytes, that a write of one unit has: a device's, and a rollout's, must stay below.
pub const ITEM_BYTES: usize = 1024;
