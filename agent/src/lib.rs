//! What a device does: keeps its containers at the target state, on any container engine.
//!
//! [`work::next`] decides what to do with an answer, [`agent::Agent`] does it and reports. It replaces containers such
//! that a cut at any point leaves the new image, healthy, or the old one, running: [`swap::Swap`] is what it writes down
//! of that. All of it works over seams: [`engine::Engine`], [`host::Host`], [`link::Link`] and [`journal::Journal`].
//! [`pretended`] has a device without any of them: a thousand simulated devices run the code that ships.

pub mod agent;
pub mod backoff;
pub mod commands;
pub mod compose;
pub mod config;
pub mod device;
pub mod disk;
pub mod docker;
pub mod durable;
pub mod engine;
pub mod enrol;
pub mod health;
pub mod host;
pub mod http;
pub mod identity;
pub mod image;
pub mod instance;
pub mod journal;
pub mod link;
pub mod log;
pub mod memory;
pub mod notify;
pub mod patient;
pub mod pretended;
pub mod registry;
pub mod report;
pub mod secret;
pub mod seen;
pub mod status;
pub mod swap;
pub mod target;
#[cfg(test)]
mod testing;
pub mod work;
