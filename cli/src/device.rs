//! A simulated device: an honest agent that follows the contract over HTTP, with containers that are only pretended.
//!
//! [`work::next`] decides what to do with an answer, [`agent::Agent`] does it and reports. What goes wrong with a
//! device is decided by the seed alone, see [`fate`].

pub(crate) mod agent;
mod backoff;
pub(crate) mod containers;
pub(crate) mod fate;
mod health;
pub(crate) mod link;
mod memory;
pub(crate) mod report;
pub(crate) mod target;
mod work;

#[cfg(test)]
mod tests;

pub(crate) use memory::{Memory, Running};
