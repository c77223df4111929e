//! The ports on AWS: the only crate that names an `aws-sdk-*`. With it the tables' physical names, the functions'
//! configuration, and how they start and report.

pub mod bootstrap;
pub mod bus;
pub mod clock;
pub mod config;
pub mod entropy;
mod failure;
mod http;
pub mod lambda;
pub mod local;
pub mod queues;
pub mod registry;
pub mod registry_credentials;
pub mod scheduler;
pub mod sdk;
pub mod secret;
pub mod secrets;
pub mod store;
pub mod tables;
mod tls;
pub mod wiring;
