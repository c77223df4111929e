//! `GetItem` as DynamoDB's JSON
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_GetItem.html>).

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Number, Value, json};
use tidegate_engine::ports::{Freshness, Item, Key};

/// What was found under a key.
#[derive(Debug)]
pub(in crate::store) struct Found {
    pub(in crate::store) item: Option<Item>,
    pub(in crate::store) units: f64,
}

/// The body of the request. None where the key does not fit its table.
pub(super) fn question(table: &str, key: &Key, freshness: Freshness) -> Option<String> {
    let (pk, sk) = key.table.key_attributes();
    let mut attributes = Map::new();
    attributes.insert(pk.to_owned(), json!({ "S": key.pk }));
    match (sk, &key.sk) {
        (None, None) => {}
        (Some(name), Some(value)) => {
            attributes.insert(name.to_owned(), json!({ "S": value }));
        }
        (Some(_), None) | (None, Some(_)) => return None,
    }
    let question = json!({
        "TableName": table, "Key": attributes, "ConsistentRead": freshness == Freshness::Consistent,
        "ReturnConsumedCapacity": "TOTAL",
    });
    Some(question.to_string())
}

/// The item of an answer. None where it holds what we do not write.
pub(super) fn read(body: &[u8]) -> Option<Found> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        item: Option<Attributes>,
        consumed_capacity: Option<Capacity>,
    }
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Capacity {
        capacity_units: Option<f64>,
    }
    let Answer { item, consumed_capacity } = serde_json::from_slice(body).ok()?;
    let units = consumed_capacity.and_then(|capacity| capacity.capacity_units).unwrap_or_default();
    Some(Found { item: item.map(|Attributes(item)| item), units })
}

/// An item, or a map within it.
struct Attributes(Item);

impl<'de> Deserialize<'de> for Attributes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Attributes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("attributes")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Attributes, A::Error> {
                let mut item = Item::new();
                while let Some((name, Attribute(value))) = pairs.next_entry::<String, _>()? {
                    item.insert(name, value);
                }
                Ok(Attributes(item))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

/// A value with its type: `{"S": "text"}`.
struct Attribute(Value);

impl<'de> Deserialize<'de> for Attribute {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Typed;
        impl<'de> Visitor<'de> for Typed {
            type Value = Attribute;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an attribute of a type that we write")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut pair: A) -> Result<Attribute, A::Error> {
                let value = match pair.next_key::<&str>()? {
                    Some("S") => Value::String(pair.next_value()?),
                    Some("N") => Value::Number(pair.next_value::<&str>()?.parse::<Number>().map_err(A::Error::custom)?),
                    Some("BOOL") => Value::Bool(pair.next_value()?),
                    Some("NULL") => {
                        pair.next_value::<IgnoredAny>()?;
                        Value::Null
                    }
                    Some("M") => Value::Object(pair.next_value::<Attributes>()?.0),
                    Some("L") => {
                        let list: Vec<Attribute> = pair.next_value()?;
                        Value::Array(list.into_iter().map(|Attribute(value)| value).collect())
                    }
                    Some(_) | None => return Err(A::Error::custom("a type that we do not write")),
                };
                match pair.next_key::<IgnoredAny>()? {
                    None => Ok(Attribute(value)),
                    Some(_) => Err(A::Error::custom("two types")),
                }
            }
        }
        deserializer.deserialize_map(Typed)
    }
}

#[cfg(test)]
mod tests {
    use tidegate_engine::ports::Table;

    use super::*;

    #[test]
    fn a_question_names_the_whole_key() {
        let question = question("t-devices", &Key::simple(Table::Devices, "d\"1"), Freshness::Consistent);
        let question: Value = serde_json::from_str(&question.expect("a key")).expect("JSON");
        assert_eq!(
            question,
            json!({"TableName": "t-devices", "Key": {"device_uuid": {"S": "d\"1"}}, "ConsistentRead": true,
                   "ReturnConsumedCapacity": "TOTAL"})
        );
    }

    #[test]
    fn every_type_that_we_write_is_read() {
        let body = json!({
            "ConsumedCapacity": {"CapacityUnits": 1.5, "TableName": "t"},
            "Item": {
                "s": {"S": "e\u{e9}\n\u{1f600}"}, "n": {"N": "-7"}, "large": {"N": "18446744073709551615"},
                "f": {"N": "0.25"}, "b": {"BOOL": true}, "z": {"NULL": true}, "m": {"M": {"in": {"L": [{"N": "1"}, {"M": {}}]}}},
                "l": {"L": []},
            },
        });
        let found = read(body.to_string().as_bytes()).expect("read");
        let item = json!({
            "s": "e\u{e9}\n\u{1f600}", "n": -7, "large": u64::MAX, "f": 0.25, "b": true, "z": null,
            "m": {"in": [1, {}]}, "l": [],
        });
        assert_eq!((found.item.map(Value::Object), found.units.to_bits()), (Some(item), 1.5_f64.to_bits()));
    }

    #[test]
    fn no_item_is_no_item() {
        let found = read(br#"{"ConsumedCapacity":{"CapacityUnits":0.5,"TableName":"t"}}"#).expect("read");
        assert!(found.item.is_none());
    }

    #[test]
    fn what_we_do_not_write_is_left_to_the_sdk() {
        for body in [
            "",
            "[]",
            r#"{"Item":{"a":"text"}}"#,
            r#"{"Item":{"a":{}}}"#,
            r#"{"Item":{"a":{"B":"AA=="}}}"#,
            r#"{"Item":{"a":{"SS":["x"]}}}"#,
            r#"{"Item":{"a":{"S":"x","N":"1"}}}"#,
            r#"{"Item":{"a":{"N":"many"}}}"#,
            r#"{"Item":{"a":{"S":"x"}}"#,
        ] {
            assert!(read(body.as_bytes()).is_none(), "{body}");
        }
    }
}
