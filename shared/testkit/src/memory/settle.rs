//! What runs behind the queues and streams of a stack, in one loop.

use jiff::Timestamp;
use tidegate_engine::entities::devices;
use tidegate_engine::memory::RolloutMemory;
use tidegate_engine::ports::{Ports, Table};
use tidegate_engine::settings::Settings;
use tidegate_engine::{EngineError, jobs, record};

use super::MemoryPorts;

/// Wake-ups further ahead than this lie in the future, in seconds: they are what the clock brings.
const AT_ONCE_SECONDS: u32 = 5;

/// Most rounds; more means that work makes work for ever.
const ROUNDS: usize = 100;

impl MemoryPorts {
    /// Lets queues and streams run dry, as the functions behind them would.
    ///
    /// # Panics
    ///
    /// Where they do not.
    pub async fn settle(&self, ports: &Ports, settings: &Settings, now: Timestamp) -> Result<(), EngineError> {
        let memory = RolloutMemory::default();
        for _ in 0..ROUNDS {
            let jobs = self.queues.take();
            let changes = self.store.take_stream();
            if jobs.is_empty() && changes.is_empty() {
                return Ok(());
            }
            let images = changes.iter().filter(|change| change.table == Table::Devices);
            let images = images.filter_map(|change| change.new.as_deref().cloned());
            let images = images.map(devices::parse).collect::<Result<Vec<_>, _>>()?;
            record::record(ports, &images, now).await?;
            for sent in jobs.into_iter().filter(|sent| sent.delay_seconds <= AT_ONCE_SECONDS) {
                jobs::run(ports, settings, &memory, &sent.job, now).await?;
            }
        }
        panic!("queues and streams do not run dry");
    }
}
