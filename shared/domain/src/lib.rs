//! The decisions of Tidegate. Pure: no async, no AWS, no clock, no randomness, no I/O; time and ids are arguments.
//!
//! Where to look: [`poll`] decides what a device runs, [`step`] whether a batch opens.

pub mod admission;
pub mod approval;
pub mod assignment;
pub mod command;
pub mod counts;
pub mod device;
pub mod device_tag;
pub mod event;
pub mod fleet;
pub mod head;
pub mod health;
pub mod ids;
pub mod image;
pub mod journal;
pub mod judge;
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
pub mod target;
#[cfg(test)]
mod testing;
pub mod text;
pub mod webhook;
pub mod window;
