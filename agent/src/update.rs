//! Replacing a service's container.

pub mod health;
pub mod swap;
