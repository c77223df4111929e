//! What a table's stream tells its consumer.

use std::sync::Arc;

use super::{Item, Key};

/// One change of one item of a streamed table: told at least once, and in order for each item.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Which item.
    pub key: Key,
    /// The item before the write; `None` if it was created.
    pub old: Option<Arc<Item>>,
    /// The item after the write; `None` if it was removed.
    pub new: Option<Arc<Item>>,
}
