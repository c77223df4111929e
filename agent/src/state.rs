//! What the agent remembers, what survives a power cut, and what people on the device are shown.

pub mod instance;
pub mod memory;
pub mod snapshot;
pub mod status;
pub mod store;
