//! What each role may do: exactly what stands here. A permission is added in two places, the template and this table.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::document::{Template, list, suffix, target};

const STREAM: &str = "DescribeStream GetRecords GetShardIterator";

/// Where AWS knows no narrower resource than all of them.
const ALL_RESOURCES: [&str; 1] = ["dynamodb:ListStreams"];

/// The stack's secret, and the key that it may be encrypted with.
const SECRET: (&str, &str) = ("secret", "GetSecretValue");
const SECRETS_KEY: (&str, &str) = ("SecretsKeyArn", "Decrypt");

/// Function, then resource and actions; every function may also write to its own log. A transaction needs the
/// permissions of the writes in it.
const ALLOWED: [(&str, &[(&str, &str)]); 9] = [
    ("public", &[]),
    (
        "webhooks",
        &[
            SECRET,
            SECRETS_KEY,
            ("table policies", "Scan"),
            ("table images", "GetItem BatchGetItem PutItem UpdateItem Query"),
            ("table rollouts", "GetItem BatchGetItem PutItem UpdateItem"),
            ("table deliveries", "GetItem BatchGetItem PutItem"),
            ("table events", "PutItem"),
            ("table device_images", "Query"),
            ("StepQueue", "SendMessage"),
            ("BatchQueue", "SendMessage"),
        ],
    ),
    (
        "policies",
        &[
            SECRET,
            SECRETS_KEY,
            ("table policies", "GetItem PutItem DeleteItem Scan"),
            ("table rollouts", "GetItem"),
            ("index rollouts/live", "Query"),
            ("table events", "PutItem"),
        ],
    ),
    (
        "rollouts",
        &[
            SECRET,
            SECRETS_KEY,
            ("table policies", "GetItem Scan"),
            ("table images", "GetItem PutItem UpdateItem Query"),
            ("table rollouts", "GetItem BatchGetItem PutItem UpdateItem"),
            ("index rollouts/by_time", "Query"),
            ("table deliveries", "GetItem"),
            ("table events", "PutItem Query"),
            ("table device_images", "Query"),
            ("table devices", "GetItem"),
            ("table device_rollouts", "GetItem Query"),
            ("table rollout_journal", "Query"),
            ("StepQueue", "SendMessage"),
            ("BatchQueue", "SendMessage"),
        ],
    ),
    (
        "device-state",
        &[
            SECRET,
            SECRETS_KEY,
            ("table devices", "GetItem PutItem Scan"),
            ("table device_images", "PutItem DeleteItem"),
            ("table rollouts", "GetItem"),
            ("table images", "Query"),
            ("table policies", "Scan"),
            ("table events", "PutItem"),
        ],
    ),
    (
        "rollout-step",
        &[
            ("table rollouts", "GetItem PutItem UpdateItem ConditionCheckItem"),
            ("index rollouts/live", "Query"),
            ("table rollout_journal", "Query"),
            ("table images", "GetItem PutItem"),
            ("table events", "PutItem"),
            ("StepQueue", "SendMessage ReceiveMessage DeleteMessage GetQueueAttributes"),
            ("BatchQueue", "SendMessage"),
            ("schedules", "CreateSchedule"),
            ("ScheduleRole", "PassRole"),
        ],
    ),
    (
        "batch-worker",
        &[
            SECRET,
            SECRETS_KEY,
            ("table devices", "GetItem PutItem"),
            ("table device_images", "Query"),
            ("table device_rollouts", "GetItem PutItem Query"),
            ("table rollouts", "GetItem BatchGetItem PutItem UpdateItem"),
            ("table images", "GetItem BatchGetItem PutItem UpdateItem Query"),
            ("table deliveries", "GetItem BatchGetItem PutItem"),
            ("table rollout_journal", "PutItem Query"),
            ("table policies", "Scan"),
            ("StepQueue", "SendMessage"),
            ("table events", "PutItem Query"),
            ("BatchQueue", "SendMessage ReceiveMessage DeleteMessage GetQueueAttributes"),
        ],
    ),
    (
        "recorder",
        &[
            ("table device_rollouts", "GetItem PutItem"),
            ("table rollouts", "GetItem"),
            ("table rollout_journal", "PutItem Query"),
            ("StepQueue", "SendMessage"),
            ("stream devices", STREAM),
            ("*", "ListStreams"),
            ("StreamDeadLetters", "SendMessage"),
        ],
    ),
    (
        "event-publisher",
        &[
            ("EventBus", "PutEvents"),
            ("stream device_rollouts", STREAM),
            ("stream events", STREAM),
            ("*", "ListStreams"),
            ("StreamDeadLetters", "SendMessage"),
        ],
    ),
];

fn actions(statement: &Value) -> Vec<&str> {
    let action = &statement["Action"];
    list(action)
        .iter()
        .chain(action.is_string().then_some(action))
        .map(|action| action.as_str().expect("text"))
        .collect()
}

fn statements(role: &Value) -> impl Iterator<Item = &Value> {
    let all = list(&role["Policies"]).iter().flat_map(|policy| list(&policy["PolicyDocument"]["Statement"]));
    // A statement that a condition leaves out is looked at as well.
    all.map(|statement| statement["Fn::If"].get(1).unwrap_or(statement))
}

/// A resource as the table above names it.
fn resource(template: &Template, value: &Value) -> String {
    let table = |logical: &str| suffix(&template.properties(logical)["TableName"]).to_owned();
    if let Some(text) = value.as_str() {
        return text.to_owned();
    }
    if let Some(attribute) = value["Fn::GetAtt"].as_str() {
        return match attribute.split_once('.').expect("an attribute") {
            (name, "Arn") if name.ends_with("Table") => format!("table {}", table(name)),
            (name, "StreamArn") => format!("stream {}", table(name)),
            (name, "Arn") => name.to_owned(),
            (name, other) => panic!("{name}.{other} is no resource of a permission"),
        };
    }
    if value["Fn::If"][0] == "OwnSecret" {
        return "secret".to_owned();
    }
    if let Some(name) = value["Ref"].as_str() {
        return name.to_owned();
    }
    let text = value["Fn::Sub"].as_str().unwrap_or_else(|| panic!("{value} is no resource of a permission"));
    if let Some((name, index)) = text.split_once(".Arn}/index/") {
        return format!("index {}/{index}", table(name.trim_start_matches("${")));
    }
    assert!(text.ends_with(":schedule/${ScheduleGroup}/*"), "{text}");
    "schedules".to_owned()
}

#[test]
fn each_function_may_do_what_the_table_says_and_nothing_else() {
    let template = Template::read();
    for (name, allowed) in ALLOWED {
        let (_, function) = template.functions().find(|(found, _)| *found == name).expect("the function exists");
        let role = target(&function["Role"]);
        let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for statement in statements(template.properties(role)) {
            let actions =
                actions(statement).into_iter().map(|action| action.split_once(':').expect("a service").1.to_owned());
            found.entry(resource(&template, &statement["Resource"])).or_default().extend(actions);
        }
        let mut wanted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let logs = format!("{}Logs", role.trim_end_matches("Role"));
        for (resource, actions) in allowed.iter().copied().chain([(logs.as_str(), "CreateLogStream PutLogEvents")]) {
            wanted.entry(resource.to_owned()).or_default().extend(actions.split(' ').map(str::to_owned));
        }
        assert_eq!(found, wanted, "{name}");
    }
}

#[test]
fn no_statement_allows_more_than_it_names() {
    let template = Template::read();
    for (name, role) in template.of_type("AWS::IAM::Role") {
        assert!(role["ManagedPolicyArns"].is_null(), "{name}: managed policies allow every resource");
        assert!(statements(role).count() > 0, "{name}");
        for statement in statements(role) {
            assert_eq!(statement["Effect"], "Allow", "{name}");
            assert!(statement["NotAction"].is_null() && statement["NotResource"].is_null(), "{name}");
            let actions = actions(statement);
            assert!(actions.iter().all(|action| !action.contains('*')), "{name}: {actions:?}");
            if statement["Resource"] == "*" {
                assert!(actions.iter().all(|action| ALL_RESOURCES.contains(action)), "{name}: {actions:?} on *");
            } else {
                assert!(
                    !statement["Resource"].is_string(),
                    "{name}: a resource of the stack, not {}",
                    statement["Resource"]
                );
            }
        }
    }
}

#[test]
fn only_one_service_of_this_account_takes_on_a_role() {
    let template = Template::read();
    for (name, role) in template.of_type("AWS::IAM::Role") {
        let trust = list(&role["AssumeRolePolicyDocument"]["Statement"]);
        assert_eq!(trust.len(), 1, "{name}");
        let service = trust[0]["Principal"]["Service"].as_str().expect("a service");
        assert!(matches!(service, "lambda.amazonaws.com" | "scheduler.amazonaws.com"), "{name}: {service}");
        if service == "scheduler.amazonaws.com" {
            assert_eq!(trust[0]["Condition"]["StringEquals"]["aws:SourceAccount"]["Ref"], "AWS::AccountId", "{name}");
        }
    }
}

#[test]
fn a_role_is_passed_to_the_scheduler_only() {
    let template = Template::read();
    for (name, role) in template.of_type("AWS::IAM::Role") {
        for statement in statements(role).filter(|statement| actions(statement).contains(&"iam:PassRole")) {
            let to = &statement["Condition"]["StringEquals"]["iam:PassedToService"];
            assert_eq!(to, "scheduler.amazonaws.com", "{name}");
        }
    }
}

#[test]
fn what_others_may_send_to_us_is_bound_to_its_source() {
    let template = Template::read();
    let policies = template.of_type("AWS::SQS::QueuePolicy").chain(template.of_type("AWS::SNS::TopicPolicy"));
    for (name, policy) in policies {
        for statement in list(&policy["PolicyDocument"]["Statement"]) {
            assert!(statement["Principal"]["Service"].is_string(), "{name}");
            assert!(statement["Condition"].is_object(), "{name}: from anywhere in AWS");
        }
    }
}
