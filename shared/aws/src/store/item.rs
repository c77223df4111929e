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

pub(super) fn key_attributes(key: &Key) -> HashMap<String, AttributeValue> {
    let (pk, sk) = key.table.key_attributes();
    let pk = (pk.to_owned(), AttributeValue::S(key.pk.clone()));
    let sk = sk.zip(key.sk.clone()).map(|(name, value)| (name.to_owned(), AttributeValue::S(value)));
    std::iter::once(pk).chain(sk).collect()
}
