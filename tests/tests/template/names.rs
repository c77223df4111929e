//! Names that are made of the stack's: how long that may be, and what happens where it is longer.

use serde_json::Value;

use crate::document::Template;

/// The longest stack name. `tidegate up` refuses a longer one; so does the template's longest name.
const LONGEST_STACK: usize = 42;

/// Where AWS allows how many characters.
const LIMITS: [(&str, &str, usize); 8] = [
    ("AWS::Serverless::Function", "FunctionName", 64),
    ("AWS::Events::Rule", "Name", 64),
    ("AWS::Scheduler::Schedule", "Name", 64),
    ("AWS::Scheduler::ScheduleGroup", "Name", 64),
    ("AWS::SQS::Queue", "QueueName", 80),
    ("AWS::ApiGatewayV2::Api", "Name", 128),
    ("AWS::DynamoDB::Table", "TableName", 255),
    ("AWS::SNS::Topic", "TopicName", 256),
];

/// How much of the limit is left for the stack's name.
fn left(name: &Value, limit: usize) -> usize {
    if let Some(text) = name["Fn::Sub"].as_str() {
        return limit - text.replace("${AWS::StackName}", "").len();
    }
    assert_eq!(name["Ref"], "AWS::StackName");
    limit
}

#[test]
fn the_longest_name_decides_and_comes_before_anything_that_is_protected() {
    let template = Template::read();
    let mut shortest = (usize::MAX, "");
    for (kind, property, limit) in LIMITS {
        for (name, resource) in template.of_type(kind) {
            shortest = shortest.min((left(&resource[property], limit), name));
        }
    }
    assert_eq!(shortest, (LONGEST_STACK, "UnreadableDeliveriesRule"));
    let resources = template.section("Resources");
    for (name, table) in resources.iter().filter(|(_, resource)| resource["Type"] == "AWS::DynamoDB::Table") {
        assert_eq!(table["DependsOn"], "UnreadableDeliveriesRule", "{name}");
    }
}

#[test]
fn up_refuses_what_the_template_would() {
    let up = concat!(env!("CARGO_MANIFEST_DIR"), "/../cli/src/stack/up.rs");
    let up = std::fs::read_to_string(up).expect("the source of up");
    assert!(up.contains(&format!("const LONGEST_STACK_NAME: usize = {LONGEST_STACK};")));
}
