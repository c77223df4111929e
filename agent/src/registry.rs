//! Image registries, as far as the agent asks them itself: what a reference means, how much it is, and a relay between
//! the engine and the registry that limits and resumes its downloads.
//!
//! A registry is trusted for what its tags mean and for nothing else: answers are bounded in size and time, content
//! is checked against its digest, a login is shown to the registry's own origin and to the issuer of its tokens alone.

mod client;
mod credentials;
pub mod disk;
mod download;
mod manifest;
mod platform;
mod relay;
mod resolved_image;
mod source;
mod spool;
mod throttle;
mod wire;

pub use client::RegistryClient;
pub use credentials::{Credential, Credentials};
pub use manifest::Descriptor;
pub use platform::{NotAPlatform, Platform};
pub use relay::{Limits, Relay, Relays};
pub use resolved_image::ResolvedImage;
pub use wire::Patience;
