//! Adapters of the ports that live in this process: deterministic, cheap, and open to a test's eyes.

mod bus;
mod capacity;
mod change;
mod condition;
mod page;
mod ports;
mod queues;
mod registry;
mod scheduler;
mod settle;
mod state;
mod store;
mod stream;

pub use bus::MemoryBus;
pub use capacity::{item_bytes, read_units, write_units};
pub use ports::MemoryPorts;
pub use queues::{MemoryQueues, SentJob};
pub use registry::{Answer, MemoryRegistry};
pub use scheduler::{MemoryScheduler, Wakeup};
pub use store::MemoryStore;
pub use stream::StreamRecord;
