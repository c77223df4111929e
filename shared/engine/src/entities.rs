//! What the tables hold: one file per entity, with its key, its form and its ways of being read and written. No key is
//! made anywhere else.

pub mod codec;
pub mod deliveries;
pub mod device_images;
pub mod devices;
pub mod events;
pub mod heads;
pub mod journal;
pub mod plans;
pub mod policies;
pub mod policy_names;
pub mod remainders;
pub mod retention;
pub mod rollouts;
pub mod rows;
pub mod tags;
