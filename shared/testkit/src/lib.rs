//! What tests, the simulation and the CLI's in-process runs stand on: every port in memory, and faults to order.

pub mod contract;
pub mod entropy;
pub mod memory;
pub mod simulation;
pub mod world;
