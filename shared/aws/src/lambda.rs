//! Batches of messages and stream records, with partial failures reported so that only those come again.

mod messages;
mod stream;

pub use messages::each_job;
pub use stream::{BadRecord, in_chunks};
