//! The committed document is the one that the routes make, and one that tools can work with. Validators and generators
//! of clients try it as well: `tests/contract`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

fn text() -> String {
    tidegate_http::openapi::text(&tidegate_http::openapi())
}

fn document() -> Value {
    serde_json::from_str(&text()).unwrap()
}

/// Every operation, by method and path.
fn operations(document: &Value) -> BTreeMap<String, &Value> {
    let paths = document["paths"].as_object().unwrap().iter();
    let named = paths.flat_map(|(path, methods)| {
        methods.as_object().unwrap().iter().map(move |(method, operation)| (format!("{method} {path}"), operation))
    });
    named.collect()
}

/// Shows every value of a document with its JSON pointer.
fn walk(at: &str, value: &Value, visit: &mut impl FnMut(&str, &Value)) {
    visit(at, value);
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                walk(&format!("{at}/{name}"), field, visit);
            }
        }
        Value::Array(items) => {
            for item in items {
                walk(&format!("{at}/-"), item, visit);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_committed_document_is_up_to_date() {
    assert!(
        text() == include_str!("../../../../docs/openapi.json"),
        "docs/openapi.json differs; write it anew: cargo run -p tidegate-http --example openapi > docs/openapi.json"
    );
}

#[test]
fn every_reference_leads_somewhere_and_every_component_is_referred_to() {
    let document = document();
    let mut referred = BTreeSet::new();
    walk("", &document, &mut |_, value| {
        let mapped = value["discriminator"]["mapping"].as_object().into_iter().flat_map(|mapping| mapping.values());
        for reference in value["$ref"].as_str().into_iter().chain(mapped.filter_map(Value::as_str)) {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
            referred.insert(pointer.to_owned());
        }
    });
    for kind in ["schemas", "responses", "headers"] {
        for name in document["components"][kind].as_object().unwrap().keys() {
            assert!(referred.contains(&format!("/components/{kind}/{name}")), "nothing refers to {kind}/{name}");
        }
    }
}

#[test]
fn operations_have_names_of_their_own_a_known_tag_and_a_summary() {
    let document = document();
    let tags: Vec<&str> = document["tags"].as_array().unwrap().iter().filter_map(|tag| tag["name"].as_str()).collect();
    let mut names = BTreeSet::new();
    for (at, operation) in operations(&document) {
        let name = operation["operationId"].as_str().unwrap_or_default();
        assert!(name.starts_with(|c: char| c.is_ascii_lowercase()), "{at}: {name:?}");
        assert!(name.chars().all(|c| c.is_ascii_alphanumeric()), "{at}: {name:?}");
        assert!(names.insert(name.to_lowercase()), "{at}: {name} is there twice");
        assert!(tags.contains(&operation["tags"][0].as_str().unwrap_or_default()), "{at}: {}", operation["tags"]);
        assert!(!operation["summary"].as_str().unwrap_or_default().is_empty(), "{at}");
    }
}

#[test]
fn failures_are_problems_and_every_answer_has_a_request_id() {
    let document = document();
    for (at, operation) in operations(&document) {
        for (status, response) in operation["responses"].as_object().unwrap() {
            let response = match response["$ref"].as_str() {
                Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
                None => response,
            };
            // The gateway's own answer.
            if status == "429" {
                continue;
            }
            assert!(response["headers"]["X-Request-Id"].is_object(), "{at} {status}");
            if status.starts_with(['4', '5']) {
                let schema = &response["content"]["application/problem+json"]["schema"]["$ref"];
                assert_eq!(schema, "#/components/schemas/Problem", "{at} {status}");
            }
        }
        assert!(operation["responses"]["default"].is_null(), "{at}: a default would hide what is not told");
    }
}

#[test]
fn schemas_say_what_they_take() {
    walk("", &document(), &mut |at, value| {
        let is = |kind: &str| match &value["type"] {
            Value::String(name) => name == kind,
            Value::Array(names) => names.iter().any(|name| name == kind),
            _ => false,
        };
        assert!(!is("array") || !value["items"].is_null(), "{at}: an array without items");
        // What is answered without a list of fields would be a plain object in every client.
        let fields = ["properties", "additionalProperties"].iter().any(|field| !value[field].is_null());
        assert!(!is("object") || fields || at.contains("/paths/"), "{at}: an object without fields");
        assert!(value["example"].is_null() || at.contains("/paths/"), "{at}: `example` is deprecated in schemas");
    });
}
