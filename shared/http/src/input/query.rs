//! Query parameters. An unknown one is refused by name: a filter with a typing error would show everything.

use std::collections::BTreeMap;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tidegate_domain::device_tag;
use tidegate_domain::ids::DeviceUuid;
use tidegate_domain::image::{ImageRef, Repository};
use tidegate_engine::queries::ImageFilter;

use super::mistakes::read;
use crate::problem::Problem;

/// Page size where none is asked for, and the largest.
const LIMIT: u32 = 100;
const LARGEST_LIMIT: u32 = 1000;

/// A request's query parameters. Its type denies unknown fields; a repeated parameter is a list.
#[derive(Debug)]
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map_err(|_| Problem::bad_request("the query cannot be read"))?;
        let mut given = Map::new();
        for (name, value) in pairs {
            match given.get_mut(&name) {
                None => drop(given.insert(name, value.into())),
                Some(Value::Array(values)) => values.push(value.into()),
                Some(first) => *first = Value::Array(vec![first.take(), value.into()]),
            }
        }
        match read(Value::Object(given), Vec::new()) {
            (Some(params), mistakes) if mistakes.are_none() => Ok(Self(params)),
            (_, mistakes) => Err(Problem::parameters(mistakes.into_all().into_iter().map(|mistake| {
                let name = mistake.pointer.trim_start_matches('/').split('/').next().unwrap_or_default();
                (name.to_owned(), mistake.detail)
            }))),
        }
    }
}

/// A type that is read from a parameter's text.
macro_rules! text {
    ($(#[$doc:meta])* $name:ident($inner:ty), $read:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Deserialize)]
        #[serde(try_from = "String")]
        pub(crate) struct $name(pub(crate) $inner);

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                let read: fn(String) -> Result<$inner, String> = $read;
                read(text).map(Self)
            }
        }
    };
}

text! {
    /// How many items a page has at most.
    Limit(u32), |text| {
        let limit = text.parse().ok().filter(|limit| (1..=LARGEST_LIMIT).contains(limit));
        limit.ok_or_else(|| format!("expected a whole number from 1 to {LARGEST_LIMIT}"))
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(LIMIT)
    }
}

text! {
    /// `true` or `false`; without the parameter `false`.
    #[derive(Default, Copy)]
    Flag(bool), |text| text.parse().map_err(|_| "expected true or false".to_owned())
}

text! {
    /// Where the page begins.
    Cursor(String), Ok
}

text! {
    /// A device's uuid.
    DeviceText(DeviceUuid), |text| DeviceUuid::parse(&text).ok_or_else(|| "expected a uuid of version 4 or 7".to_owned())
}

text! {
    /// A repository, or an image with its tag.
    ImageText(ImageFilter), |text| {
        if let Ok(repository) = Repository::parse(&text) {
            return Ok(ImageFilter { repository, tag: None });
        }
        let image = ImageRef::parse(&text).map_err(|error| error.to_string())?;
        Ok(ImageFilter { repository: image.repository, tag: image.tag })
    }
}

/// One of a list's words for what is wanted.
pub(crate) fn one_of<T>(words: &[&str], found: Option<T>) -> Result<T, String> {
    found.ok_or_else(|| format!("expected one of {}", words.join(", ")))
}

text! {
    /// A tag, `key=value` or `key:value`.
    TagText((String, String)), |text| device_tag::parse(&text).map_err(|error| error.to_string())
}

/// One tag, or several that must all be there.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "expected a tag, key=value or key:value")]
pub(crate) enum TagTexts {
    /// One.
    One(TagText),
    /// Several.
    Several(Vec<TagText>),
}

impl TagTexts {
    /// By key.
    pub(crate) fn into_map(self) -> BTreeMap<String, String> {
        match self {
            Self::One(tag) => BTreeMap::from([tag.0]),
            Self::Several(tags) => tags.into_iter().map(|tag| tag.0).collect(),
        }
    }
}

pub(crate) use text as parameter;
