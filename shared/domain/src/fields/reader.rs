//! Reads what an operator wrote, field by field, so that all its mistakes are told at once.

use std::collections::BTreeMap;

use serde_json::Value;

use super::FieldError;
use crate::spelling::nearest;

/// A type that a field of an operator's object may have.
pub(crate) trait Reading: Sized {
    /// Reads the value of the field `name` of the object at `base`; `expected` says in words what it takes. What can be
    /// read of it is answered beside the mistakes, so that one hides no other.
    fn reading(base: &str, name: &str, value: &Value, expected: &str) -> (Option<Self>, Vec<FieldError>);
}

/// Types that are right or wrong as a whole.
macro_rules! plain {
    ($($type:ty: $value:ident => $read:expr),+ $(,)?) => {
        $(impl Reading for $type {
            fn reading(base: &str, name: &str, $value: &Value, expected: &str) -> (Option<Self>, Vec<FieldError>) {
                let read: Option<Self> = $read;
                let wrong = read.is_none().then(|| FieldError::expected(base, name, expected, $value));
                (read, wrong.into_iter().collect())
            }
        })+
    };
}

plain! {
    String: value => value.as_str().map(str::to_owned),
    bool: value => value.as_bool(),
    u32: value => value.as_u64().and_then(|number| u32::try_from(number).ok()),
    u16: value => value.as_u64().and_then(|number| u16::try_from(number).ok()),
    Value: value => Some(value.clone()),
    Vec<String>: value => value
        .as_array()
        .and_then(|list| list.iter().map(|entry| entry.as_str().map(str::to_owned)).collect()),
}

impl Reading for BTreeMap<String, String> {
    fn reading(base: &str, name: &str, value: &Value, expected: &str) -> (Option<Self>, Vec<FieldError>) {
        let Some(object) = value.as_object() else {
            return (None, vec![FieldError::expected(base, name, expected, value)]);
        };
        let (mut map, mut errors) = (Self::new(), Vec::new());
        for (key, value) in object {
            match value.as_str() {
                Some(text) => drop(map.insert(key.clone(), text.to_owned())),
                None => errors.push(FieldError::expected(
                    &FieldError::pointer_to(base, name),
                    key,
                    "a text, in quotes where it looks like a number",
                    value,
                )),
            }
        }
        (Some(map), errors)
    }
}

/// An object as an operator writes it: every field optional, unknown ones refused by name, `null` as if left out.
///
/// Each field is written `name as "json name": Type = "what it takes"`; `told` lists the names that answers have and
/// that are accepted and dropped, so that an answer can be edited and sent back.
macro_rules! raw_object {
    (
        $(#[$doc:meta])* $struct:ident, told $told:expr,
        { $($(#[$field_doc:meta])* $field:ident as $json:literal: $type:ty = $expected:expr),+ $(,)? }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "serde_json::Value")]
        pub struct $struct {
            $($(#[$field_doc])* #[serde(rename = $json, skip_serializing_if = "Option::is_none")]
            pub $field: Option<$type>),+
        }

        impl $struct {
            /// The names of its fields, as they are written.
            pub const FIELDS: &'static [&'static str] = &[$($json),+];

            /// Reads the object at the JSON pointer `base` (empty for a whole body); all mistakes are told.
            pub fn from_json(
                base: &str,
                value: &serde_json::Value,
            ) -> Result<Self, Vec<$crate::fields::FieldError>> {
                let (raw, errors) = Self::read(base, value);
                if errors.is_empty() { Ok(raw) } else { Err(errors) }
            }

            /// Reads what can be read of the object at `base`, and tells every mistake.
            pub fn read(base: &str, value: &serde_json::Value) -> (Self, Vec<$crate::fields::FieldError>) {
                use $crate::fields::FieldError;
                let Some(object) = value.as_object() else {
                    return (Self::default(), vec![FieldError::new(base, "expected an object")]);
                };
                let told: &[&str] = $told;
                let (mut raw, mut errors) = (Self::default(), Vec::new());
                for (name, value) in object {
                    match name.as_str() {
                        $($json if value.is_null() => raw.$field = None,
                        $json => {
                            let (value, found) = $crate::fields::Reading::reading(base, $json, value, $expected);
                            raw.$field = value;
                            errors.extend(found);
                        })+
                        name if told.contains(&name) => {}
                        name => errors.push($crate::fields::unknown(base, name, Self::FIELDS)),
                    }
                }
                (raw, errors)
            }
        }

        impl TryFrom<serde_json::Value> for $struct {
            type Error = String;

            fn try_from(value: serde_json::Value) -> Result<Self, String> {
                Self::from_json("", &value).map_err(|errors| {
                    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
                })
            }
        }
    };
}
pub(crate) use raw_object;

/// The error of an unknown field, with the known one that it may have been meant to be.
pub(crate) fn unknown(base: &str, name: &str, known: &[&str]) -> FieldError {
    match nearest(name, known.iter().copied()) {
        Some(known) => FieldError::of(base, name, format_args!("unknown field; did you mean {known}?")),
        None => FieldError::of(base, name, "unknown field"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_name_is_offered() {
        let known = ["batch_delay", "batch_delay_minutes", "days"];
        for (name, expected) in [
            ("batch_dealy", "unknown field; did you mean batch_delay?"),
            ("day", "unknown field; did you mean days?"),
            ("something_else", "unknown field"),
        ] {
            assert_eq!(unknown("/health", name, &known), FieldError::of("/health", name, expected));
        }
    }
}
