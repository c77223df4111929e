//! A page of a list.

use std::borrow::Cow;

use axum::http::Uri;
use serde::Serialize;
use tidegate_engine::queries::Listed;
use utoipa::openapi::schema::{Array, Schema, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use crate::auth::SigningKey;
use crate::cursor::{self, Scope};
use crate::input::Cursor;
use crate::problem::Problem;
use crate::schemas::forms::{IntoSchema, described, or_null, plain, text};

/// A page of a list.
#[derive(Debug, Serialize)]
pub(crate) struct Page<T> {
    /// What was found.
    items: Vec<T>,
    /// Where the next page begins: send it as `cursor`, with the same filters. `null` after the last page.
    next_cursor: Option<String>,
}

/// A page of rollouts.
pub(crate) type RolloutPage = Page<super::RolloutView>;
/// A page of a rollout's devices.
pub(crate) type DeviceRolloutPage = Page<super::RowView>;
/// A page of events.
pub(crate) type EventPage = Page<super::EventAnswer>;
/// A page of devices.
pub(crate) type DevicePage = Page<super::DeviceView>;
/// A page of policies.
pub(crate) type PolicyPage = Page<super::PolicyAnswer>;

impl<T: ToSchema> PartialSchema for Page<T> {
    fn schema() -> RefOr<Schema> {
        let items = Array::new(Ref::from_schema_name(T::name()));
        let cursor =
            "Where the next page begins: send it as `cursor`, with the same filters. `null` after the last page.";
        plain(Type::Object)
            .description(Some("A page of a list. A filtered page may be empty and still have a next one."))
            .property("items", described(RefOr::T(Schema::Array(items)), "What was found."))
            .required("items")
            .property("next_cursor", described(or_null(text().into_schema()), cursor))
            .required("next_cursor")
            .into_schema()
    }
}

impl<T: ToSchema> ToSchema for Page<T> {
    fn name() -> Cow<'static, str> {
        format!("{}Page", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(schemas);
    }
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
