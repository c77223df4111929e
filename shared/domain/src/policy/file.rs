//! policies.yaml: a version, defaults for its policies, and the policies.
//!
//! ```yaml
//! version: 1
//! defaults: { health_check_timeout_seconds: 300 }
//! policies:
//!   - name: production-app
//!     image_pattern: docker.io/iotistic/app:*
//! ```

mod tree;

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use serde_json::Value;

use self::tree::{Node, Place};
use super::{FieldError, Origin, PolicyDefaults, RawPolicy, unknown};
use crate::ids::PolicyId;

/// The one version of the file's format.
const VERSION: u64 = 1;

/// The names at the top of the file.
const TOP: &[&str] = &["version", "defaults", "policies"];

/// Fields that are each policy's own and cannot be defaults of the file.
const OWN: [&str; 3] = ["id", "name", "image_pattern"];

/// Ways to say the same thing, or parts of one thing: where a policy says one, the file's default for the other is
/// left out.
const RIVALS: [(&str, &str); 3] =
    [("batch_delay", "batch_delay_minutes"), ("batch_delay_minutes", "batch_delay"), ("timezone", "fallback_timezone")];

/// A file without mistakes.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyFile {
    /// Its policies in their order, each with the file's defaults filled in, ready to be sent as a body.
    pub policies: Vec<RawPolicy>,
}

/// A mistake in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub struct FileError {
    /// Its line, from 1.
    pub line: u64,
    /// Its column, from 1, in characters.
    pub column: u64,
    /// Its field, such as `policies[2].health_check.port`; empty where the file is no YAML.
    pub field: String,
    /// What was expected, and what was found.
    pub detail: String,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, field, detail } = self;
        write!(f, "line {line}, column {column}: ")?;
        if field.is_empty() { f.write_str(detail) } else { write!(f, "{field}: {detail}") }
    }
}

/// Reads a file and checks every policy in it, except for its registry, which only the server can judge. All mistakes
/// are told, in the file's order; only one that makes it no YAML hides those after it.
pub fn parse_file(text: &str, defaults: &PolicyDefaults) -> Result<PolicyFile, Vec<FileError>> {
    let root = Node::parse(text).map_err(|error| vec![error])?;
    let mut file = Reader {
        errors: Vec::new(),
        defaults: PolicyDefaults { allowed_registries: None, ..defaults.clone() },
        file_defaults: None,
    };
    let policies = file.read(&root);
    if file.errors.is_empty() {
        return Ok(PolicyFile { policies });
    }
    // A mistake in the defaults is found once for every policy.
    file.errors.sort();
    file.errors.dedup();
    Err(file.errors)
}

/// The mistakes so far, and what the policies are read with.
struct Reader<'a> {
    errors: Vec<FileError>,
    defaults: PolicyDefaults,
    file_defaults: Option<&'a Node>,
}

impl<'a> Reader<'a> {
    fn tell(&mut self, place: Place, field: impl Into<String>, detail: impl fmt::Display) {
        let Place { line, column } = place;
        self.errors.push(FileError { line, column, field: field.into(), detail: detail.to_string() });
    }

    fn read(&mut self, root: &'a Node) -> Vec<RawPolicy> {
        let Some(top) = root.map() else {
            self.tell(root.place, "", "expected version: 1 and a list of policies");
            return Vec::new();
        };
        for (key, _) in top.iter().filter(|(key, _)| !TOP.contains(&key.name.as_str())) {
            self.tell(key.place, &*key.name, unknown("", &key.name, TOP).detail);
        }
        match root.get("version") {
            Some(version) if version.json() == VERSION => {}
            Some(version) => self.tell(version.place, "version", format_args!("expected {VERSION}")),
            None => self.tell(root.place, "version", format_args!("expected version: {VERSION}")),
        }
        self.read_defaults(root);
        let Some(list) = root.get("policies") else {
            self.tell(root.place, "policies", "expected a list of policies");
            return Vec::new();
        };
        let Some(policies) = list.list() else {
            self.tell(list.place, "policies", "expected a list of policies");
            return Vec::new();
        };
        let mut names = BTreeMap::new();
        policies.iter().enumerate().filter_map(|(index, policy)| self.read_policy(index, policy, &mut names)).collect()
    }

    fn read_defaults(&mut self, root: &'a Node) {
        let Some(defaults) = root.get("defaults").filter(|defaults| !defaults.json().is_null()) else { return };
        let Some(fields) = defaults.map() else {
            self.tell(defaults.place, "defaults", "expected fields of a policy, such as {soak_seconds: 60}");
            return;
        };
        for (key, _) in fields.iter().filter(|(key, _)| OWN.contains(&key.name.as_str())) {
            self.tell(key.place, format!("defaults.{}", key.name), "is each policy's own and cannot be a default");
        }
        match RawPolicy::from_json("", &defaults.json()) {
            Ok(_) => self.file_defaults = Some(defaults),
            Err(found) => {
                for error in found {
                    self.tell(defaults.locate(&error.pointer), readable("defaults", &error.pointer), error.detail);
                }
            }
        }
    }

    /// One policy, with the file's defaults; `names` has the lines of those before it.
    fn read_policy(&mut self, index: usize, node: &Node, names: &mut BTreeMap<String, u64>) -> Option<RawPolicy> {
        let field = format!("policies[{index}]");
        if node.map().is_none() {
            self.tell(node.place, field, "expected a policy: name, image_pattern and what else it says");
            return None;
        }
        if let Some(Value::String(name)) = node.get("name").map(Node::json) {
            let place = node.locate("/name");
            if let Some(first) = names.get(&name) {
                let detail = format!("{name:?} is taken by the policy in line {first}; names are unique");
                self.tell(place, format!("{field}.name"), detail);
            } else {
                names.insert(name, place.line);
            }
        }
        let checked = RawPolicy::from_json("", &self.with_defaults(node)).and_then(|raw| {
            let nobody = PolicyId::trusted("");
            raw.clone().validate(&self.defaults, nobody, Timestamp::UNIX_EPOCH, Origin::File).map(|_| raw)
        });
        match checked {
            Ok(raw) => Some(raw),
            Err(found) => {
                for error in found {
                    self.tell_policy_error(&field, node, error);
                }
                None
            }
        }
    }

    /// Tells the mistake where it was made: in the policy, or in the defaults that it got.
    fn tell_policy_error(&mut self, field: &str, node: &Node, error: FieldError) {
        let name = error.pointer.split('/').nth(1).unwrap_or("");
        match self.file_defaults.filter(|defaults| node.get(name).is_none() && defaults.get(name).is_some()) {
            Some(defaults) => {
                self.tell(defaults.locate(&error.pointer), readable("defaults", &error.pointer), error.detail);
            }
            None => self.tell(node.locate(&error.pointer), readable(field, &error.pointer), error.detail),
        }
    }

    /// The policy's fields, and those of the file's defaults that it does not say itself. One that it says to be null
    /// is left out: so a policy drops a default.
    fn with_defaults(&self, node: &Node) -> Value {
        let own = node.map().unwrap_or_default();
        let defaults = self.file_defaults.and_then(Node::map).unwrap_or_default();
        let hidden = |name: &str| own.iter().any(|(key, _)| RIVALS.contains(&(key.name.as_str(), name)));
        let kept = defaults.iter().filter(|(key, _)| !hidden(&key.name));
        Value::Object(kept.chain(own).map(|(key, value)| (key.name.clone(), value.json())).collect())
    }
}

/// A JSON pointer as people write it: `policies[0].health_check.port`.
fn readable(base: &str, pointer: &str) -> String {
    let steps = pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~"));
    steps.fold(base.to_owned(), |text, step| format!("{text}.{step}"))
}

#[cfg(test)]
mod tests;
