//! One world in memory.

use std::sync::Arc;

use tidegate_engine::ports::{Entropy, Ports};

use super::{MemoryBus, MemoryQueues, MemoryRegistry, MemoryScheduler, MemoryStore};

/// Every adapter, for a test's hands.
#[derive(Debug, Clone, Default)]
pub struct MemoryPorts {
    /// The tables.
    pub store: Arc<MemoryStore>,
    /// The queues.
    pub queues: Arc<MemoryQueues>,
    /// Later wake-ups.
    pub scheduler: Arc<MemoryScheduler>,
    /// The bus.
    pub bus: Arc<MemoryBus>,
    /// Registries.
    pub registry: Arc<MemoryRegistry>,
}

impl MemoryPorts {
    /// As the engine takes them: every call succeeds at once.
    pub fn ports(&self, entropy: Arc<dyn Entropy>) -> Ports {
        Ports {
            store: Arc::<MemoryStore>::clone(&self.store),
            queues: Arc::<MemoryQueues>::clone(&self.queues),
            scheduler: Arc::<MemoryScheduler>::clone(&self.scheduler),
            bus: Arc::<MemoryBus>::clone(&self.bus),
            registry: Arc::<MemoryRegistry>::clone(&self.registry),
            entropy,
        }
    }
}
