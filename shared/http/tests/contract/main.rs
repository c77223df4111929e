//! The HTTP contract, against the real routes over ports in memory.

mod bodies;
mod deliveries;
mod devices;
mod document;
mod doors;
mod leaks;
mod names;
mod policies;
mod policy_sets;
mod policy_values;
mod rollouts;
mod shapes;
mod stored_before;
mod unpinned;
mod world;
mod zones;
