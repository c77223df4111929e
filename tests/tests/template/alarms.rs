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
    let sweep = alarm(&template, "Invocations", "RolloutStepFunction").expect("the sweep has an alarm");
    assert_eq!(sweep["TreatMissingData"], "breaching", "no figure at all is the worst of them");
    assert_eq!(sweep["ComparisonOperator"], "LessThanThreshold");
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
