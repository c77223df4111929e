//! What the AWS adapters make of failures that no emulator shows on demand: a made-up endpoint gives each call's
//! answers in order.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};
use tidegate_aws::bootstrap::{Started, connect};
use tidegate_aws::config::Config;
use tidegate_aws::sdk::Sdk;
use tidegate_aws::wiring::Wiring;
use tidegate_domain::ids::RolloutId;
use tidegate_engine::ports::{
    BusEntry, Condition, Freshness, Item, Job, Key, StoreError, Table, Units, Write, WriteError,
};
use tokio::net::TcpListener;

type Answers = VecDeque<(u16, Value)>;

/// An endpoint of every service, with the bodies of the requests that came.
struct Endpoint {
    started: Started,
    requests: Arc<Mutex<Vec<Value>>>,
}

impl Endpoint {
    fn requests(&self) -> Vec<Value> {
        self.requests.lock().unwrap().clone()
    }
}

#[derive(Clone)]
struct Script {
    answers: Arc<Mutex<Answers>>,
    requests: Arc<Mutex<Vec<Value>>>,
}

async fn answer(State(script): State<Script>, body: String) -> (StatusCode, String) {
    script.requests.lock().unwrap().push(serde_json::from_str(&body).unwrap_or(Value::Null));
    let (status, answer) = script.answers.lock().unwrap().pop_front().expect("no more requests than answers");
    (StatusCode::from_u16(status).unwrap(), answer.to_string())
}

async fn endpoint(answers: impl Into<Answers>) -> Endpoint {
    let requests = Arc::default();
    let script = Script { answers: Arc::new(Mutex::new(answers.into())), requests: Arc::clone(&requests) };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let routes = Router::new().fallback(answer).with_state(script);
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let variables: BTreeMap<&str, String> = [
        ("TABLE_PREFIX", "t".to_owned()),
        ("STEP_QUEUE_URL", format!("{url}/step")),
        ("BATCH_QUEUE_URL", format!("{url}/batch")),
        ("EVENT_BUS_NAME", "bus".to_owned()),
        ("SCHEDULER_GROUP", "group".to_owned()),
        ("SCHEDULER_ROLE_ARN", "arn:aws:iam::1:role/r".to_owned()),
        ("STEP_QUEUE_ARN", "arn:aws:sqs:us-east-1:1:step".to_owned()),
    ]
    .into();
    let config = Config::read(&|name| variables.get(name).cloned()).unwrap();
    Endpoint { started: connect(config, &Sdk::local(&url), Wiring::ALL), requests }
}

fn failure(code: &str) -> (u16, Value) {
    (400, json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": "made up"}))
}

fn put(condition: Condition) -> Write {
    let item = Item::from_iter([("id".into(), "p".into())]);
    Write::Put { table: Table::Policies, item, condition }
}

fn addition() -> Write {
    let key = Key::simple(Table::Policies, "p");
    Write::Update { key, set: vec![], add: vec![("n", 1)], remove: vec![], condition: Condition::Always }
}

/// The kind of a write's outcome.
fn told(result: &Result<(), WriteError>) -> &'static str {
    match result {
        Ok(()) => "made",
        Err(WriteError::Refused(0)) => "refused",
        Err(WriteError::Refused(_)) => "refused at another write",
        Err(WriteError::Conflict) => "conflict",
        Err(WriteError::Store(StoreError::Unavailable(_))) => "unavailable",
        Err(WriteError::Store(StoreError::Rejected(_))) => "rejected",
    }
}

#[tokio::test]
async fn one_writes_failures_are_told_apart() {
    let cases = [
        ("refused", vec![failure("ConditionalCheckFailedException")], "refused"),
        ("in a transaction's way", vec![failure("TransactionConflictException")], "conflict"),
        ("no such table", vec![failure("ResourceNotFoundException")], "rejected"),
        ("not permitted", vec![failure("AccessDeniedException")], "rejected"),
        ("failed, then made", vec![(500, json!({})), (200, json!({}))], "made"),
        ("its own echo", vec![(500, json!({})), failure("ConditionalCheckFailedException")], "unavailable"),
        ("throttled", vec![failure("ProvisionedThroughputExceededException"); 3], "unavailable"),
    ];
    for (label, answers, expected) in cases {
        let count = answers.len();
        let endpoint = endpoint(answers).await;
        let result = endpoint.started.ports.store.write(&[put(Condition::Absent)]).await;
        assert_eq!(told(&result), expected, "{label}: {result:?}");
        assert_eq!(endpoint.requests().len(), count, "{label}");
    }
}

#[tokio::test]
async fn an_addition_is_sent_once() {
    let endpoint = endpoint([(500, json!({}))]).await;
    let result = endpoint.started.ports.store.write(&[addition()]).await;
    assert_eq!(told(&result), "unavailable");
    assert_eq!(endpoint.requests().len(), 1);
}

#[tokio::test]
async fn a_repeated_transaction_carries_its_token() {
    let endpoint = endpoint([(500, json!({})), (200, json!({}))]).await;
    endpoint.started.ports.store.write(&[addition(), put(Condition::Always)]).await.unwrap();
    let tokens: Vec<_> = endpoint.requests().iter().map(|request| request["ClientRequestToken"].clone()).collect();
    assert!(tokens[0].is_string());
    assert_eq!(tokens[0], tokens[1]);
}

#[tokio::test]
async fn a_canceled_transactions_reasons_are_told_apart() {
    let cases = [
        (["None", "ConditionalCheckFailed"], "refused at another write"),
        (["TransactionConflict", "None"], "conflict"),
        (["None", "ThrottlingError"], "unavailable"),
        (["ValidationError", "None"], "rejected"),
    ];
    for (codes, expected) in cases {
        let (status, mut body) = failure("TransactionCanceledException");
        body["CancellationReasons"] = codes.map(|code| json!({"Code": code})).into_iter().collect();
        let endpoint = endpoint([(status, body)]).await;
        let result = endpoint.started.ports.store.write(&[put(Condition::Absent), addition()]).await;
        assert_eq!(told(&result), expected, "{codes:?}: {result:?}");
    }
}

#[tokio::test]
async fn consumed_capacity_is_counted_by_table() {
    let consumed = json!({"ConsumedCapacity": {"TableName": "t-devices", "CapacityUnits": 0.5}});
    let endpoint = endpoint([(200, consumed)]).await;
    let key = Key::simple(Table::Devices, "d");
    assert_eq!(endpoint.started.ports.store.get(&key, Freshness::Eventual).await.unwrap(), None);
    assert_eq!(endpoint.started.meter.by_table(), [(Table::Devices, Units { reads: 0.5, writes: 0.0 })].into());
}

#[tokio::test]
async fn a_read_that_gets_no_plain_answer_is_asked_again_by_the_sdk() {
    let item = json!({"Item": {"id": {"S": "p"}, "n": {"N": "3"}}, "ConsumedCapacity": {"CapacityUnits": 1.0}});
    let set = json!({"Item": {"id": {"S": "p"}, "n": {"NS": ["3"]}}});
    let cases = [
        ("at once", vec![(200, item.clone())], Ok(json!(3))),
        ("failed", vec![(500, json!({})), (200, item.clone())], Ok(json!(3))),
        ("throttled", vec![failure("ProvisionedThroughputExceededException"), (200, item.clone())], Ok(json!(3))),
        ("of a type that we do not write", vec![(200, set.clone()), (200, set)], Ok(json!([3]))),
        ("no JSON", vec![(200, json!("?")), (500, json!({})), (200, item)], Ok(json!(3))),
        ("no such table", vec![failure("ResourceNotFoundException"); 2], Err("rejected")),
        ("never", vec![(500, json!({})); 4], Err("unavailable")),
    ];
    for (label, answers, expected) in cases {
        let count = answers.len();
        let endpoint = endpoint(answers).await;
        let key = Key::simple(Table::Policies, "p");
        let read = endpoint.started.ports.store.get(&key, Freshness::Consistent).await;
        let read = read.map(|item| item.expect("an item")["n"].clone()).map_err(WriteError::Store);
        assert_eq!(read.map_err(|error| told(&Err(error))), expected, "{label}");
        let requests = endpoint.requests();
        assert_eq!(requests.len(), count, "{label}");
        assert!(requests.iter().all(|request| *request == requests[0]), "{label}: {requests:?}");
    }
}

fn steps(count: u32) -> Vec<Job> {
    (0..count).map(|n| Job::Step { rollout_id: RolloutId::trusted(n.to_string()) }).collect()
}

fn accepted(ids: &[&str]) -> Value {
    ids.iter().map(|id| json!({"Id": id, "MessageId": id, "MD5OfMessageBody": ""})).collect()
}

fn refused(id: &str, sender_fault: bool) -> Value {
    json!([{"Id": id, "Code": "InternalError", "SenderFault": sender_fault}])
}

#[tokio::test]
async fn messages_that_a_batch_left_out_are_sent_again() {
    let left_out = json!({"Successful": accepted(&["0", "2"]), "Failed": refused("1", false)});
    let endpoint = endpoint([(200, left_out), (200, json!({"Successful": accepted(&["1"]), "Failed": []}))]).await;
    endpoint.started.ports.queues.send(&steps(3), 60).await.unwrap();
    let sent: Vec<usize> = endpoint.requests().iter().map(|r| r["Entries"].as_array().unwrap().len()).collect();
    assert_eq!(sent, [3, 1]);
    let entry = &endpoint.requests()[1]["Entries"][0];
    assert_eq!(entry["MessageBody"], json!({"job": "step", "rollout_id": "1"}).to_string());
    assert_eq!(entry["DelaySeconds"], 60);
}

#[tokio::test]
async fn messages_go_to_their_queues_in_batches_of_ten() {
    let ids: Vec<String> = (0..10).map(|n| n.to_string()).collect();
    let ten: Vec<&str> = ids.iter().map(String::as_str).collect();
    let ok = |ids: &[&str]| (200, json!({"Successful": accepted(ids), "Failed": []}));
    let endpoint = endpoint([ok(&ten), ok(&["0", "1"]), ok(&["0"])]).await;
    let mut jobs = vec![Job::Plan { rollout_id: RolloutId::trusted("r") }];
    jobs.extend(steps(12));
    endpoint.started.ports.queues.send(&jobs, 0).await.unwrap();
    let told = |request: &Value| {
        let queue = request["QueueUrl"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        (queue, request["Entries"].as_array().unwrap().len())
    };
    let sent: Vec<_> = endpoint.requests().iter().map(told).collect();
    assert_eq!(sent, [("step".to_owned(), 10), ("step".to_owned(), 2), ("batch".to_owned(), 1)]);
}

#[tokio::test]
async fn messages_that_are_never_accepted_are_an_error() {
    let broken = json!({"Successful": [], "Failed": refused("0", true)});
    let endpoint = endpoint([(200, broken)]).await;
    assert!(endpoint.started.ports.queues.send(&steps(1), 0).await.is_err());
}

#[tokio::test]
async fn an_event_that_the_bus_left_out_is_an_error() {
    let entry = BusEntry {
        name: "image.rollout_started".into(),
        at: "2026-01-01T00:00:00Z".parse().unwrap(),
        detail: json!({}),
    };
    for (failed, accepted) in [(0, true), (1, false)] {
        let entries = if accepted { json!([{"EventId": "1"}]) } else { json!([{"ErrorCode": "InternalFailure"}]) };
        let endpoint = endpoint([(200, json!({"FailedEntryCount": failed, "Entries": entries}))]).await;
        let result = endpoint.started.ports.bus.publish(std::slice::from_ref(&entry)).await;
        assert_eq!(result.is_ok(), accepted, "{result:?}");
        let sent = &endpoint.requests()[0]["Entries"][0];
        assert_eq!((&sent["Source"], &sent["DetailType"]), (&json!("tidegate"), &json!("image.rollout_started")));
    }
}

#[tokio::test]
async fn a_schedule_that_is_there_already_is_no_error() {
    let conflict = (409, json!({"__type": "ConflictException", "Message": "made up"}));
    let endpoint = endpoint([(200, json!({"ScheduleArn": "arn:aws:scheduler:::x"})), conflict, (400, json!({}))]).await;
    let (scheduler, at) = (&endpoint.started.ports.scheduler, "2026-03-29T01:30:04.2Z".parse().unwrap());
    let rollout_id = RolloutId::trusted("R");
    scheduler.step_at(&rollout_id, at).await.unwrap();
    scheduler.step_at(&rollout_id, at).await.unwrap();
    assert!(scheduler.step_at(&rollout_id, at).await.is_err());
    let schedule = &endpoint.requests()[0];
    assert_eq!(schedule["ScheduleExpression"], "at(2026-03-29T01:30:05)");
    assert_eq!(schedule["ActionAfterCompletion"], "DELETE");
    assert_eq!(schedule["Target"]["Input"], json!({"job": "step", "rollout_id": "R"}).to_string());
}
