//! Fields of a payload, read with patience: absent, `null`, `""` and `[]` mean the same, unknown fields mean nothing.

use jiff::Timestamp;
use serde_json::Value;

/// A field that an entry cannot do without has another JSON type than its sender ever writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WrongType;

/// The text of a member; `None` where nothing is given.
pub(super) fn text<'v>(object: &'v Value, key: &str) -> Result<Option<&'v str>, WrongType> {
    as_text(object.get(key))
}

/// The text at a JSON pointer; `None` where nothing is given.
pub(super) fn text_at<'v>(object: &'v Value, pointer: &str) -> Result<Option<&'v str>, WrongType> {
    as_text(object.pointer(pointer))
}

/// The text at a JSON pointer, taken for not given where it is of another type.
pub(super) fn hint_at<'v>(object: &'v Value, pointer: &str) -> Option<&'v str> {
    text_at(object, pointer).unwrap_or_default()
}

/// The elements of a list at a JSON pointer; none where it is something else.
pub(super) fn list_at<'v>(object: &'v Value, pointer: &str) -> &'v [Value] {
    object.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Whether a member says anything.
pub(super) fn is_given(value: Option<&Value>) -> bool {
    value.is_some_and(|value| match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    })
}

/// An RFC 3339 time; `None` where it is none, or lies before 1970: GitHub writes `0001-01-01T00:00:00Z` for "unknown".
pub(super) fn time(text: &str) -> Option<Timestamp> {
    text.parse().ok().filter(|time| *time > Timestamp::UNIX_EPOCH)
}

/// Seconds since 1970, as a number with or without a fraction, or as its digits.
pub(super) fn seconds(value: &Value) -> Option<Timestamp> {
    let time = match value {
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Timestamp::from_second(whole).ok(),
            None => number.as_f64().and_then(from_fractional),
        },
        Value::String(digits) => match digits.parse::<i64>() {
            Ok(whole) => Timestamp::from_second(whole).ok(),
            Err(_) => digits.parse::<f64>().ok().and_then(from_fractional),
        },
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    time.filter(|time| *time > Timestamp::UNIX_EPOCH)
}

fn from_fractional(seconds: f64) -> Option<Timestamp> {
    let microseconds = (seconds * 1e6).round();
    // Past 2^53 a float no longer holds every whole number; such a time lies beyond the year 2255 anyway.
    (microseconds.abs() < 9_007_199_254_740_992.0).then(|| Timestamp::from_microsecond(microseconds as i64).ok())?
}

fn as_text(value: Option<&Value>) -> Result<Option<&str>, WrongType> {
    match value {
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
        other if is_given(other) => Err(WrongType),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nothing_is_nothing_however_it_is_written() {
        for empty in [json!({}), json!({"a": null}), json!({"a": ""}), json!({"a": []}), json!({"a": {}}), json!(7)] {
            assert_eq!(text(&empty, "a"), Ok(None), "{empty}");
        }
        assert_eq!(text(&json!({"a": "x"}), "a"), Ok(Some("x")));
        for wrong in [json!({"a": 1.4}), json!({"a": true}), json!({"a": ["x"]}), json!({"a": {"x": 1}})] {
            assert_eq!(text(&wrong, "a"), Err(WrongType), "{wrong}");
        }
    }

    #[test]
    fn seconds_in_every_spelling() {
        let at = |text: &str| text.parse::<Timestamp>().ok();
        let cases = [
            (json!(1_795_437_566), at("2026-11-23T12:39:26Z")),
            (json!(1.417_566_161e9), at("2014-12-03T00:22:41Z")),
            (json!(1_417_566_161.25), at("2014-12-03T00:22:41.25Z")),
            (json!("1795437566"), at("2026-11-23T12:39:26Z")),
            (json!("1417566161.5"), at("2014-12-03T00:22:41.5Z")),
            (json!(0), None),
            (json!(-5), None),
            (json!(1e300), None),
            (json!(u64::MAX), None),
            (json!("NaN"), None),
            (json!("inf"), None),
            (json!("yesterday"), None),
            (json!(null), None),
            (json!({}), None),
        ];
        for (value, expected) in cases {
            assert_eq!(seconds(&value), expected, "{value}");
        }
    }

    #[test]
    fn a_time_before_1970_is_no_time() {
        assert_eq!(time("0001-01-01T00:00:00Z"), None);
        assert_eq!(time("yesterday"), None);
        assert!(time("2016-03-09T14:44:26.402973972-08:00").is_some());
    }
}
