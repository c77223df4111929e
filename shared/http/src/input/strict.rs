//! JSON values as our types read them: an object where there are fields, a word where there are words. What serde would
//! take beside that (an object's fields in a list, by their order) means nothing to who writes it.

use serde::de::value::{MapDeserializer, SeqDeserializer, StrDeserializer};
use serde::de::{DeserializeOwned, Deserializer, Error as _, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Error, Value};
use serde_path_to_error::Segment;
use tidegate_domain::fields::FieldError;

/// Reads a value as a type; the error names the field.
pub(crate) fn fields<T: DeserializeOwned>(value: Value) -> Result<T, FieldError> {
    serde_path_to_error::deserialize(Strict(value)).map_err(|error| {
        let detail = error.inner().to_string();
        let mut pointer = String::new();
        for segment in error.path() {
            let name = match segment {
                Segment::Seq { index } => index.to_string(),
                Segment::Map { key } => key.clone(),
                Segment::Enum { variant } => variant.clone(),
                Segment::Unknown => continue,
            };
            pointer = FieldError::pointer_to(&pointer, &name);
        }
        // Serde tells of the object that a field is missing of, and of the object that has one too many.
        for told in ["missing field `", "unknown field `"] {
            let name = detail.strip_prefix(told).and_then(|rest| rest.split('`').next());
            if let Some(name) = name.filter(|name| !pointer.ends_with(&FieldError::pointer_to("", name))) {
                pointer = FieldError::pointer_to(&pointer, name);
            }
        }
        FieldError::new(pointer, in_words(&detail))
    })
}

/// What serde expected, in words that are not Rust's.
fn in_words(detail: &str) -> String {
    let Some((found, expected)) = detail.rsplit_once(", expected ") else { return detail.to_owned() };
    let words = match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" | "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a string" => "a text",
        "a sequence" => "a list",
        expected => expected,
    };
    format!("{found}, expected {words}")
}

/// A value that is read strictly, and all in it.
struct Strict(Value);

impl<'de> Deserializer<'de> for Strict {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Array(entries) => {
                let mut entries = SeqDeserializer::new(entries.into_iter().map(Strict));
                let read = visitor.visit_seq(&mut entries)?;
                entries.end()?;
                Ok(read)
            }
            Value::Object(fields) => {
                let mut fields = MapDeserializer::new(fields.into_iter().map(|(name, value)| (name, Strict(value))));
                let read = visitor.visit_map(&mut fields)?;
                fields.end()?;
                Ok(read)
            }
            scalar => scalar.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if !self.0.is_object() {
            return Err(Error::custom("expected an object"));
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if !self.0.is_object() {
            return Err(Error::custom("expected an object"));
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        words: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.0.as_str().filter(|word| words.contains(word)) {
            Some(word) => StrDeserializer::<Error>::new(word).deserialize_enum(name, words, visitor),
            None => Err(Error::custom(format_args!("expected one of {}", words.join(", ")))),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct identifier ignored_any
    }
}

impl IntoDeserializer<'_, Error> for Strict {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its errors are looked at")]
    struct Sample {
        name: String,
        inner: Option<Inner>,
        map: Option<BTreeMap<String, u32>>,
        list: Option<Vec<u32>>,
        word: Option<Word>,
        all: Option<Vec<Inner>>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its errors are looked at")]
    struct Inner {
        n: u32,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Word {
        One,
        Two,
    }

    #[test]
    fn errors_name_the_field() {
        let cases = [
            (json!({}), "/name"),
            (json!({"name": 1}), "/name"),
            (json!({"name": "a", "nane": 1}), "/nane"),
            (json!({"name": "a", "inner": {}}), "/inner/n"),
            (json!({"name": "a", "inner": {"n": 1, "m": 2}}), "/inner/m"),
            (json!({"name": "a", "inner": {"n": "x"}}), "/inner/n"),
            (json!({"name": "a", "map": {"a/b": "x"}}), "/map/a~1b"),
            (json!({"name": "a", "list": [1, -1]}), "/list/1"),
            (json!({"name": "a", "list": [1.5]}), "/list/0"),
            (json!({"name": "a", "all": [{"n": 1}, {"m": 1}]}), "/all/1/m"),
        ];
        for (body, pointer) in cases {
            let error = fields::<Sample>(body.clone()).unwrap_err();
            assert_eq!(error.pointer, pointer, "{body}: {error}");
        }
        assert!(fields::<Sample>(json!({"name": "a", "inner": null, "list": [1], "word": "two", "all": []})).is_ok());
    }

    #[test]
    fn what_is_expected_is_said_in_words() {
        for (body, told) in [
            (json!({"name": 1}), "expected a text"),
            (json!({"name": "a", "list": [-1]}), "expected a whole number"),
            (json!({"name": "a", "list": ["x"]}), "expected a whole number"),
            (json!({"name": "a", "list": {}}), "expected a list"),
        ] {
            let error = fields::<Sample>(body.clone()).unwrap_err();
            assert!(error.detail.ends_with(told), "{body}: {error}");
        }
    }

    #[test]
    fn an_object_is_no_list_and_a_word_is_a_text() {
        let (object, word) = ("expected an object", "expected one of one, two");
        let cases = [
            (json!([]), "", object),
            (json!(["a", null, null, null, null, null]), "", object),
            (json!("a"), "", object),
            (json!(null), "", object),
            (json!({"name": "a", "inner": [1]}), "/inner", object),
            (json!({"name": "a", "inner": 1}), "/inner", object),
            (json!({"name": "a", "all": [[1]]}), "/all/0", object),
            (json!({"name": "a", "map": [["a", 1]]}), "/map", object),
            (json!({"name": "a", "word": {"one": null}}), "/word", word),
            (json!({"name": "a", "word": "three"}), "/word", word),
            (json!({"name": "a", "word": 1}), "/word", word),
        ];
        for (body, pointer, detail) in cases {
            let error = fields::<Sample>(body.clone()).unwrap_err();
            assert_eq!((error.pointer.as_str(), error.detail.as_str()), (pointer, detail), "{body}");
        }
    }
}
