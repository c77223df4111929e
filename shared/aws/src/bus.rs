//! The bus on EventBridge.

use std::ops::Range;
use std::sync::OnceLock;

use async_trait::async_trait;
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_types::SdkConfig;
use tidegate_domain::text::shown_json;
use tidegate_engine::ports::{Bus, BusEntry, QueueError};

/// The source that rules select our events by.
pub const EVENT_SOURCE: &str = "tidegate";
/// EventBridge's limits of one call: entries, and bytes of all of them.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevent-size.html>
const ENTRIES_MAX: usize = 10;
const BYTES_MAX: usize = 256 * 1024;
/// What an entry's time adds to its size.
const TIME_BYTES: usize = 14;

/// One bus.
#[derive(Debug, Clone)]
pub struct EventBridgeBus {
    sdk: SdkConfig,
    client: OnceLock<Client>,
    name: String,
}

impl EventBridgeBus {
    /// By its name.
    pub fn new(sdk: &SdkConfig, name: impl Into<String>) -> Self {
        Self { sdk: sdk.clone(), client: OnceLock::new(), name: name.into() }
    }
}

/// EventBridge accepted a call in part.
#[derive(Debug, thiserror::Error)]
#[error("{count} events were not accepted, the first with {code}")]
struct NotAccepted {
    count: i32,
    code: String,
}

#[async_trait]
impl Bus for EventBridgeBus {
    async fn publish(&self, entries: &[BusEntry]) -> Result<(), QueueError> {
        let details: Vec<String> = entries
            .iter()
            // It is mailed as it is: what a device or a registry wrote is in JSON's own escapes.
            .map(|entry| shown_json(&entry.detail.to_string()).into_owned())
            .collect();
        let sizes = entries
            .iter()
            .zip(&details)
            .map(|(entry, detail)| TIME_BYTES + EVENT_SOURCE.len() + entry.name.len() + detail.len());
        let client = self.client.get_or_init(|| Client::new(&self.sdk));
        for part in parts(sizes) {
            let mut call = client.put_events();
            for (entry, detail) in entries[part.clone()].iter().zip(&details[part]) {
                let event = PutEventsRequestEntry::builder().event_bus_name(&self.name).source(EVENT_SOURCE);
                let event = event.detail_type(&entry.name).detail(detail);
                call = call.entries(event.time(DateTime::from_millis(entry.at.as_millisecond())).build());
            }
            let out = call.send().await.map_err(|error| QueueError(Box::new(error)))?;
            if out.failed_entry_count > 0 {
                let code = out.entries().iter().find_map(|entry| entry.error_code()).unwrap_or("no code").to_owned();
                return Err(QueueError(Box::new(NotAccepted { count: out.failed_entry_count, code })));
            }
        }
        Ok(())
    }
}

/// Cuts entries of these sizes into calls that keep the limits; an entry that is too large alone goes alone.
fn parts(sizes: impl Iterator<Item = usize>) -> Vec<Range<usize>> {
    let mut parts: Vec<Range<usize>> = Vec::new();
    let mut bytes = 0;
    for (i, size) in sizes.enumerate() {
        match parts.last_mut() {
            Some(part) if part.len() < ENTRIES_MAX && bytes + size <= BYTES_MAX => {
                part.end = i + 1;
                bytes += size;
            }
            Some(_) | None => {
                parts.push(i..i + 1);
                bytes = size;
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_keep_both_limits() {
        let cases = [
            ("nothing", vec![], vec![]),
            ("eleven small ones", vec![1; 11], vec![0..10, 10..11]),
            ("two that fill a call", vec![128 * 1024; 3], vec![0..2, 2..3]),
            ("one too large", vec![1, 300 * 1024, 1], vec![0..1, 1..2, 2..3]),
        ];
        for (label, sizes, expected) in cases {
            assert_eq!(parts(sizes.into_iter()), expected, "{label}");
        }
    }
}
