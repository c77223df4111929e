//! Where each value of a policy comes from, as it is told; and reading an answer that was edited and is sent back.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Effective, PolicyView, WrittenPolicy};

/// The field of an answer that tells each effective value with its source.
const EFFECTIVE: &str = "effective";

/// What the parts of a health check's names begin with.
const CHECK: &str = "health_check.";

/// The values of a policy that stack parameters fill in.
const OF_THE_STACK: [&str; 10] = [
    "update_strategy",
    "staged_batches",
    "batch_delay",
    "health_check_timeout_seconds",
    "health_check.retry_count",
    "health_check.interval_seconds",
    "auto_rollback",
    "rollback_timeout_seconds",
    "max_failure_rate",
    "max_consecutive_failures",
];

/// Whose value it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The policy says so.
    Policy,
    /// A parameter of the stack.
    Stack,
    /// Nobody says otherwise.
    BuiltIn,
}

/// An effective value with its source.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SourcedValue {
    /// What holds.
    pub value: Value,
    /// Whose value it is.
    pub from: Source,
}

/// Every effective value of a policy with its source, by the field's name; of a health check, by `health_check.` and the
/// name of the part. Fields that are always the policy's own are left out.
pub fn sources(policy: &WrittenPolicy, effective: &Effective) -> BTreeMap<String, SourcedValue> {
    let view = serde_json::to_value(PolicyView::from(&effective.policy)).unwrap_or_default();
    let mut sources = BTreeMap::new();
    let fields = view.as_object().into_iter().flatten().filter(|(name, _)| !OWN.contains(&name.as_str()));
    for (name, value) in fields {
        match value {
            Value::Object(check) if name == "health_check" => {
                let written = policy.written.get(name).and_then(Value::as_object);
                for (part, value) in check {
                    let name = format!("{CHECK}{part}");
                    let from = source(&name, written.is_some_and(|written| written.contains_key(part)));
                    sources.insert(name, SourcedValue { value: value.clone(), from });
                }
            }
            value => {
                let from = source(name, says(&policy.written, name));
                sources.insert(name.clone(), SourcedValue { value: value.clone(), from });
            }
        }
    }
    sources
}

/// Fields that no default can fill in, and those that are told only.
const OWN: [&str; 7] = ["id", "name", "image_pattern", "created_at", "updated_at", "origin", "revision"];

fn source(name: &str, written: bool) -> Source {
    match (written, OF_THE_STACK.contains(&one_name(name))) {
        (true, _) => Source::Policy,
        (false, true) => Source::Stack,
        (false, false) => Source::BuiltIn,
    }
}

/// Ways to say one thing have one name.
fn one_name(name: &str) -> &str {
    if name == "batch_delay_minutes" { "batch_delay" } else { name }
}

fn says(written: &Map<String, Value>, name: &str) -> bool {
    written.keys().any(|key| one_name(key) == one_name(name))
}

/// The body without what an answer told as somebody else's: who reads a policy, edits it and sends it back has not
/// written what was filled in. A value that differs from what was told was written.
pub(super) fn without_told(body: &Value) -> Value {
    let Some(told) = body.get(EFFECTIVE).and_then(Value::as_object) else { return body.clone() };
    let mut body = body.clone();
    let Some(fields) = body.as_object_mut() else { return body };
    for (name, value) in
        told.iter().filter(|(_, told)| told["from"] != "policy").map(|(name, told)| (name, &told["value"]))
    {
        if !name.starts_with(CHECK) && fields.get(name) == Some(value) {
            fields.remove(name);
        }
    }
    if let Some(Value::Object(check)) = fields.get_mut("health_check") {
        let filled_in = |part: &str, value: &Value| {
            told.get(&format!("{CHECK}{part}")).is_some_and(|told| told["from"] != "policy" && told["value"] == *value)
        };
        // A check that says anything says its type.
        let says_something = check.iter().any(|(part, value)| part != "type" && !filled_in(part, value));
        check.retain(|part, value| !filled_in(part, value) || part == "type" && says_something);
        if check.is_empty() {
            fields.remove("health_check");
        }
    }
    fields.remove(EFFECTIVE);
    body
}
