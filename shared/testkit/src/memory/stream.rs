//! The change records of streamed tables.

use std::sync::Arc;

use tidegate_engine::ports::{Change, Item, Key, Table};

/// One change of one item of a streamed table. A write that changes nothing makes none.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamRecord {
    /// The table.
    pub table: Table,
    /// The item's key.
    pub key: Key,
    /// From 1, in the order of the writes, over all tables of the store.
    pub sequence: u64,
    /// The item before the write; `None` if it was created.
    pub old: Option<Arc<Item>>,
    /// The item after the write; `None` if it was removed.
    pub new: Option<Arc<Item>>,
}

impl StreamRecord {
    /// What a consumer is told of it.
    pub fn change(&self) -> Change {
        Change { key: self.key.clone(), old: self.old.clone(), new: self.new.clone() }
    }
}
