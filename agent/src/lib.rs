//! What a device does: keeps its containers at the target state, on any container runtime.
//!
//! [`agent::work::next`] decides what to do with an answer, [`agent::Agent`] does it and reports. It replaces containers
//! such that a crash at any point leaves the new image, healthy, or the old one, running: [`update`] says how. All of it
//! works over ports: [`runtime::Runtime`], [`host::Host`], [`server::link::Link`] and [`state::store::StateStore`].
//! [`simulated`] has a device without any of them: a thousand simulated devices run the code that ships.

// Published nowhere: a line of documentation that only repeats a name helps nobody.
#![expect(missing_docs, reason = "what a name says already is not said again")]

pub mod agent;
pub mod backoff;
pub mod cli;
pub mod compose;
pub mod config;
pub mod container_spec;
pub mod durable;
pub mod fault;
pub mod hooks;
pub mod host;
pub mod image;
pub mod locks;
pub mod registry;
pub mod runtime;
pub mod server;
pub mod simulated;
pub mod state;
#[cfg(test)]
mod testing;
pub mod update;
