//! What a device does: keeps its containers at the target state, on any container engine.
//!
//! `work::next` decides what to do with an answer, `agent::Agent` does it and reports, `swap` replaces containers
//! such that a cut at any point leaves the new image, healthy, or the old one, running. All of it works over ports:
//! [`engine::Engine`], [`host::Host`], `link::Link` and [`journal::Journal`]; the real ones are in `docker`,
//! `device` and `http`, pretended ones in `pretended`. A thousand simulated devices run the code that ships.

pub mod backoff;
pub mod commands;
pub mod config;
pub mod device;
pub mod durable;
pub mod engine;
pub mod enrol;
pub mod host;
pub mod http;
pub mod identity;
pub mod image;
pub mod instance;
pub mod journal;
pub mod link;
pub mod log;
pub mod notify;
pub mod report;
pub mod secret;
pub mod status;
pub mod target;
#[cfg(test)]
mod testing;
