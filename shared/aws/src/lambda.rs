//! Batches of messages and stream records, with partial failures reported so that only those come again.

mod batch;
mod messages;
mod stream;
mod task;
mod told;

pub use batch::in_one;
pub use messages::each_job;
pub use stream::{BadRecord, in_chunks};
pub use task::as_a_task;
pub use told::told;
