//! The decisions of Tidegate. Pure: no async, no AWS, no clock, no randomness, no I/O; time and ids are arguments.
//!
//! Where to look: [`poll`] decides what a device runs, [`step`] whether a batch opens.

pub mod admission;
pub mod approval;
pub mod assignment;
pub mod command;
pub mod context;
pub mod counts;
pub mod device;
pub mod device_tag;
pub mod event;
pub mod failure_rules;
pub mod fields;
pub mod fleet;
pub mod head;
pub mod health;
pub mod ids;
pub mod image;
mod instant;
pub mod journal;
pub mod lateness;
pub mod news;
pub mod pace;
pub mod pin;
pub mod planning;
pub mod platform;
pub mod policy;
pub mod poll;
pub mod registry;
pub mod report;
pub mod rollout;
pub mod row;
pub mod spelling;
pub mod step;
pub mod strategy;
pub mod swap_time;
pub mod target;
#[cfg(test)]
mod testing;
pub mod text;
pub mod webhook;
pub mod window;
