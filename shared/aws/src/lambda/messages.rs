//! SQS: each message succeeds or fails by itself.

use std::fmt::Display;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use tidegate_engine::ports::Job;

/// Handles the messages one after the other and reports those that failed: SQS delivers them again, and after the
/// queue's limit moves them to its dead-letter queue. A message that is no job fails as well, so that it is kept there.
pub async fn each_job<F, E>(event: SqsEvent, handle: impl Fn(Job) -> F) -> SqsBatchResponse
where
    F: Future<Output = Result<(), E>>,
    E: Display,
{
    let mut response = SqsBatchResponse::default();
    for message in event.records {
        let message_id = message.message_id.unwrap_or_default();
        let done = match serde_json::from_str(message.body.as_deref().unwrap_or_default()) {
            Ok(job) => handle(job).await.map_err(|error| error.to_string()),
            Err(error) => Err(format!("the message is no job: {error}")),
        };
        if let Err(error) = done {
            tracing::warn!(message_id, error, "a message will be delivered again");
            response.add_failure(message_id);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn the_runtime_may_move_it_between_threads() {
        fn assert_send<T: Send>(value: T) -> T {
            value
        }
        let store = std::sync::Arc::new(1);
        let handle = |_| {
            let store = std::sync::Arc::clone(&store);
            async move {
                futures::future::ready(*store).await;
                Ok::<(), String>(())
            }
        };
        let response = assert_send(each_job(SqsEvent::default(), handle)).await;
        assert_eq!(response, SqsBatchResponse::default());
    }

    #[tokio::test]
    async fn only_failed_messages_come_again() {
        let body = |id: &str| json!({"job": "step", "rollout_id": id}).to_string();
        let event: SqsEvent = serde_json::from_value(json!({"Records": [
            {"messageId": "good", "body": body("R1")},
            {"messageId": "refused", "body": body("R2")},
            {"messageId": "broken", "body": "{"},
        ]}))
        .unwrap();
        let handle = async |job| match job {
            Job::Step { rollout_id } if rollout_id.as_str() == "R1" => Ok(()),
            _ => Err("not now"),
        };
        let response = each_job(event, handle).await;
        let failed: Vec<_> = response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect();
        assert_eq!(failed, ["refused", "broken"]);
    }
}
