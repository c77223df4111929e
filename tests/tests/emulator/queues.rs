//! The queues of the deployed stack, by SQS's JSON protocol. The emulator looks at no signature, so none is made.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tidegate_engine::ports::{Job, Queue};
use tokio::sync::Mutex;

use crate::client::Client;
use crate::stack::{Stack, say};

/// Where an emulator finds region and service.
const AUTHORIZATION: &str =
    "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0";
/// Outputs of the template that name where messages end that nobody could handle.
const DEAD_LETTERS: [&str; 4] =
    ["StepDeadLettersUrl", "BatchDeadLettersUrl", "StreamDeadLettersUrl", "DeliveryDeadLettersUrl"];

/// Names of what was published, by rollout and event id: repeats count once.
type Published = BTreeMap<(String, String), String>;

/// Of all cases, since whoever reads a queue takes everybody's messages.
static EVENTS: Mutex<Published> = Mutex::const_new(BTreeMap::new());
static ALERTS: Mutex<Published> = Mutex::const_new(BTreeMap::new());

/// The queues, spoken to.
pub(crate) struct Queues<'a> {
    http: reqwest::Client,
    stack: &'a Stack,
    endpoint: &'a str,
}

impl<'a> Queues<'a> {
    /// Nothing, told loudly, where a given stack does not say where its queues are.
    pub(crate) fn of(client: &'a Client) -> Option<Self> {
        let (stack, endpoint) = (client.stack, client.stack.endpoint());
        if endpoint.is_none() || stack.output("CapturedEventsUrl").is_none() {
            say(
                "SKIPPED: looking into queues; the stack's TIDEGATE_AWS_ENDPOINT_URL and TIDEGATE_OUTPUT_* are not set",
            );
            return None;
        }
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Some(Self { http, stack, endpoint: endpoint? })
    }

    /// Sends a job once more, as SQS may at any time.
    pub(crate) async fn send(&self, job: &Job) {
        let output = match job.queue() {
            Queue::Step => "StepQueueUrl",
            Queue::Batch => "BatchQueueUrl",
        };
        let body = serde_json::to_string(job).expect("JSON");
        self.call("SendMessage", &json!({ "QueueUrl": self.url(output), "MessageBody": body })).await;
    }

    /// What the bus was told of a rollout: names by event id.
    pub(crate) async fn published(&self, rollout: &str) -> BTreeMap<String, String> {
        self.told("CapturedEventsUrl", &EVENTS, rollout).await
    }

    /// What administrators were told of a rollout: names by event id.
    pub(crate) async fn alerts(&self, rollout: &str) -> BTreeMap<String, String> {
        self.told("CapturedAlertsUrl", &ALERTS, rollout).await
    }

    /// Messages that nobody could handle, by queue.
    pub(crate) async fn dead_letters(&self) -> Vec<(&'static str, Value)> {
        let mut found = Vec::new();
        for output in DEAD_LETTERS {
            let asked = json!({ "QueueUrl": self.url(output), "MaxNumberOfMessages": 10, "VisibilityTimeout": 0 });
            let messages = self.call("ReceiveMessage", &asked).await["Messages"].take();
            found.extend(messages.as_array().into_iter().flatten().map(|message| (output, message.clone())));
        }
        found
    }

    async fn told(&self, output: &str, known: &Mutex<Published>, rollout: &str) -> BTreeMap<String, String> {
        let mut known = known.lock().await;
        loop {
            let asked = json!({ "QueueUrl": self.url(output), "MaxNumberOfMessages": 10, "VisibilityTimeout": 60 });
            let received = self.call("ReceiveMessage", &asked).await;
            let messages = received["Messages"].as_array().filter(|messages| !messages.is_empty());
            let Some(messages) = messages else { break };
            known.extend(messages.iter().filter_map(read));
            let entries: Vec<Value> = messages
                .iter()
                .enumerate()
                .map(|(n, message)| json!({ "Id": n.to_string(), "ReceiptHandle": message["ReceiptHandle"] }))
                .collect();
            self.call("DeleteMessageBatch", &json!({ "QueueUrl": self.url(output), "Entries": entries })).await;
        }
        let of_rollout = known.iter().filter(|((of, _), _)| of == rollout);
        of_rollout.map(|((_, id), name)| (id.clone(), name.clone())).collect()
    }

    fn url(&self, output: &str) -> &str {
        self.stack.output(output).unwrap_or_else(|| panic!("the stack has no output {output}"))
    }

    async fn call(&self, action: &str, body: &Value) -> Value {
        let request = self
            .http
            .post(self.endpoint)
            .header("X-Amz-Target", format!("AmazonSQS.{action}"))
            .header("Content-Type", "application/x-amz-json-1.0")
            .header("Authorization", AUTHORIZATION);
        let response = request.body(body.to_string()).send().await.expect("SQS answers");
        let (status, text) = (response.status(), response.text().await.expect("a body"));
        assert!(status.is_success(), "{action}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }
}

/// An event of ours as `EventBridge` delivers it.
fn read(message: &Value) -> Option<((String, String), String)> {
    let envelope: Value = serde_json::from_str(message["Body"].as_str()?).ok()?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let (rollout, id) = (text(&envelope["detail"]["rollout_id"])?, text(&envelope["detail"]["event_id"])?);
    Some(((rollout, id), text(&envelope["detail-type"])?))
}
