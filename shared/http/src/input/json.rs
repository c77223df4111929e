//! JSON as it is written: a key that an object has twice is a mistake, and not a matter of who comes last.

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use tidegate_domain::fields::FieldError;

use super::mistakes::MOST;

/// Whole numbers below this are exact as floating point.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A text that was read, with every key that is there twice.
pub(crate) fn parse(text: &[u8]) -> Result<(Value, Vec<FieldError>), serde_json::Error> {
    let mut doubled = Vec::new();
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = Place { path: &Path::Whole, doubled: &mut doubled }.deserialize(&mut reader)?;
    reader.end()?;
    Ok((value, doubled))
}

/// The way to a value. It becomes a pointer only where there is something to tell: that of every value of a body that is
/// deep or wide would be far more text than the body.
enum Path<'a> {
    Whole,
    Entry(&'a Path<'a>, usize),
    Field(&'a Path<'a>, &'a str),
}

impl Path<'_> {
    fn pointer(&self) -> String {
        match self {
            Self::Whole => String::new(),
            Self::Entry(list, n) => format!("{}/{n}", list.pointer()),
            Self::Field(object, name) => FieldError::pointer_to(&object.pointer(), name),
        }
    }
}

/// What stands there.
struct Place<'a> {
    path: &'a Path<'a>,
    doubled: &'a mut Vec<FieldError>,
}

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Place<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    /// `3.0` is read as `3`: JSON knows one kind of number, and for JSON Schema both are the same whole one.
    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        if value.fract() == 0.0 && value.abs() < EXACT {
            return Ok(Value::from(value as i64));
        }
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("expected a finite number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        loop {
            let path = Path::Entry(self.path, list.len());
            match entries.next_element_seed(Place { path: &path, doubled: &mut *self.doubled })? {
                Some(entry) => list.push(entry),
                None => return Ok(Value::Array(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            let path = Path::Field(self.path, &name);
            if fields.contains_key(&name) && self.doubled.len() < MOST {
                let pointer = path.pointer();
                if !self.doubled.iter().any(|told| told.pointer == pointer) {
                    self.doubled.push(FieldError::new(pointer, "is there twice"));
                }
            }
            let value = entries.next_value_seed(Place { path: &path, doubled: &mut *self.doubled })?;
            fields.insert(name, value);
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_whole_number_may_be_written_with_a_point() {
        let read = |body: &str| parse(body.as_bytes()).unwrap().0;
        assert_eq!(read(r#"{"a": [3.0, 1e2, -4.0], "b": 2.5}"#), json!({"a": [3, 100, -4], "b": 2.5}));
        assert_eq!(read("1e300"), json!(1e300));
        assert_eq!(read("18446744073709551615"), json!(u64::MAX));
    }

    #[test]
    fn a_key_that_is_there_twice_is_told_by_its_place() {
        let cases = [
            (r#"{"a": 1, "b": {"a": 2}}"#, &[][..]),
            (r#"{"a": 1, "a": 1, "a": 2}"#, &["/a"]),
            (
                r#"{"a": [{"x": 1}, {"x/y": 1, "x\/y": 2}], "b": {"c": 1, "c": {"d": 1, "d": 2}}}"#,
                &["/a/1/x~1y", "/b/c", "/b/c/d"],
            ),
        ];
        for (body, expected) in cases {
            let (value, doubled) = parse(body.as_bytes()).unwrap();
            let found: Vec<&str> = doubled.iter().map(|error| error.pointer.as_str()).collect();
            assert_eq!(found, expected, "{body}");
            assert_eq!(value, serde_json::from_str::<Value>(body).unwrap(), "{body}");
        }
    }

    #[test]
    fn a_body_that_is_deep_and_wide_is_read_in_time() {
        let name = "x".repeat(1 << 20);
        let body = format!("{{\"{name}\": [{}1]}}", "1,".repeat(1 << 18));
        let begun = std::time::Instant::now();
        assert!(parse(body.as_bytes()).is_ok());
        assert!(begun.elapsed().as_secs() < 5);
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for body in ["", "{", "{} {}", "{'a': 1}", r#"{"a": 1,}"#, "nope", "1e999", &"[".repeat(500)] {
            assert!(parse(body.as_bytes()).is_err(), "{body}");
        }
    }
}
