//! A simulated device: the agent that ships, over a simulated container engine.
//!
//! What goes wrong with a device is decided by the seed alone, see [`faults`].

pub(crate) mod faults;
pub(crate) mod link;
