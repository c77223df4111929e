//! Whether a condition holds of an item.

use serde_json::Value;
use tidegate_engine::ports::{Condition, Item};

/// As DynamoDB judges it: a comparison with an attribute that does not exist is false.
pub(super) fn holds(condition: &Condition, item: Option<&Item>) -> bool {
    let value = |name: &str| item.and_then(|item| item.get(name));
    match condition {
        Condition::Always => true,
        Condition::Absent => item.is_none(),
        Condition::Present => item.is_some(),
        Condition::Equals(name, expected) => value(name).is_some_and(|value| same(value, expected)),
        Condition::OneOf(name, expected) => {
            value(name).is_some_and(|value| expected.iter().any(|expected| same(value, expected)))
        }
        Condition::Below(name, limit) => value(name).is_some_and(|value| below(value, *limit)),
        Condition::Missing(name) => value(name).is_none(),
        Condition::All(conditions) => conditions.iter().all(|condition| holds(condition, item)),
        Condition::Any(conditions) => conditions.iter().any(|condition| holds(condition, item)),
    }
}

/// Equal as DynamoDB has it: `1` and `1.0` are one number.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) if a.is_f64() != b.is_f64() => a.as_f64() == b.as_f64(),
        _ => a == b,
    }
}

fn below(value: &Value, limit: i64) -> bool {
    match (value.as_i64(), value.as_f64()) {
        (Some(value), _) => value < limit,
        (None, Some(value)) => value < limit as f64,
        (None, None) => false,
    }
}
