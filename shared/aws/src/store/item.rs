//! Items as DynamoDB's attribute values and back.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_dynamo::aws_sdk_dynamodb_1 as convert;
use serde_json::Value;
use tidegate_engine::ports::{Item, Key};

/// A value that DynamoDB cannot hold, or an item of its that JSON cannot.
#[derive(Debug, thiserror::Error)]
pub(super) enum ItemError {
    /// The conversion failed.
    #[error("an item cannot be converted")]
    Value(#[from] serde_dynamo::Error),
    /// The key does not fit its table.
    #[error("{0} is no complete key")]
    Key(String),
    /// The call is incomplete.
    #[error("a call cannot be built")]
    Call(#[from] aws_sdk_dynamodb::error::BuildError),
}

pub(super) fn value_to_attribute(value: &Value) -> Result<AttributeValue, ItemError> {
    Ok(convert::to_attribute_value(value)?)
}

pub(super) fn to_attributes(item: &Item) -> Result<HashMap<String, AttributeValue>, ItemError> {
    Ok(convert::to_item(item)?)
}

pub(super) fn from_attributes(attributes: HashMap<String, AttributeValue>) -> Result<Item, ItemError> {
    Ok(convert::from_item(attributes)?)
}

/// A key's attributes; it must have a sort key exactly where its table does.
pub(super) fn key_attributes(key: &Key) -> Result<HashMap<String, AttributeValue>, ItemError> {
    let (pk, sk) = key.table.key_attributes();
    let mut attributes = HashMap::from([(pk.to_owned(), AttributeValue::S(key.pk.clone()))]);
    match (sk, &key.sk) {
        (None, None) => {}
        (Some(name), Some(value)) => {
            attributes.insert(name.to_owned(), AttributeValue::S(value.clone()));
        }
        (Some(_), None) | (None, Some(_)) => return Err(ItemError::Key(key.to_string())),
    }
    Ok(attributes)
}
