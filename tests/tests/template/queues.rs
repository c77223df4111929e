//! Every queue has a home for what it gives up on, and enough patience for its function.

use serde_json::Value;

use crate::document::{Template, list, target};

/// The event source mappings: function, its properties, the mapping's kind and properties.
fn mappings(template: &Template) -> Vec<(&str, &Value, &str, &Value)> {
    let mut found = Vec::new();
    for (name, function) in template.functions() {
        for event in function["Events"].as_object().into_iter().flat_map(|events| events.values()) {
            found.push((name, function, event["Type"].as_str().expect("a type"), &event["Properties"]));
        }
    }
    found
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn every_queue_redrives_or_is_where_others_redrive_to() {
    let template = Template::read();
    let queues: Vec<(&str, &Value)> = template.of_type("AWS::SQS::Queue").collect();
    assert!(queues.len() >= 6);
    for (name, queue) in queues {
        if name.ends_with("DeadLetters") {
            assert_eq!(queue["MessageRetentionPeriod"], 1_209_600, "{name} keeps for the longest that SQS can");
            continue;
        }
        let home = target(&queue["RedrivePolicy"]["deadLetterTargetArn"]);
        assert!(home.ends_with("DeadLetters"), "{name} redrives to {home}");
        assert!(number(&queue["RedrivePolicy"]["maxReceiveCount"]) >= 5, "{name}: AWS asks for five receives at least");
        let kept = number(&queue["MessageRetentionPeriod"]);
        assert!(kept < 1_209_600, "{name}: age counts on in the dead-letter queue, which must keep for longer");
    }
}

#[test]
fn a_message_stays_hidden_for_six_times_its_functions_timeout() {
    let template = Template::read();
    let mut seen = 0;
    for (name, function, kind, mapping) in mappings(&template) {
        if kind != "SQS" {
            continue;
        }
        seen += 1;
        let queue = template.properties(target(&mapping["Queue"]));
        let (visibility, timeout) = (number(&queue["VisibilityTimeout"]), number(&function["Timeout"]));
        assert!(visibility >= 6 * timeout, "{name}: {visibility} s is less than 6 × {timeout} s");
        assert!(!mapping["ScalingConfig"]["MaximumConcurrency"].is_null(), "{name} has no limit of its poller");
    }
    assert_eq!(seen, 2, "the step and the batch queue feed a function");
}

#[test]
fn a_batch_fails_in_part_and_never_silently() {
    let template = Template::read();
    let mut streams = 0;
    for (name, _, kind, mapping) in mappings(&template) {
        assert_eq!(list(&mapping["FunctionResponseTypes"]), ["ReportBatchItemFailures"], "{name}");
        if kind != "DynamoDB" {
            continue;
        }
        streams += 1;
        assert_eq!(mapping["StartingPosition"], "TRIM_HORIZON", "{name} misses no record");
        assert_eq!(mapping["BisectBatchOnFunctionError"], true, "{name} isolates a poisonous record");
        assert!(mapping["MaximumRetryAttempts"].is_u64(), "{name} does not block its stream for ever");
        assert_eq!(target(&mapping["DestinationConfig"]["OnFailure"]["Destination"]), "StreamDeadLetters", "{name}");
        assert!(number(&mapping["MaximumBatchingWindowInSeconds"]) <= 1, "{name} is quick");
    }
    assert_eq!(streams, 3, "devices → recorder, device_rollouts and events → event-publisher");
}
