//! What every route has at hand.

use std::sync::Arc;

use jiff::Timestamp;
use tidegate_engine::memory::RolloutMemory;
use tidegate_engine::ports::Ports;
use tidegate_engine::settings::Settings;

use crate::auth::Access;

/// Reads the time; once for each request.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The world, the configuration, the callers, the time.
#[derive(Clone)]
pub struct AppState {
    /// The world.
    pub ports: Ports,
    /// What the stack was told.
    pub settings: Arc<Settings>,
    /// The time.
    pub clock: Clock,
    /// Rollouts that were read a moment ago.
    pub memory: Arc<RolloutMemory>,
    /// How callers are recognised.
    pub access: Arc<Access>,
}

impl AppState {
    /// A state with an empty memory.
    pub fn new(ports: Ports, settings: Settings, access: Access, clock: Clock) -> Self {
        Self { ports, settings: Arc::new(settings), clock, memory: Arc::default(), access: Arc::new(access) }
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }
}
