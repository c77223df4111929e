//! Every mistake of a request at once: what cannot be read hides nothing of what can.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tidegate_domain::fields::FieldError;

use super::strict::fields;
use crate::problem::Problem;

/// Mistakes of reading that are told at most: each costs another reading, and nobody mends more at a time.
pub(crate) const MOST: usize = 100;

/// What is wrong with a request so far: first what could not be read, then what the checks of the rest say.
#[derive(Debug, Default)]
pub(crate) struct Mistakes {
    unread: Vec<FieldError>,
    checked: Vec<FieldError>,
}

impl Mistakes {
    /// A check found a mistake. In a field that could not be read it is about what stands for it, and not told.
    pub(crate) fn tell(&mut self, mistake: FieldError) {
        if !self.unread.iter().any(|told| is_within(&mistake.pointer, &told.pointer)) {
            self.checked.push(mistake);
        }
    }

    /// Checks found mistakes.
    pub(crate) fn tell_all(&mut self, mistakes: impl IntoIterator<Item = FieldError>) {
        mistakes.into_iter().for_each(|mistake| self.tell(mistake));
    }

    /// What is right, or nothing where a mistake is told.
    pub(crate) fn or_tell<T>(&mut self, result: Result<T, FieldError>) -> Option<T> {
        result.map_err(|mistake| self.tell(mistake)).ok()
    }

    /// Takes out those of reading that are inside of these fields.
    pub(crate) fn take_within(&mut self, pointers: &[&str]) -> Vec<FieldError> {
        let inside = |told: &FieldError| {
            pointers.iter().any(|of| told.pointer.strip_prefix(of).is_some_and(|rest| rest.starts_with('/')))
        };
        let (taken, left) = std::mem::take(&mut self.unread).into_iter().partition(inside);
        self.unread = left;
        taken
    }

    /// Whether this field has a mistake.
    pub(crate) fn has(&self, pointer: &str) -> bool {
        self.unread.iter().chain(&self.checked).any(|told| is_within(pointer, &told.pointer))
    }

    /// Whether there are any.
    pub(crate) const fn are_none(&self) -> bool {
        self.unread.is_empty() && self.checked.is_empty()
    }

    /// All of them, in the order in which they were found.
    pub(crate) fn into_all(self) -> Vec<FieldError> {
        self.unread.into_iter().chain(self.checked).collect()
    }

    /// Every mistake, or none.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        if self.are_none() { Ok(()) } else { Err(Problem::invalid(self.into_all())) }
    }
}

/// Whether a pointer is that of the other or of something in it.
fn is_within(pointer: &str, other: &str) -> bool {
    pointer.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Reads a value as a type, and finds every mistake that reading it meets, beside those that are `known`. What is wrong is
/// left out or stood in for, so that the rest can be checked; `None` where nothing can be made of it.
pub(crate) fn read<T: DeserializeOwned>(mut value: Value, known: Vec<FieldError>) -> (Option<T>, Mistakes) {
    let mut mistakes = Mistakes { unread: known, checked: Vec::new() };
    let mut tries: BTreeMap<String, usize> = BTreeMap::new();
    loop {
        let wrong = match fields(value.clone()) {
            Ok(read) => return (Some(read), mistakes),
            Err(wrong) => wrong,
        };
        let mut pointer = wrong.pointer.clone();
        if !mistakes.unread.iter().any(|told| is_within(&wrong.pointer, &told.pointer)) {
            mistakes.unread.push(wrong);
        }
        // What nothing can stand for is part of something for which something can.
        while !stand_in(&mut value, &pointer, tries.entry(pointer.clone()).or_default()) {
            match pointer.rsplit_once('/') {
                Some((whole, _)) if !whole.is_empty() => pointer = whole.to_owned(),
                Some(_) | None => return (None, mistakes),
            }
        }
        if mistakes.unread.len() >= MOST {
            return (None, mistakes);
        }
    }
}

/// Takes what stands at the pointer out of its object, or else puts the next thing there that may be read in its place; says
/// whether there was one left to try.
fn stand_in(value: &mut Value, pointer: &str, tried: &mut usize) -> bool {
    let (parent, name) = pointer.rsplit_once('/').unwrap_or_default();
    let name = name.replace("~1", "/").replace("~0", "~");
    let parent = value.pointer_mut(parent);
    if *tried == 0 {
        *tried = 1;
        let was_there = parent.and_then(Value::as_object_mut).is_some_and(|fields| fields.remove(&name).is_some());
        return was_there || stand_in(value, pointer, tried);
    }
    let stands = [json!(""), json!("1"), json!(0), json!(false), json!([]), Value::Object(Map::new())];
    let Some(stand) = stands.into_iter().nth(*tried - 1) else { return false };
    *tried += 1;
    match parent {
        Some(Value::Object(fields)) => {
            fields.insert(name, stand);
            true
        }
        Some(Value::Array(entries)) => match name.parse::<usize>().ok().and_then(|n| entries.get_mut(n)) {
            Some(entry) => {
                *entry = stand;
                true
            }
            None => false,
        },
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        name: String,
        inner: Option<Inner>,
        map: Option<BTreeMap<String, u32>>,
        list: Option<Vec<u32>>,
        texts: Option<Vec<String>>,
        word: Option<Word>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its errors are looked at")]
    struct Inner {
        n: u32,
        needed: Word,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Word {
        One,
    }

    fn mistakes(body: Value) -> (Option<Sample>, Vec<String>) {
        let (read, mistakes) = read::<Sample>(body, Vec::new());
        let mut pointers: Vec<String> = mistakes.into_all().into_iter().map(|error| error.pointer).collect();
        pointers.sort_unstable();
        (read, pointers)
    }

    #[test]
    fn one_mistake_hides_no_other() {
        let body = json!({
            "nane": 1, "name": 2, "inner": {"n": "x", "m": 2, "needed": "two"}, "map": {"a": 1, "b": "x", "c": "y"},
            "list": [1, -1, 2, "x"], "word": "two",
        });
        let expected = [
            "/inner/m",
            "/inner/n",
            "/inner/needed",
            "/list/1",
            "/list/3",
            "/map/b",
            "/map/c",
            "/name",
            "/nane",
            "/word",
        ];
        assert_eq!(mistakes(body).1, expected);
        assert_eq!(mistakes(json!({"name": "a", "list": [1]})).1, [""; 0]);
    }

    #[test]
    fn what_is_right_can_be_checked_beside_what_is_wrong() {
        let (read, told) =
            mistakes(json!({"x": 1, "texts": ["a", 1, "b"], "list": [7, "x"], "map": {"a": 1, "b": "x"}}));
        assert_eq!(told, ["/list/1", "/map/b", "/name", "/texts/1", "/x"]);
        let read = read.unwrap();
        assert_eq!(
            (read.texts.unwrap(), read.list.unwrap()),
            (vec!["a".to_owned(), String::new(), "b".to_owned()], vec![7, 0])
        );
        assert_eq!((read.name.as_str(), read.map.unwrap().len()), ("", 1));
        assert!(read.inner.is_none() && read.word.is_none());
        assert!(mistakes(json!([])).0.is_none());
    }

    #[test]
    fn what_is_told_of_a_field_is_told_once() {
        let (_, mut mistakes) = read::<Sample>(json!({"name": 1, "map": {"a": "x"}}), Vec::new());
        for pointer in ["/name", "/map/a", "/map/b", "/nam"] {
            mistakes.tell(FieldError::new(pointer, "checked"));
        }
        assert!(mistakes.has("/name") && !mistakes.has("/list"));
        let all: Vec<String> = mistakes.into_all().into_iter().map(|error| error.pointer).collect();
        assert_eq!(all, ["/map/a", "/name", "/map/b", "/nam"]);
    }

    #[test]
    fn a_body_of_mistakes_alone_is_given_up() {
        let body: Map<String, Value> = (0..5000).map(|n| (format!("f{n}"), json!(n))).collect();
        let (read, told) = mistakes(Value::Object(body));
        assert!(read.is_none() && told.len() == MOST);
    }
}
