//! Schemas of texts that have a form, and the pieces that schemas made by hand are made of.

use std::borrow::Cow;

use utoipa::openapi::schema::{
    AdditionalProperties, AnyOf, Array, KnownFormat, ObjectBuilder, OneOf, Schema, SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

/// A percentage as policies write it.
const PERCENTAGE: &str = r"^[0-9]+(\.[0-9]{1,4})?%$";

/// Most batches of one rollout.
const BATCHES_MAX: usize = 100;

/// Longest name of anything of a device's, in characters, and most tags of one.
pub(crate) const LINE_MAX: usize = 64;
pub(crate) const TAGS_MAX: usize = 16;

/// [`tidegate_domain::text::is_unseen`], as far as a pattern of 16-bit characters can say it.
macro_rules! unseen {
    () => {
        concat!(
            r"\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e",
            r"\u2060-\u206f\u3164\ue000-\uf8ff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
        )
    };
}

/// Something to see, and nothing that acts on what shows it. Without looking ahead, which not every engine can.
const LINE: &str = concat!("^[^", unseen!(), "]*[^\\s", unseen!(), "][^", unseen!(), "]*$");

/// Schemas under their names. Each is a type that stands for its schema alone.
macro_rules! forms {
    ($($(#[doc = $doc:literal])+ $name:ident, $schema:expr;)+) => {
        $(
            $(#[doc = $doc])+
            pub(crate) enum $name {}

            impl PartialSchema for $name {
                fn schema() -> RefOr<Schema> {
                    described($schema, concat!($($doc),+).trim())
                }
            }

            impl ToSchema for $name {
                fn name() -> Cow<'static, str> {
                    stringify!($name).into()
                }
            }
        )+

        /// All of them, by name.
        pub(crate) fn schemas() -> impl Iterator<Item = (String, RefOr<Schema>)> {
            [$((stringify!($name).to_owned(), <$name as PartialSchema>::schema())),+].into_iter()
        }
    };
}

forms! {
    /// A rollout's id; ids are ordered by time.
    RolloutId, text().pattern(Some("^[0-9A-HJKMNP-TV-Z]{26}$")).examples(["01JDE8Z0V4Q6W3T5X7Y9A1B2C3"]);
    /// What names the content of an image.
    Digest, text()
        .pattern(Some("^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$"))
        .examples(["sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"]);
    /// How far one batch reaches, all before it included: a percentage, or a number of devices.
    BatchStep, any_of([percentage(), whole(1, u32::MAX).into_schema()]);
    /// A count of batches (3 are 10, 50 and 100 %, another count is equal steps), or how far each one reaches; the last is `100%`.
    StagedBatches, batches();
    /// The ETag of a revision, or `*` for any.
    EntityTag, text().pattern(Some("^(\"[0-9]+\"|\\*)$")).examples(["\"3\""]);
    /// A fleet's id.
    FleetId, text().pattern(Some("^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")).examples(["production"]);
    /// A name, on one line.
    Line, line();
    /// A tag and its value: `key=value`, or `key:value`.
    TagFilter, text().pattern(Some("^[^:=]+[:=](.|\\n)+")).examples(["region:us-east"]);
    /// Tags, by name.
    Tags, tags();
    /// A registry's delivery, in its own words: Docker Hub's, GitHub's, CNCF distribution's.
    RegistryDelivery, anything().examples([delivery()]);
    /// An OpenAPI document.
    OpenApiDocument, anything();
    /// A share: a number from 0 to 1, or a percentage.
    Share, one_of([number(0.0, 1.0).into_schema(), text().pattern(Some(PERCENTAGE)).examples(["20%"]).into_schema()]);
}

fn anything() -> ObjectBuilder {
    plain(Type::Object).additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(true)))
}

fn delivery() -> serde_json::Value {
    serde_json::json!({"events": [{
        "id": "320678d8-ca14-430f-8bb6-4ca139cd83f7",
        "timestamp": "2026-11-23T10:15:00Z",
        "action": "push",
        "target": {
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "digest": "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "repository": "iotistic/app",
            "tag": "v2.0.1",
            "url": "https://registry.example.com/v2/iotistic/app/manifests/sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
        },
        "request": {"id": "6df24a34-0959-4923-81ca-14f09767db19", "host": "registry.example.com", "method": "PUT"}
    }]})
}

fn line() -> ObjectBuilder {
    text().min_length(Some(1)).max_length(Some(LINE_MAX)).pattern(Some(LINE))
}

fn tags() -> ObjectBuilder {
    let name = Schema::Object(text().min_length(Some(1)).max_length(Some(LINE_MAX)).pattern(Some("^[^:=]*$")).build());
    let value = AdditionalProperties::RefOr(Ref::from_schema_name(Line::name()).into());
    let object = plain(Type::Object).property_names(Some(name)).additional_properties(Some(value));
    object.max_properties(Some(TAGS_MAX)).examples([serde_json::json!({"region": "us-east"})])
}

fn batches() -> RefOr<Schema> {
    let list = |items: RefOr<Schema>, examples: Vec<serde_json::Value>| {
        let mut array = Array::new(items);
        (array.min_items, array.max_items, array.examples) = (Some(1), Some(BATCHES_MAX), examples);
        RefOr::T(Schema::Array(array))
    };
    // A list of percentages is one of steps too. It has an alternative of its own, since what generators make of a list of
    // several types cannot always be read back.
    any_of([
        whole(1, BATCHES_MAX as u32).into_schema(),
        list(percentage(), vec![serde_json::json!(["10%", "50%", "100%"])]),
        list(Ref::from_schema_name(BatchStep::name()).into(), vec![serde_json::json!([1, "10%", "100%"])]),
    ])
}

fn percentage() -> RefOr<Schema> {
    text().pattern(Some(PERCENTAGE)).examples(["10%"]).into_schema()
}

/// Whatever becomes a schema.
pub(crate) trait IntoSchema {
    /// The schema.
    fn into_schema(self) -> RefOr<Schema>;
}

impl IntoSchema for ObjectBuilder {
    fn into_schema(self) -> RefOr<Schema> {
        Schema::Object(self.build()).into()
    }
}

impl IntoSchema for RefOr<Schema> {
    fn into_schema(self) -> RefOr<Schema> {
        self
    }
}

/// A value of this type.
pub(crate) fn plain(kind: Type) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::Type(kind))
}

/// A text.
pub(crate) fn text() -> ObjectBuilder {
    plain(Type::String)
}

/// A time in RFC 3339.
pub(crate) fn time() -> ObjectBuilder {
    text().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
}

/// A whole number in these bounds.
pub(crate) fn whole(least: u32, most: u32) -> ObjectBuilder {
    plain(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(least))
        .maximum(Some(most))
}

fn number(least: f64, most: f64) -> ObjectBuilder {
    plain(Type::Number).minimum(Some(least)).maximum(Some(most))
}

/// Exactly one of these.
pub(crate) fn one_of<const N: usize>(schemas: [RefOr<Schema>; N]) -> RefOr<Schema> {
    let mut one_of = OneOf::new();
    one_of.items = schemas.into();
    Schema::OneOf(one_of).into()
}

fn any_of<const N: usize>(schemas: [RefOr<Schema>; N]) -> RefOr<Schema> {
    let mut any_of = AnyOf::new();
    any_of.items = schemas.into();
    Schema::AnyOf(any_of).into()
}

/// The schema with a description.
pub(crate) fn described(schema: impl IntoSchema, description: &str) -> RefOr<Schema> {
    let mut schema = schema.into_schema();
    let text = Some(description.to_owned());
    match &mut schema {
        RefOr::Ref(reference) => description.clone_into(&mut reference.description),
        RefOr::T(Schema::Object(object)) => object.description = text,
        RefOr::T(Schema::Array(array)) => array.description = text,
        RefOr::T(Schema::OneOf(one_of)) => one_of.description = text,
        RefOr::T(Schema::AllOf(all_of)) => all_of.description = text,
        RefOr::T(Schema::AnyOf(any_of)) => any_of.description = text,
        RefOr::T(_) => {}
    }
    schema
}

/// The schema, or `null`.
pub(crate) fn or_null(schema: RefOr<Schema>) -> RefOr<Schema> {
    match schema {
        RefOr::T(Schema::Object(mut object)) => {
            nullable(&mut object.schema_type);
            Schema::Object(object).into()
        }
        RefOr::T(Schema::Array(mut array)) => {
            nullable(&mut array.schema_type);
            Schema::Array(array).into()
        }
        other => one_of([other, plain(Type::Null).into_schema()]),
    }
}

fn nullable(kind: &mut SchemaType) {
    if let SchemaType::Type(known) = kind {
        *kind = SchemaType::from_iter([known.clone(), Type::Null]);
    }
}
