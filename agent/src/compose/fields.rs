//! The fields of a map in a Compose file, taken one by one; what is left at the end is refused by name.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::mistakes::Mistakes;
use super::unsupported;

/// The fields that are not taken yet.
pub(super) struct Fields<'a> {
    path: String,
    map: Map<String, Value>,
    pub(super) mistakes: &'a Mistakes,
}

impl<'a> Fields<'a> {
    /// The fields of a value, which has to be a map.
    pub(super) fn of(path: &str, value: Value, mistakes: &'a Mistakes) -> Self {
        let map = match value {
            Value::Object(map) => map,
            Value::Null => Map::new(),
            _ => {
                mistakes.note(path, "expected a map");
                Map::new()
            }
        };
        Self { path: path.to_owned(), map, mistakes }
    }

    /// The path of a field.
    pub(super) fn path(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Notes a mistake in a field.
    pub(super) fn note(&self, name: &str, what: impl std::fmt::Display) {
        self.mistakes.note(&self.path(name), what);
    }

    /// A field's value; `null` is none.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.map.remove(name).filter(|value| !value.is_null())
    }

    /// The fields of a field that is a map.
    pub(super) fn inner(&mut self, name: &str) -> Option<Self> {
        let value = self.take(name)?;
        Some(Self::of(&self.path(name), value, self.mistakes))
    }

    /// The names and values of a field that is a map of something by name.
    pub(super) fn named(&mut self, name: &str) -> Vec<(String, Value)> {
        match self.take(name) {
            None => Vec::new(),
            Some(Value::Object(map)) => map.into_iter().filter(|(key, _)| !key.starts_with("x-")).collect(),
            Some(_) => {
                self.note(name, "expected a map");
                Vec::new()
            }
        }
    }

    /// A text; numbers and truths are texts too.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        let text = scalar(&self.take(name)?);
        if text.is_none() {
            self.note(name, "expected a text");
        }
        text
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, name: &str) -> Option<Vec<String>> {
        let texts = match self.take(name)? {
            Value::Array(items) => items.iter().map(scalar).collect(),
            _ => None,
        };
        if texts.is_none() {
            self.note(name, "expected a list of texts");
        }
        texts
    }

    /// A text, or a list of texts.
    pub(super) fn text_or_texts(&mut self, name: &str) -> Option<Vec<String>> {
        let texts = match self.take(name)? {
            Value::Array(items) => items.iter().map(scalar).collect(),
            value => scalar(&value).map(|text| vec![text]),
        };
        if texts.is_none() {
            self.note(name, "expected a text or a list of texts");
        }
        texts
    }

    /// A list of anything.
    pub(super) fn list(&mut self, name: &str) -> Vec<Value> {
        match self.take(name) {
            None => Vec::new(),
            Some(Value::Array(items)) => items,
            Some(_) => {
                self.note(name, "expected a list");
                Vec::new()
            }
        }
    }

    /// A truth.
    pub(super) fn flag(&mut self, name: &str) -> Option<bool> {
        self.typed(name, "true or false")
    }

    /// A whole number.
    pub(super) fn number(&mut self, name: &str) -> Option<i64> {
        self.typed(name, "a whole number")
    }

    /// A value read by a function that says what it expected.
    pub(super) fn parsed<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let text = self.text(name)?;
        parse(&text).map_err(|expected| self.note(name, expected)).ok()
    }

    /// A value of a type of the Compose specification.
    pub(super) fn typed<T: DeserializeOwned>(&mut self, name: &str, expected: &str) -> Option<T> {
        let value = self.take(name)?;
        read(&self.path(name), value, expected, self.mistakes)
    }

    /// Refuses what was not taken. Extensions (`x-…`) are for others.
    pub(super) fn end(self) {
        for name in self.map.keys().filter(|name| !name.starts_with("x-")) {
            self.note(name, format_args!("not supported; {}", unsupported::way_out(name)));
        }
    }
}

/// Reads a value of a type of the Compose specification. A variable's value is always a text, so that numbers and truths
/// are also taken as texts, and texts where numbers are meant.
pub(super) fn read<T: DeserializeOwned>(path: &str, value: Value, expected: &str, mistakes: &Mistakes) -> Option<T> {
    let error = match serde_json::from_value(value.clone()) {
        Ok(read) => return Some(read),
        Err(error) => error,
    };
    for other in [recast(&value, as_text), recast(&value, as_plain)] {
        if let Ok(read) = serde_json::from_value(other) {
            return Some(read);
        }
    }
    let said = error.to_string();
    // The field that is not known says more than the shape that is.
    let detail =
        if said.contains("unknown field") { format!("not supported; {said}") } else { format!("expected {expected}") };
    mistakes.note(path, detail);
    None
}

/// A scalar as text.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn recast(value: &Value, scalars: fn(&Value) -> Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.iter().map(|item| recast(item, scalars)).collect()),
        Value::Object(map) => {
            Value::Object(map.iter().map(|(key, value)| (key.clone(), recast(value, scalars))).collect())
        }
        Value::Null => Value::Null,
        scalar @ (Value::Bool(_) | Value::Number(_) | Value::String(_)) => scalars(scalar),
    }
}

fn as_text(value: &Value) -> Value {
    scalar(value).map_or(Value::Null, Value::String)
}

fn as_plain(value: &Value) -> Value {
    let Value::String(text) = value else { return value.clone() };
    match (text.parse::<bool>(), text.parse::<i64>()) {
        (Ok(truth), _) => truth.into(),
        (_, Ok(number)) => number.into(),
        _ => value.clone(),
    }
}
