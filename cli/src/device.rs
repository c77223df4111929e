//! A simulated device: the agent that ships, over a pretended container engine.
//!
//! What goes wrong with a device is decided by the seed alone, see [`fate`].

pub(crate) mod fate;
pub(crate) mod link;
