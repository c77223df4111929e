//! Lists for people: a page at a time, filtered, with a cursor that says where the next page begins.
//!
//! A filtered page may be empty and still have a next one: what a page looks through is bounded, not what it finds.

mod devices;
mod events;
mod rollouts;
mod rows;

pub use devices::{DeviceFilter, DeviceStatus, DevicesCursor, device_status, devices};
pub use events::{EventFilter, EventView, EventsCursor, events};
pub use rollouts::{ImageFilter, RolloutFilter, RolloutsCursor, rollouts};
pub use rows::{RowFilter, RowsCursor, rows};

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T, C> {
    /// What was found.
    pub items: Vec<T>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<C>,
}
