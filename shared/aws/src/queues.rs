//! The step and batch queues on SQS.

use std::sync::OnceLock;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{BatchResultErrorEntry, SendMessageBatchRequestEntry};
use aws_types::SdkConfig;
use tidegate_engine::ports::{Job, Queue, QueueError, Queues};

/// SQS's limit of one batch.
const BATCH_MAX: usize = 10;
/// How often messages that a batch's answer names as failed are sent again.
const RESENDS: usize = 2;

/// Both queues of a stack.
#[derive(Debug, Clone)]
pub struct SqsQueues {
    sdk: SdkConfig,
    client: OnceLock<Client>,
    step_url: String,
    batch_url: String,
}

impl SqsQueues {
    /// By the URLs of the queues.
    pub fn new(sdk: &SdkConfig, step_url: impl Into<String>, batch_url: impl Into<String>) -> Self {
        let (step_url, batch_url) = (step_url.into(), batch_url.into());
        Self { sdk: sdk.clone(), client: OnceLock::new(), step_url, batch_url }
    }

    fn url(&self, queue: Queue) -> &str {
        match queue {
            Queue::Step => &self.step_url,
            Queue::Batch => &self.batch_url,
        }
    }

    async fn send_batch(&self, url: &str, mut entries: Vec<SendMessageBatchRequestEntry>) -> Result<(), QueueError> {
        let client = self.client.get_or_init(|| Client::new(&self.sdk));
        for resend in 0.. {
            let call = client.send_message_batch().queue_url(url).set_entries(Some(entries.clone()));
            let failed = call.send().await.map_err(|error| QueueError(Box::new(error)))?.failed;
            let Some(first) = failed.first() else { return Ok(()) };
            if resend == RESENDS || failed.iter().any(BatchResultErrorEntry::sender_fault) {
                let (code, count) = (first.code().to_owned(), failed.len());
                return Err(QueueError(Box::new(NotAccepted { count, code })));
            }
            entries.retain(|entry| failed.iter().any(|failed| failed.id() == entry.id()));
        }
        Ok(())
    }
}

/// SQS accepted a batch in part.
#[derive(Debug, thiserror::Error)]
#[error("{count} messages were not accepted, the first with {code}")]
struct NotAccepted {
    count: usize,
    code: String,
}

#[async_trait]
impl Queues for SqsQueues {
    async fn send(&self, jobs: &[Job], delay_seconds: u32) -> Result<(), QueueError> {
        let boxed = |error: serde_json::Error| QueueError(Box::new(error));
        for queue in [Queue::Step, Queue::Batch] {
            let jobs: Vec<&Job> = jobs.iter().filter(|job| job.queue() == queue).collect();
            for chunk in jobs.chunks(BATCH_MAX) {
                let mut entries = Vec::with_capacity(chunk.len());
                for (id, job) in chunk.iter().enumerate() {
                    let entry = SendMessageBatchRequestEntry::builder()
                        .id(id.to_string())
                        .message_body(serde_json::to_string(job).map_err(boxed)?)
                        .delay_seconds(delay_seconds.cast_signed());
                    entries.push(entry.build().map_err(|error| QueueError(Box::new(error)))?);
                }
                self.send_batch(self.url(queue), entries).await?;
            }
        }
        Ok(())
    }
}
