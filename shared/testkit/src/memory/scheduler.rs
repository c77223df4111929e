//! One-time schedules in memory.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use tidegate_domain::ids::RolloutId;
use tidegate_engine::ports::{QueueError, Scheduler};

/// One schedule: at this second, step this rollout.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wakeup {
    /// When, to the second.
    pub at: Timestamp,
    /// Which rollout.
    pub rollout_id: RolloutId,
}

/// Keeps schedules until they are due. The same one twice is one.
#[derive(Debug, Default)]
pub struct MemoryScheduler {
    pending: Mutex<BTreeSet<Wakeup>>,
}

impl MemoryScheduler {
    /// Takes the schedules that are due, the earliest first.
    pub fn take_due(&self, now: Timestamp) -> Vec<Wakeup> {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let due: Vec<Wakeup> = pending.iter().take_while(|wakeup| wakeup.at <= now).cloned().collect();
        pending.retain(|wakeup| wakeup.at > now);
        due
    }

    /// All schedules that have not fired, the earliest first.
    pub fn peek(&self) -> Vec<Wakeup> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

#[async_trait]
impl Scheduler for MemoryScheduler {
    async fn step_at(&self, rollout_id: &RolloutId, at: Timestamp) -> Result<(), QueueError> {
        let second = at.as_second() + i64::from(at.subsec_nanosecond() > 0);
        let at = Timestamp::from_second(second).map_err(|error| QueueError(Box::new(error)))?;
        let wakeup = Wakeup { at, rollout_id: rollout_id.clone() };
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).insert(wakeup);
        Ok(())
    }
}
