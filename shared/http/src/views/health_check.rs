//! A health check, described: one schema for each kind, told apart by `type`. The domain reads and shows it.

use std::borrow::Cow;

use utoipa::openapi::schema::{AdditionalProperties, Array, Discriminator, ObjectBuilder, OneOf, Schema, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use crate::schemas::forms::{IntoSchema, described, or_null, plain, text, whole};
use crate::schemas::words::CheckPlace;

/// A health check as it is answered: every value is there.
pub(crate) enum HealthCheckSchema {}

/// A health check as an operator writes it.
pub(crate) enum HealthCheckBody {}

/// A kind of check: its `type`, its schema's name, what it looks at.
const KINDS: [(&str, &str, &str); 5] = [
    ("http", "HttpCheck", "A GET answers with the expected status."),
    ("tcp", "TcpCheck", "A TCP connection opens."),
    ("container_running", "ContainerRunningCheck", "The container runs."),
    ("image", "ImageCheck", "The image's own HEALTHCHECK says healthy."),
    ("custom", "CustomCheck", "A command exits with 0."),
];

/// What a field is: its name, its schema, whether a writer must give it, whether it is always answered, its description.
type Field = (&'static str, RefOr<Schema>, bool, bool, &'static str);

fn fields(kind: &str) -> Vec<Field> {
    let url = text().max_length(Some(2048)).pattern(Some("^https?://[^/?#\\s][^\\s]*$"));
    let mut command = Array::new(text());
    command.min_items = Some(1);
    let mut fields = match kind {
        "http" => vec![
            (
                "endpoint",
                url.examples(["http://localhost:8080/health"]).into_schema(),
                true,
                true,
                "The URL, as seen from the device.",
            ),
            ("expected_status", whole(100, 599).into_schema(), false, true, "The status that counts as healthy; 200."),
        ],
        "tcp" => vec![
            (
                "host",
                text().pattern(Some("^[^\\s/]+$")).into_schema(),
                false,
                false,
                "The host; without it, the container's own.",
            ),
            ("port", whole(1, 65_535).into_schema(), true, true, "The port."),
        ],
        "custom" => vec![
            ("command", Schema::Array(command).into(), true, true, "Program and arguments; no shell."),
            ("where", Ref::from_schema_name(CheckPlace::name()).into(), false, true, "Where it runs; `container`."),
        ],
        _ => vec![],
    };
    fields.extend([
        ("timeout_seconds", whole(1, 3600).into_schema(), false, true, "How long one try may take; 30."),
        (
            "retry_count",
            whole(0, 100).into_schema(),
            false,
            true,
            "How many further tries there are; the stack's default.",
        ),
        ("interval_seconds", whole(0, 3600).into_schema(), false, true, "Time between two tries; the stack's default."),
    ]);
    fields
}

fn check(kind: &str, text_of: &str, written: bool) -> RefOr<Schema> {
    let of_type = described(text().enum_values(Some([kind])), "Which kind of check.");
    let mut object = plain(Type::Object).description(Some(text_of)).property("type", of_type).required("type");
    for (name, schema, needed, always, text) in fields(kind) {
        let required = if written { needed } else { always };
        let schema = if written && !required { or_null(described(schema, text)) } else { described(schema, text) };
        object = object.property(name, schema);
        object = if required { object.required(name) } else { object };
    }
    if written {
        object = object.additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)));
    }
    ObjectBuilder::into_schema(object)
}

fn any_kind(ending: &str, text: &str) -> RefOr<Schema> {
    let name = |name: &str| format!("{name}{ending}");
    let mut one_of = OneOf::new();
    one_of.items = KINDS.iter().map(|(_, schema, _)| Ref::from_schema_name(name(schema)).into()).collect();
    one_of.description = Some(text.to_owned());
    let mapping = KINDS.iter().map(|(kind, schema, _)| (*kind, format!("#/components/schemas/{}", name(schema))));
    one_of.discriminator = Some(Discriminator::with_mapping("type", mapping));
    Schema::OneOf(one_of).into()
}

fn kinds(ending: &str, written: bool) -> impl Iterator<Item = (String, RefOr<Schema>)> {
    KINDS.into_iter().map(move |(kind, name, text)| (format!("{name}{ending}"), check(kind, text, written)))
}

impl PartialSchema for HealthCheckSchema {
    fn schema() -> RefOr<Schema> {
        any_kind("", "A health check.")
    }
}

impl ToSchema for HealthCheckSchema {
    fn name() -> Cow<'static, str> {
        "HealthCheck".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.extend(kinds("", false));
    }
}

impl PartialSchema for HealthCheckBody {
    fn schema() -> RefOr<Schema> {
        any_kind("Body", "A health check, as an operator writes it. What it leaves out is filled in.")
    }
}

impl ToSchema for HealthCheckBody {
    fn name() -> Cow<'static, str> {
        "HealthCheckBody".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.extend(kinds("Body", true));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};
    use tidegate_domain::health::{HealthDefaults, RawHealthCheck};

    use super::*;

    #[test]
    fn every_kind_and_every_field_is_described() {
        let mut described = BTreeSet::from(["type"]);
        for (kind, _, _) in KINDS {
            let given = fields(kind);
            described.extend(given.iter().map(|field| field.0));
            let mut body = json!({"type": kind});
            for (name, value) in [("endpoint", json!("http://a/b")), ("port", json!(1)), ("command", json!(["/x"]))] {
                if given.iter().any(|field| field.0 == name) {
                    body[name] = value;
                }
            }
            let raw = RawHealthCheck::from_json("", &body).unwrap();
            let shown = serde_json::to_value(raw.validate("", HealthDefaults::default()).unwrap()).unwrap();
            let always: BTreeSet<&str> =
                given.iter().filter(|field| field.3).map(|field| field.0).chain(["type"]).collect();
            let told: BTreeSet<&str> =
                shown.as_object().into_iter().flatten().map(|(name, _): (&String, &Value)| name.as_str()).collect();
            assert_eq!(told, always, "{kind}");
        }
        assert_eq!(described, RawHealthCheck::FIELDS.iter().copied().collect());
    }
}
