//! YAML as a tree in which every value knows its place in the file.

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};
use serde_saphyr::{MessageFormatter, Options, Spanned, UserMessageFormatter};

use super::FileError;

/// A line and a column, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: u64,
    pub(super) column: u64,
}

impl From<serde_saphyr::Location> for Place {
    fn from(location: serde_saphyr::Location) -> Self {
        Self { line: location.line(), column: location.column() }
    }
}

/// A value and its place.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    shape: Shape,
}

/// A key of a map and its place.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) place: Place,
    pub(super) name: String,
}

#[derive(Debug)]
enum Shape {
    /// Null, a truth, a number or a text.
    Scalar(Value),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

impl Node {
    /// Reads a file; a mistake here makes it no YAML.
    pub(super) fn parse(text: &str) -> Result<Self, FileError> {
        // `no`, `0755` and `1_000` are texts to a reader who knows no YAML; where a number or a truth is expected they
        // are refused by their field instead of being taken for something else.
        let options: Options = serde_saphyr::options! {
            strict_booleans: true,
            leading_zero_numbers_as_strings: true,
            underscored_numbers_as_strings: true,
            with_snippet: false,
        };
        serde_saphyr::from_str_with_options(text, options).map_err(|error| {
            let place = error.location().map_or(Place { line: 1, column: 1 }, Place::from);
            let detail = UserMessageFormatter.format_message(error.without_snippet()).into_owned();
            FileError { line: place.line, column: place.column, field: String::new(), detail }
        })
    }

    /// The entries, where it is a map.
    pub(super) fn map(&self) -> Option<&[(Key, Self)]> {
        match &self.shape {
            Shape::Map(entries) => Some(entries),
            Shape::Scalar(_) | Shape::List(_) => None,
        }
    }

    /// The entries, where it is a list.
    pub(super) fn list(&self) -> Option<&[Self]> {
        match &self.shape {
            Shape::List(entries) => Some(entries),
            Shape::Scalar(_) | Shape::Map(_) => None,
        }
    }

    /// The value of a key, where it is a map that has it.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        self.map()?.iter().find(|(key, _)| key.name == name).map(|(_, value)| value)
    }

    /// The value without its places.
    pub(super) fn json(&self) -> Value {
        match &self.shape {
            Shape::Scalar(value) => value.clone(),
            Shape::List(entries) => Value::Array(entries.iter().map(Self::json).collect()),
            Shape::Map(entries) => {
                Value::Object(entries.iter().map(|(key, value)| (key.name.clone(), value.json())).collect())
            }
        }
    }

    /// The place of what a JSON pointer names: of its key, so that people find the line. Of what is missing it is the
    /// place of the map that it is missing in.
    pub(super) fn locate(&self, pointer: &str) -> Place {
        let (mut node, mut place) = (self, self.place);
        for step in pointer.split('/').skip(1) {
            let step = step.replace("~1", "/").replace("~0", "~");
            match &node.shape {
                Shape::Map(entries) => {
                    let Some((key, value)) = entries.iter().find(|(key, _)| key.name == step) else { return place };
                    (node, place) = (value, key.place);
                }
                Shape::List(entries) => {
                    let Some(entry) = step.parse().ok().and_then(|index: usize| entries.get(index)) else {
                        return place;
                    };
                    (node, place) = (entry, entry.place);
                }
                Shape::Scalar(_) => return place,
            }
        }
        place
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Shape>::deserialize(deserializer)?;
        Ok(Self { place: spanned.referenced.into(), shape: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<String>::deserialize(deserializer)?;
        Ok(Self { place: spanned.referenced.into(), name: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShapeVisitor)
    }
}

struct ShapeVisitor;

impl<'de> Visitor<'de> for ShapeVisitor {
    type Value = Shape;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Shape, E> {
        Ok(Shape::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Shape, E> {
        Ok(Shape::Scalar(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Shape, E> {
        Ok(Shape::Scalar(Value::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Shape, E> {
        Ok(Shape::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Shape, E> {
        Ok(Shape::Scalar(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Shape, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("expected a finite number"))?;
        Ok(Shape::Scalar(Value::Number(number)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Shape, E> {
        Ok(Shape::Scalar(Value::String(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Shape, A::Error> {
        let mut list = Vec::new();
        while let Some(entry) = entries.next_element()? {
            list.push(entry);
        }
        Ok(Shape::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Shape, A::Error> {
        let mut map: Vec<(Key, Node)> = Vec::new();
        while let Some((key, value)) = entries.next_entry::<Key, Node>()? {
            if map.iter().any(|(known, _)| known.name == key.name) {
                return Err(A::Error::custom(format_args!("{} is there twice", key.name)));
            }
            map.push((key, value));
        }
        Ok(Shape::Map(map))
    }
}
