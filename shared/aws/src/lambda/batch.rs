//! A whole batch of stream records as one piece of work.

use std::sync::atomic::{AtomicBool, Ordering};

use aws_lambda_events::dynamodb::Event;
use aws_lambda_events::streams::DynamoDbEventResponse;
use tidegate_engine::EngineError;
use tidegate_engine::ports::Change;

use super::{in_chunks, told};
use crate::tables::TableNames;

/// Hands all records over at once: what they have in common is written once. Where that fails for a reason that no
/// repetition mends, they are handed over one by one, so that those before the one at fault are done, and that one is
/// reported alone. Handling a record twice must be harmless.
pub async fn in_one<F>(event: Event, names: &TableNames, handle: impl Fn(Vec<Change>) -> F) -> DynamoDbEventResponse
where
    F: Future<Output = Result<(), EngineError>>,
{
    let beyond_repair = AtomicBool::new(false);
    let tell = |error: EngineError| {
        beyond_repair.store(!error.retryable(), Ordering::Relaxed);
        told(&error)
    };
    let several = event.records.len() > 1;
    let again = event.clone();
    let whole = in_chunks(event, names, usize::MAX, |changes| {
        let handled = handle(changes);
        async { handled.await.map_err(tell) }
    })
    .await;
    if !several || !beyond_repair.load(Ordering::Relaxed) {
        return whole;
    }
    in_chunks(again, names, 1, |changes| {
        let handled = handle(changes);
        async { handled.await.map_err(tell) }
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::{Value, json};

    use super::*;

    fn record(device: &str) -> Value {
        json!({
            "eventID": device, "eventName": "INSERT", "awsRegion": "eu-central-1",
            "eventSourceARN": "arn:aws:dynamodb:eu-central-1:1:table/t-devices/stream/now",
            "dynamodb": {
                "ApproximateCreationDateTime": 1_700_000_000.5,
                "Keys": {"device_uuid": {"S": device}}, "NewImage": {"device_uuid": {"S": device}},
                "SequenceNumber": device, "SizeBytes": 1, "StreamViewType": "NEW_AND_OLD_IMAGES",
            },
        })
    }

    type Fault = Option<fn() -> EngineError>;

    #[tokio::test]
    async fn only_what_cannot_be_mended_is_told_apart() {
        let mends = || EngineError::Contended { what: "a row" };
        let never = || EngineError::NotFound("device");
        let cases: [(&str, Fault, &str, &str); 3] = [
            ("all well", None, "1 2 3", ""),
            ("a passing failure", Some(mends), "1 2 3", "1"),
            ("a failure for good", Some(never), "1 2 3, 1, 2", "2"),
        ];
        for (label, fails, seen, reported) in cases {
            let event = serde_json::from_value(json!({"Records": [record("1"), record("2"), record("3")]})).unwrap();
            let handed = Mutex::new(Vec::new());
            let handle = |changes: Vec<Change>| {
                let ids: Vec<String> = changes.into_iter().map(|change| change.key.pk).collect();
                let at_fault = ids.iter().any(|id| id == "2");
                handed.lock().unwrap().push(ids.join(" "));
                std::future::ready(fails.filter(|_| at_fault).map_or(Ok(()), |fails| Err(fails())))
            };
            let response = in_one(event, &TableNames::new("t"), handle).await;
            let failed: Vec<_> = response.batch_item_failures.into_iter().filter_map(|f| f.item_identifier).collect();
            assert_eq!(handed.into_inner().unwrap().join(", "), seen, "{label}");
            assert_eq!(failed.join(" "), reported, "{label}");
        }
    }
}
