//! A field that is not as it should be.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is wrong with one field, for the one who wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{pointer}: {detail}")]
pub struct FieldError {
    /// Where: a JSON pointer (RFC 6901), such as `/health_check/port`.
    pub pointer: String,
    /// What was expected, and what was found.
    pub detail: String,
}

impl FieldError {
    /// An error of the field at `pointer`.
    pub fn new(pointer: impl Into<String>, detail: impl std::fmt::Display) -> Self {
        Self { pointer: pointer.into(), detail: detail.to_string() }
    }

    /// An error of the field `name` of the object at `base`.
    pub fn of(base: &str, name: &str, detail: impl std::fmt::Display) -> Self {
        Self::new(Self::pointer_to(base, name), detail)
    }

    /// The pointer to the field `name` of the object at `base`.
    pub fn pointer_to(base: &str, name: &str) -> String {
        format!("{base}/{}", name.replace('~', "~0").replace('/', "~1"))
    }

    /// A value that is not what its field takes.
    pub fn expected(base: &str, name: &str, expected: &str, got: &Value) -> Self {
        Self::of(base, name, format_args!("expected {expected}, got {}", shown(got)))
    }
}

/// Longest value that is repeated to its writer, in characters.
const SHOWN_MAX: usize = 80;

/// The value as it was written, cut where it is long.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
