//! What was published: the local stack copies everything on the bus into a queue (`CaptureEvents` in the template).
//!
//! The queue is read by SQS's JSON protocol. The emulator checks no signature, so none is made: this works on the local
//! stack alone, which is all that it is for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::stack::Access;

/// Most messages that SQS gives at once.
const MESSAGES: u32 = 10;
/// Where an emulator finds region and service; the signature itself is not looked at.
const AUTHORIZATION: &str =
    "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0";

/// A queue that something was copied into.
#[derive(Debug, Clone)]
pub(crate) struct Captured {
    http: reqwest::Client,
    endpoint: String,
    queue: String,
}

/// An event that was published.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Published {
    /// Its full name.
    pub(crate) name: String,
    /// Tells repeats apart.
    pub(crate) event_id: String,
    /// The rollout that it is of.
    pub(crate) rollout_id: Option<String>,
}

#[derive(Deserialize)]
struct Received {
    #[serde(rename = "Messages", default)]
    messages: Option<Vec<Message>>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(rename = "ReceiptHandle")]
    receipt: String,
    #[serde(rename = "Body")]
    body: String,
}

impl Captured {
    /// Everything of the bus.
    pub(crate) fn events(access: &Access) -> Result<Self> {
        Self::queue(access, "CapturedEventsUrl")
    }

    /// What somebody should look at: what administrators are told.
    pub(crate) fn alerts(access: &Access) -> Result<Self> {
        Self::queue(access, "CapturedAlertsUrl")
    }

    fn queue(access: &Access, output: &str) -> Result<Self> {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build()?;
        Ok(Self { http, endpoint: access.endpoint.clone(), queue: access.output(output)?.to_owned() })
    }

    /// Takes what is in the queue now.
    pub(crate) async fn take(&self) -> Result<Vec<Published>> {
        let mut taken = Vec::new();
        loop {
            let asked = json!({ "QueueUrl": self.queue, "MaxNumberOfMessages": MESSAGES, "WaitTimeSeconds": 0,
                "VisibilityTimeout": 60 });
            let received: Received = serde_json::from_value(self.call("ReceiveMessage", &asked).await?)?;
            let Some(messages) = received.messages.filter(|messages| !messages.is_empty()) else { return Ok(taken) };
            taken.extend(messages.iter().filter_map(|message| read(&message.body)));
            let entries: Vec<Value> = messages
                .iter()
                .enumerate()
                .map(|(n, message)| json!({ "Id": n.to_string(), "ReceiptHandle": message.receipt }))
                .collect();
            self.call("DeleteMessageBatch", &json!({ "QueueUrl": self.queue, "Entries": entries })).await?;
        }
    }

    async fn call(&self, action: &str, body: &Value) -> Result<Value> {
        let response = self
            .http
            .post(&self.endpoint)
            .header("X-Amz-Target", format!("AmazonSQS.{action}"))
            .header("Content-Type", "application/x-amz-json-1.0")
            .header("Authorization", AUTHORIZATION)
            .body(body.to_string())
            .send()
            .await
            .with_context(|| format!("{action} was not answered"))?;
        let (status, text) = (response.status(), response.text().await?);
        if !status.is_success() {
            bail!("{action} was refused: {status} {text}");
        }
        if text.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_str(&text)?) }
    }
}

/// An event as `EventBridge` delivers it; what is none of ours is passed over.
fn read(body: &str) -> Option<Published> {
    let envelope: Value = serde_json::from_str(body).ok()?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    Some(Published {
        name: text(&envelope["detail-type"])?,
        event_id: text(&envelope["detail"]["event_id"])?,
        rollout_id: text(&envelope["detail"]["rollout_id"]),
    })
}

/// How often each event of these rollouts was published, repeats counted once.
pub(crate) fn count(published: &BTreeSet<Published>, rollouts: &[String]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for event in published {
        if event.rollout_id.as_ref().is_some_and(|id| rollouts.contains(id)) {
            *counts.entry(event.name.clone()).or_insert(0) += 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_count_once_and_others_events_not_at_all() {
        let event = |id: &str, rollout: &str| {
            let body = json!({ "detail-type": "device.image_pulled", "source": "tidegate",
                "detail": { "event_id": id, "rollout_id": rollout } });
            read(&body.to_string()).expect("ours")
        };
        let published = [event("1", "R"), event("1", "R"), event("2", "R"), event("3", "S")].into();
        assert_eq!(count(&published, &["R".to_owned()]), [("device.image_pulled".to_owned(), 2)].into());
        assert_eq!(read("{}"), None);
        assert_eq!(read("no JSON"), None);
    }
}
