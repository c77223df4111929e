//! The decisions of Tidegate. Pure: no async, no AWS, no clock, no randomness, no I/O; time and ids are arguments.

pub mod health;
pub mod ids;
pub mod image;
pub mod policy;
pub mod webhook;
pub mod window;
