//! The bus in memory: it keeps what was published until somebody takes it.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use tidegate_engine::ports::{Bus, BusEntry, QueueError};

/// Records everything that was published.
#[derive(Debug, Default)]
pub struct MemoryBus {
    published: Mutex<Vec<BusEntry>>,
}

impl MemoryBus {
    /// Takes all entries, in the order they were published.
    pub fn take(&self) -> Vec<BusEntry> {
        std::mem::take(&mut *self.published.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The entries that nobody has taken.
    pub fn peek(&self) -> Vec<BusEntry> {
        self.published.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Bus for MemoryBus {
    async fn publish(&self, entries: &[BusEntry]) -> Result<(), QueueError> {
        self.published.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(entries);
        Ok(())
    }
}
