//! One world in memory.

use std::sync::Arc;

use tidegate_engine::ports::{Entropy, Ports};

use super::{MemoryBus, MemoryQueues, MemoryRegistry, MemoryScheduler, MemoryStore};
use crate::world::{Faulty, Gate};

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

    /// As the engine takes them, every call of a driver's task waiting at the gate.
    pub fn gated(&self, gate: &Arc<Gate>, entropy: Arc<dyn Entropy>) -> Ports {
        Ports {
            store: Arc::new(Faulty::new(Arc::clone(&self.store), Arc::clone(gate))),
            queues: Arc::new(Faulty::new(Arc::clone(&self.queues), Arc::clone(gate))),
            scheduler: Arc::new(Faulty::new(Arc::clone(&self.scheduler), Arc::clone(gate))),
            bus: Arc::new(Faulty::new(Arc::clone(&self.bus), Arc::clone(gate))),
            registry: Arc::new(Faulty::new(Arc::clone(&self.registry), Arc::clone(gate))),
            entropy,
        }
    }
}
