//! What a call costs in DynamoDB.
//!
//! Sizes: <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>. Units:
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html>. What those pages
//! leave open (a number's halves before and after the point, indexes inside a transaction) follows the measurements
//! that `dynoxide-rs` documents; the contract tests compare the two.

use serde_json::Value;
use tidegate_engine::ports::Item;

/// Size of an item in bytes: every attribute's name and value.
pub fn item_bytes(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + value_bytes(value)).sum()
}

/// Write units of an item of this size (one whose size is 0 is a key that nothing was found at).
pub fn write_units(bytes: usize) -> f64 {
    bytes.div_ceil(1024).max(1) as f64
}

/// Read units of this many bytes read at once.
pub fn read_units(bytes: usize, consistent: bool) -> f64 {
    let units = bytes.div_ceil(4096).max(1) as f64;
    if consistent { units } else { units / 2.0 }
}

fn value_bytes(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 1,
        Value::String(text) => text.len(),
        Value::Number(number) => number_bytes(&number.to_string()),
        Value::Array(values) => 3 + values.iter().map(|value| 1 + value_bytes(value)).sum::<usize>(),
        Value::Object(entries) => {
            3 + entries.iter().map(|(name, value)| name.len() + 1 + value_bytes(value)).sum::<usize>()
        }
    }
}

/// One byte, one for each two significant digits on either side of the point, and one for a minus sign.
fn number_bytes(text: &str) -> usize {
    let (digits, sign) = text.strip_prefix('-').map_or((text, 0), |digits| (digits, 1));
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().unwrap_or(0)),
        None => (digits, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let point = whole.len() as i64 + exponent;
    let leading = all.len() - all.trim_start_matches('0').len();
    let significant = all.trim_matches('0').len();
    if significant == 0 {
        return 1;
    }
    let before = (point - leading as i64).clamp(0, significant as i64) as usize;
    before.div_ceil(2) + (significant - before).div_ceil(2) + 1 + sign
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_cost_half_a_byte_per_significant_digit() {
        let cases =
            [("0", 1), ("7", 2), ("42", 2), ("-42", 3), ("100", 2), ("1700000000", 2), ("12345", 4), ("0.2", 2)];
        for (text, bytes) in cases {
            assert_eq!(number_bytes(text), bytes, "{text}");
        }
        assert_eq!(number_bytes("10.05"), 3, "one and a zero before the point, two digits behind it");
    }

    #[test]
    fn nesting_costs_three_bytes_and_one_per_entry() {
        let item: Item = serde_json::from_str(r#"{"id":"abc","l":[1,true],"m":{"k":null}}"#).unwrap();
        assert_eq!(item_bytes(&item), (2 + 3) + (1 + 3 + 2 + 2 + 1) + (1 + 3 + 1 + 1 + 1));
    }
}
