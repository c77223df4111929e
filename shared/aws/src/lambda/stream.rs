//! DynamoDB streams: order is kept, so the first failure stops the batch.

use std::fmt::Display;
use std::sync::Arc;

use aws_lambda_events::dynamodb::{Event, EventRecord};
use aws_lambda_events::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use tidegate_engine::ports::{Change, Item, Key};

use crate::tables::TableNames;

/// A record that is no change of one of our tables.
#[derive(Debug, thiserror::Error)]
pub enum BadRecord {
    /// The stream is of another table.
    #[error("{0} is no stream of this stack")]
    Stream(String),
    /// The record lacks the item's key.
    #[error("the record has no complete key")]
    Key,
    /// An image is no item.
    #[error("an image cannot be read")]
    Image(#[source] serde_dynamo::Error),
}

/// Hands the records over in their order, up to `chunk` at a time. At the first chunk that fails, its first record is
/// reported and nothing after it is handled: Lambda keeps what was before, and delivers from that record on again. A
/// record that cannot be read fails as well, so that it ends where failed records are kept.
pub async fn in_chunks<F, E>(
    event: Event,
    names: &TableNames,
    chunk: usize,
    handle: impl Fn(Vec<Change>) -> F,
) -> DynamoDbEventResponse
where
    F: Future<Output = Result<(), E>>,
    E: Display,
{
    let mut response = DynamoDbEventResponse::default();
    let mut records = event.records.into_iter().peekable();
    while records.peek().is_some() {
        let (mut first, mut changes, mut unreadable) = (None, Vec::new(), None);
        for record in records.by_ref().take(chunk.max(1)) {
            let sequence = record.change.sequence_number.clone();
            match change(record, names) {
                Ok(change) => {
                    first.get_or_insert(sequence);
                    changes.push(change);
                }
                Err(error) => {
                    unreadable = Some((sequence, error.to_string()));
                    break;
                }
            }
        }
        let handled = match first {
            Some(first) => handle(changes).await.map_err(|error| (first, error.to_string())),
            None => Ok(()),
        };
        if let Err((sequence, error)) = handled.and(unreadable.map_or(Ok(()), Err)) {
            tracing::warn!(sequence, error, "stream records will be delivered again");
            let mut failure = DynamoDbBatchItemFailure::default();
            failure.item_identifier = Some(sequence.unwrap_or_default());
            response.batch_item_failures.push(failure);
            break;
        }
    }
    response
}

fn change(record: EventRecord, names: &TableNames) -> Result<Change, BadRecord> {
    let arn = record.event_source_arn.unwrap_or_default();
    let table = names.of_stream(&arn).ok_or(BadRecord::Stream(arn))?;
    let key = Key::of(table, &item(record.change.keys)?).ok_or(BadRecord::Key)?;
    Ok(Change { key, old: image(record.change.old_image)?, new: image(record.change.new_image)? })
}

/// An image that the record lacks is an empty one here.
fn image(image: serde_dynamo::Item) -> Result<Option<Arc<Item>>, BadRecord> {
    let image = item(image)?;
    Ok((!image.is_empty()).then(|| Arc::new(image)))
}

fn item(item: serde_dynamo::Item) -> Result<Item, BadRecord> {
    serde_dynamo::from_item(item).map_err(BadRecord::Image)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use serde_json::{Value, json};
    use tidegate_engine::ports::Table;

    use super::*;

    fn record(sequence: u32, table: &str) -> Value {
        let device = format!("d{sequence}");
        json!({
            "eventID": sequence.to_string(), "eventName": "MODIFY", "awsRegion": "eu-central-1",
            "eventSourceARN": format!("arn:aws:dynamodb:eu-central-1:1:table/{table}/stream/now"),
            "dynamodb": {
                "ApproximateCreationDateTime": 1_700_000_000.5,
                "Keys": {"device_uuid": {"S": device}},
                "NewImage": {"device_uuid": {"S": device}, "revision": {"N": "7"}, "tags": {"M": {"a": {"BOOL": true}}}},
                "SequenceNumber": sequence.to_string(), "SizeBytes": 1, "StreamViewType": "NEW_AND_OLD_IMAGES",
            },
        })
    }

    async fn run(records: &[Value], chunk: usize, fail_at: &str) -> (Vec<Vec<String>>, Vec<String>) {
        let event = serde_json::from_value(json!({"Records": records})).unwrap();
        let seen = RefCell::new(Vec::new());
        let handle = |changes: Vec<Change>| {
            let ids: Vec<String> = changes.into_iter().map(|change| change.key.pk).collect();
            let failed = ids.iter().any(|id| id == fail_at);
            seen.borrow_mut().push(ids);
            std::future::ready(if failed { Err("not now") } else { Ok(()) })
        };
        let response = in_chunks(event, &TableNames::new("t"), chunk, handle).await;
        let failed = response.batch_item_failures.into_iter().filter_map(|failure| failure.item_identifier).collect();
        (seen.into_inner(), failed)
    }

    #[test]
    fn images_become_items() {
        let event: Event = serde_json::from_value(json!({"Records": [record(1, "t-devices")]})).unwrap();
        let change = change(event.records[0].clone(), &TableNames::new("t")).unwrap();
        assert_eq!(change.key, Key::simple(Table::Devices, "d1"));
        assert_eq!(change.old, None);
        let new = json!({"device_uuid": "d1", "revision": 7, "tags": {"a": true}});
        assert_eq!(change.new.as_deref(), new.as_object());
    }

    #[tokio::test]
    async fn a_failure_stops_the_batch_at_its_chunk() {
        let records: Vec<Value> = (1..=5).map(|n| record(n, "t-devices")).collect();
        let cases = [
            ("all well", 2, "", "d1 d2, d3 d4, d5", ""),
            ("in a chunk", 2, "d4", "d1 d2, d3 d4", "3"),
            ("one by one", 1, "d2", "d1, d2", "2"),
        ];
        for (label, chunk, fail_at, seen, failed) in cases {
            let (chunks, reported) = run(&records, chunk, fail_at).await;
            assert_eq!(chunks.iter().map(|ids| ids.join(" ")).collect::<Vec<_>>().join(", "), seen, "{label}");
            assert_eq!(reported.join(", "), failed, "{label}");
        }
    }

    #[tokio::test]
    async fn a_record_of_another_table_is_reported_after_what_came_before_it() {
        let records = [record(1, "t-devices"), record(2, "else-devices"), record(3, "t-devices")];
        assert_eq!(run(&records, 10, "").await, (vec![vec!["d1".to_owned()]], vec!["2".to_owned()]));
    }
}
