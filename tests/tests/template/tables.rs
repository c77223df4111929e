//! The tables are those that the engine names, key for key.

use serde_json::{Value, json};
use tidegate_engine::ports::{Index, Table};

use crate::document::{Template, list, suffix};

fn table(template: &Template, table: Table) -> Value {
    let found = template.of_type("AWS::DynamoDB::Table").find(|(_, t)| suffix(&t["TableName"]) == table.name());
    found.unwrap_or_else(|| panic!("there is no table {}", table.name())).1.clone()
}

fn keys(partition: &str, sort: Option<&str>) -> Value {
    let mut keys = vec![json!({"AttributeName": partition, "KeyType": "HASH"})];
    keys.extend(sort.map(|sort| json!({"AttributeName": sort, "KeyType": "RANGE"})));
    keys.into()
}

#[test]
fn there_is_one_table_for_each_of_the_engine() {
    let template = Template::read();
    let mut names: Vec<&str> =
        template.of_type("AWS::DynamoDB::Table").map(|(_, table)| suffix(&table["TableName"])).collect();
    let mut wanted = Table::ALL.map(Table::name);
    names.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(names, wanted);
}

#[test]
fn keys_streams_and_billing_are_the_engines() {
    let template = Template::read();
    for name in Table::ALL {
        let table = table(&template, name);
        let (partition, sort) = name.key_attributes();
        assert_eq!(table["KeySchema"], keys(partition, sort), "{name:?}");
        assert_eq!(table["BillingMode"], "PAY_PER_REQUEST", "{name:?}");
        let stream = table["StreamSpecification"]["StreamViewType"].as_str();
        let wanted = match name {
            Table::Devices | Table::DeviceRollouts => Some("NEW_AND_OLD_IMAGES"),
            Table::Events => Some("NEW_IMAGE"),
            Table::DeviceImages
            | Table::Policies
            | Table::Images
            | Table::Rollouts
            | Table::RolloutJournal
            | Table::Deliveries => None,
        };
        assert_eq!(stream, wanted, "{name:?}");
        assert_eq!(stream.is_some(), name.streamed(), "{name:?}");
    }
}

#[test]
fn indexes_are_the_engines_and_carry_keys_only() {
    let template = Template::read();
    for name in Table::ALL {
        let indexes: Vec<Index> = Index::ALL.into_iter().filter(|index| index.table() == name).collect();
        let table = table(&template, name);
        let declared = list(&table["GlobalSecondaryIndexes"]);
        assert_eq!(declared.len(), indexes.len(), "{name:?}");
        for index in indexes {
            let found = declared.iter().find(|declared| declared["IndexName"] == index.name()).expect("it is declared");
            let (partition, sort) = index.key_attributes();
            assert_eq!(found["KeySchema"], keys(partition, Some(sort)), "{index:?}");
            assert_eq!(found["Projection"]["ProjectionType"], "KEYS_ONLY", "{index:?}");
        }
    }
}

#[test]
fn what_expires_expires_by_the_same_attribute() {
    let template = Template::read();
    for name in Table::ALL {
        let expires = match name {
            // Beside answers and tags, details of rollouts say when they end.
            Table::Deliveries
            | Table::Images
            | Table::Rollouts
            | Table::RolloutJournal
            | Table::DeviceRollouts
            | Table::Events => true,
            Table::Devices | Table::DeviceImages | Table::Policies => false,
        };
        let wanted = if expires { json!({"AttributeName": "expires_at", "Enabled": true}) } else { Value::Null };
        assert_eq!(table(&template, name)["TimeToLiveSpecification"], wanted, "{name:?}");
    }
}

#[test]
fn every_table_can_be_protected() {
    let template = Template::read();
    for name in Table::ALL {
        let table = table(&template, name);
        let protected = json!({"Fn::If": ["Protected", true, false]});
        assert_eq!(table["DeletionProtectionEnabled"], protected, "{name:?}");
        assert_eq!(table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], protected, "{name:?}");
    }
}
