//! The use cases of Tidegate over ports: async, and no AWS.

pub mod bad_digests;
pub mod commands;
pub mod create;
pub mod deadlines;
pub mod enrol;
pub mod entities;
pub mod error;
pub mod jobs;
pub mod keep;
pub mod memory;
pub mod plan;
pub mod policies;
pub mod poll;
pub mod ports;
pub mod publish;
pub mod queries;
pub mod record;
pub mod report;
pub mod resolve;
pub mod rollouts;
pub mod settings;
pub mod step;
pub mod trigger;
pub mod webhook;

pub use error::EngineError;
