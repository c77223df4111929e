//! What somebody must know of has an alarm, and every alarm tells somebody.

use serde_json::{Value, json};

use crate::document::{Template, target};

fn alarm<'a>(template: &'a Template, metric: &str, of: &str) -> Option<&'a Value> {
    template
        .of_type("AWS::CloudWatch::Alarm")
        .map(|(_, alarm)| alarm)
        .find(|alarm| alarm["MetricName"] == metric && target(&alarm["Dimensions"][0]["Value"]) == of)
}

#[test]
fn every_dead_letter_queue_has_an_alarm_at_the_first_message() {
    let template = Template::read();
    for (name, _) in template.of_type("AWS::SQS::Queue").filter(|(name, _)| name.ends_with("DeadLetters")) {
        let alarm = alarm(&template, "ApproximateNumberOfMessagesVisible", name);
        let alarm = alarm.unwrap_or_else(|| panic!("{name} has no alarm"));
        assert_eq!(alarm["Threshold"], 1, "{name}");
        assert_eq!(alarm["ComparisonOperator"], "GreaterThanOrEqualToThreshold", "{name}");
    }
}

#[test]
fn every_function_has_alarms_of_errors_and_throttles() {
    let template = Template::read();
    for (name, _) in template.of_type("AWS::Serverless::Function") {
        for metric in ["Errors", "Throttles"] {
            assert!(alarm(&template, metric, name).is_some(), "{name} has no alarm of {metric}");
        }
    }
}

#[test]
fn streams_that_fall_behind_and_a_sweep_that_stands_still_are_told() {
    let template = Template::read();
    for name in ["RecorderFunction", "EventPublisherFunction"] {
        assert!(alarm(&template, "IteratorAge", name).is_some(), "{name}");
    }
    let sweep = template.properties("SweepMissing");
    assert_eq!(sweep["TreatMissingData"], "breaching", "no figure at all is the worst of them");
    assert_eq!(sweep["ComparisonOperator"], "LessThanThreshold");
}

/// An alarm of what a log's lines say.
fn counted(template: &Template, alarm: &str, filter: &str) -> Value {
    let (alarm, filter) = (template.properties(alarm), template.properties(filter));
    let transformation = &filter["MetricTransformations"][0];
    assert_eq!(alarm["Namespace"], transformation["MetricNamespace"]);
    assert_eq!(alarm["MetricName"], transformation["MetricName"]);
    filter["FilterPattern"].clone()
}

#[test]
fn sweeps_are_counted_and_nudges_are_not() {
    let template = Template::read();
    assert_eq!(target(&template.properties("Sweeps")["LogGroupName"]), "RolloutStepLogs");
    assert_eq!(counted(&template, "SweepMissing", "Sweeps"), r#"{ $.message = "swept" }"#);
    let handler = concat!(env!("CARGO_MANIFEST_DIR"), "/../functions/rollout-step/src/handler.rs");
    let handler = std::fs::read_to_string(handler).expect("the function's handler");
    assert!(handler.contains(r#"target: ALWAYS_LOGGED, rollouts, "swept""#), "what the filter looks for is logged");
}

#[test]
fn requests_that_the_api_throttles_or_refuses_are_told() {
    let template = Template::read();
    assert_eq!(target(&template.properties("ApiThrottled")["LogGroupName"]), "ApiLogs");
    assert_eq!(counted(&template, "ApiThrottles", "ApiThrottled"), r#"{ $.status = "429" }"#);
    let format = template.properties("ApiStage")["AccessLogSettings"]["Format"].as_str().expect("access logs");
    assert!(format.contains(r#""status":"$context.status""#), "{format}");
    let refusals = template.properties("ApiRefusals");
    assert_eq!((&refusals["MetricName"], &refusals["Statistic"]), (&json!("4xx"), &json!("Average")), "a share");
}

#[test]
fn every_table_that_is_throttled_is_told() {
    let template = Template::read();
    for (name, _) in template.of_type("AWS::DynamoDB::Table") {
        for metric in ["ReadThrottleEvents", "WriteThrottleEvents"] {
            assert!(alarm(&template, metric, name).is_some(), "{name} has no alarm of {metric}");
        }
    }
}

#[test]
fn the_topic_takes_a_key_and_its_readers_are_told_of_the_confirmation() {
    let template = Template::read();
    let key = json!({"Fn::If": ["HasAlertsKey", {"Ref": "AlertsKeyArn"}, {"Ref": "AWS::NoValue"}]});
    assert_eq!(template.properties("AlertsTopic")["KmsMasterKeyId"], key);
    for text in [
        &template.section("Parameters")["AdminEmail"]["Description"],
        &template.section("Outputs")["AlertsGoTo"]["Description"],
    ] {
        assert!(text.as_str().is_some_and(|text| text.contains("link")), "{text}");
    }
}

#[test]
fn every_alarm_goes_to_the_admins() {
    let template = Template::read();
    for (name, alarm) in template.of_type("AWS::CloudWatch::Alarm") {
        assert_eq!(alarm["AlarmActions"], json!([{"Ref": "AlertsTopic"}]), "{name}");
    }
}

#[test]
fn the_events_that_need_somebody_go_to_the_admins_as_well() {
    let template = Template::read();
    let rule = template.properties("AlertEventsRule");
    let told = rule["EventPattern"]["detail-type"].as_array().expect("a list");
    for event in ["image.rollout_paused", "image.rollout_failed", "image.rollback_started"] {
        assert!(told.contains(&event.into()), "{event}");
    }
    assert_eq!(target(&rule["Targets"][0]["Arn"]), "AlertsTopic");
    assert_eq!(target(&rule["EventBusName"]), "EventBus");
    let unreadable = template.properties("UnreadableDeliveriesRule");
    assert_eq!(
        unreadable["EventPattern"],
        json!({"detail-type": ["image.webhook_received"], "detail": {"unreadable": [{"exists": true}]}})
    );
    assert_eq!(unreadable["Targets"], rule["Targets"]);
}
