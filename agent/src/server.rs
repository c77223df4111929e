//! The server: its two calls for devices, how a device enrols, and who it is.

pub mod enrol;
pub mod http;
pub mod identity;
pub mod link;
pub mod report;
pub mod secret;
pub mod target;
