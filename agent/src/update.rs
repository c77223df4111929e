//! Replacing a service's container: [`plan`] decides what is done next, [`execute`] does it.

pub mod execute;
pub mod health;
pub mod plan;
pub mod swap;
