//! Queues in memory: they keep what was sent until somebody takes it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tidegate_engine::ports::{Job, QueueError, Queues};

/// A message on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentJob {
    /// The message.
    pub job: Job,
    /// It becomes visible this many seconds after it was sent.
    pub delay_seconds: u32,
}

/// Both queues; whoever takes the messages decides about loss, repeats and order.
#[derive(Debug, Default)]
pub struct MemoryQueues {
    sent: Mutex<Vec<SentJob>>,
}

impl MemoryQueues {
    /// Takes all messages, in the order they were sent.
    pub fn take(&self) -> Vec<SentJob> {
        std::mem::take(&mut *self.sent())
    }

    /// The messages that nobody has taken.
    pub fn peek(&self) -> Vec<SentJob> {
        self.sent().clone()
    }

    fn sent(&self) -> MutexGuard<'_, Vec<SentJob>> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("a message can be delayed by at most 900 seconds, not {0}")]
struct DelayTooLong(u32);

#[async_trait]
impl Queues for MemoryQueues {
    async fn send(&self, jobs: &[Job], delay_seconds: u32) -> Result<(), QueueError> {
        if delay_seconds > 900 {
            return Err(QueueError(Box::new(DelayTooLong(delay_seconds))));
        }
        self.sent().extend(jobs.iter().map(|job| SentJob { job: job.clone(), delay_seconds }));
        Ok(())
    }
}
