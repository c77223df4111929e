//! What utoipa writes of our types, put as clients want to read it.
//!
//! - A field of an answer that has nothing to say is left out, never `null`; utoipa cannot know. A field that is `null`
//!   instead says that it is required. What is asked for may be `null` as well as left out.
//! - A number of 32 bits without a sign is no `int32`: half of its values are larger.
//! - `example` of a schema is deprecated in OpenAPI 3.1, in favour of `examples`.

use std::collections::BTreeSet;
use std::mem::take;

use utoipa::openapi::schema::{
    AdditionalProperties, ArrayItems, KnownFormat, Object, Schema, SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{OpenApi, RefOr};

use super::answers::operations;

/// Tidies the whole document.
pub(crate) fn tidy(document: &mut OpenApi) {
    let asked = asked(document);
    let Some(components) = &mut document.components else { return };
    for (name, schema) in &mut components.schemas {
        let answered = !asked.contains(name);
        walk(schema, &mut |schema| {
            if let (Schema::Object(object), true) = (&mut *schema, answered) {
                absent_is_not_null(object);
            }
            whole_numbers(schema);
            examples(schema);
        });
    }
}

/// The schemas that request bodies are made of.
fn asked(document: &mut OpenApi) -> BTreeSet<String> {
    let mut open = Vec::new();
    for operation in document.paths.paths.values_mut().flat_map(operations) {
        let Some(RefOr::T(body)) = &mut operation.request_body else { continue };
        for content in body.content.values_mut() {
            if let RefOr::T(content) = content {
                open.extend(content.schema.as_mut().into_iter().flat_map(names));
            }
        }
    }
    let mut asked = BTreeSet::new();
    while let Some(name) = open.pop() {
        let schemas = document.components.as_mut().map(|components| &mut components.schemas);
        if asked.insert(name.clone())
            && let Some(schema) = schemas.and_then(|schemas| schemas.get_mut(&name))
        {
            open.extend(names(schema));
        }
    }
    asked
}

/// The schemas that a schema refers to.
fn names(schema: &mut RefOr<Schema>) -> Vec<String> {
    let mut names = Vec::new();
    references(schema, &mut |name| names.push(name.to_owned()));
    names
}

fn references(schema: &mut RefOr<Schema>, told: &mut impl FnMut(&str)) {
    match schema {
        RefOr::Ref(reference) => told(reference.ref_location.rsplit('/').next().unwrap_or_default()),
        RefOr::T(schema) => {
            for part in parts(schema) {
                references(part, told);
            }
        }
    }
}

/// Shows every schema that is written out in this one, itself included.
fn walk(schema: &mut RefOr<Schema>, visit: &mut impl FnMut(&mut Schema)) {
    if let RefOr::T(schema) = schema {
        visit(schema);
        for part in parts(schema) {
            walk(part, visit);
        }
    }
}

/// The schemas that stand in a schema.
fn parts(schema: &mut Schema) -> Vec<&mut RefOr<Schema>> {
    match schema {
        Schema::Object(object) => {
            let more = match object.additional_properties.as_deref_mut() {
                Some(AdditionalProperties::RefOr(schema)) => Some(schema),
                _ => None,
            };
            object.properties.values_mut().chain(more).collect()
        }
        Schema::Array(array) => match &mut array.items {
            ArrayItems::RefOrSchema(items) => vec![items],
            ArrayItems::False => vec![],
        },
        Schema::OneOf(one_of) => one_of.items.iter_mut().collect(),
        Schema::AllOf(all_of) => all_of.items.iter_mut().collect(),
        Schema::AnyOf(any_of) => any_of.items.iter_mut().collect(),
        _ => vec![],
    }
}

fn absent_is_not_null(object: &mut Object) {
    let required = &object.required;
    for (_, field) in object.properties.iter_mut().filter(|(name, _)| !required.contains(name)) {
        never_null(field);
    }
}

/// The schema of a parameter, which is there or not; utoipa says of a header that it may be `null`.
pub(crate) fn parameter(schema: &mut RefOr<Schema>) {
    never_null(schema);
    walk(schema, &mut whole_numbers);
}

/// Takes `null` away from what a schema takes.
fn never_null(schema: &mut RefOr<Schema>) {
    match schema {
        RefOr::T(Schema::Object(object)) => not_null(&mut object.schema_type),
        RefOr::T(Schema::Array(array)) => not_null(&mut array.schema_type),
        RefOr::T(Schema::OneOf(one_of)) => {
            one_of.items.retain(|item| !is_null(item));
            if let [only] = one_of.items.as_slice() {
                *schema = only.clone();
            }
        }
        RefOr::T(_) | RefOr::Ref(_) => {}
    }
}

fn whole_numbers(schema: &mut Schema) {
    let Schema::Object(object) = schema else { return };
    let of_32_bits = object.format == Some(SchemaFormat::KnownFormat(KnownFormat::Int32));
    if of_32_bits && object.minimum.is_some() {
        object.format = Some(SchemaFormat::KnownFormat(KnownFormat::Int64));
        object.maximum.get_or_insert(utoipa::Number::UInt(u32::MAX as usize));
    }
}

fn is_null(schema: &RefOr<Schema>) -> bool {
    matches!(schema, RefOr::T(Schema::Object(object)) if object.schema_type == SchemaType::Type(Type::Null))
}

fn not_null(kind: &mut SchemaType) {
    if let SchemaType::Array(kinds) = kind {
        kinds.retain(|kind| *kind != Type::Null);
        if let [only] = kinds.as_slice() {
            *kind = SchemaType::Type(only.clone());
        }
    }
}

fn examples(schema: &mut Schema) {
    let (example, examples) = match schema {
        Schema::Object(object) => (&mut object.example, &mut object.examples),
        Schema::Array(array) => (&mut array.example, &mut array.examples),
        Schema::OneOf(one_of) => (&mut one_of.example, &mut one_of.examples),
        Schema::AllOf(all_of) => (&mut all_of.example, &mut all_of.examples),
        Schema::AnyOf(any_of) => (&mut any_of.example, &mut any_of.examples),
        _ => return,
    };
    if examples.is_empty() {
        *examples = take(example).into_iter().collect();
    }
}
