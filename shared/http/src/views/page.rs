//! A page of a list.

use axum::http::Uri;
use serde::Serialize;
use tidegate_engine::queries::Listed;
use utoipa::ToSchema;

use crate::auth::SigningKey;
use crate::cursor::{self, Scope};
use crate::input::Cursor;
use crate::problem::Problem;

/// A page of a list. A filtered page may be empty and still have a next one.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Page<T> {
    /// What was found.
    items: Vec<T>,
    /// Where the next page begins: send it as `cursor`, with the same filters. `null` after the last page.
    next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A page of what was found, as it is shown.
    pub(crate) fn new<I, C: Serialize>(
        listed: Listed<I, C>,
        (key, scope): (&SigningKey, &Scope),
        show: impl FnMut(I) -> T,
    ) -> Self {
        Self {
            items: listed.items.into_iter().map(show).collect(),
            next_cursor: listed.next.map(|position| cursor::seal(key, scope, &position)),
        }
    }
}

/// The list that a request asks for, and where in it the page begins.
pub(crate) fn position<C: serde::de::DeserializeOwned>(
    key: &SigningKey,
    uri: &Uri,
    filters: &impl std::fmt::Debug,
    cursor: Option<Cursor>,
) -> Result<(Scope, Option<C>), Problem> {
    let scope = Scope::of(uri, filters);
    let position = cursor.map(|cursor| cursor::open(key, &scope, &cursor.0)).transpose()?;
    Ok((scope, position))
}
