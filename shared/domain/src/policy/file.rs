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
use super::{Origin, PolicyDefaults, RawPolicy};
use crate::fields::{FieldError, unknown};
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

/// A file that is YAML, whatever else is wrong in it.
#[derive(Debug)]
pub struct PolicyDocument {
    root: Node,
}

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

/// Reads a file and checks every policy in it, except for what only the server can judge: registries, and what follows
/// from the stack's own values. All mistakes are told, in the file's order; only one that makes it no YAML hides those
/// after it.
pub fn parse_file(text: &str, defaults: &PolicyDefaults) -> Result<PolicyFile, Vec<FileError>> {
    let document = PolicyDocument::read(text).map_err(|error| vec![error])?;
    let mistakes = document.mistakes(defaults);
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let read = |body: &Value| RawPolicy::read("", body).0;
    Ok(PolicyFile { policies: document.bodies().iter().map(read).collect() })
}

impl PolicyDocument {
    /// Reads a file; only what makes it no YAML is a mistake here.
    pub fn read(text: &str) -> Result<Self, FileError> {
        Ok(Self { root: Node::parse(text)? })
    }

    /// Every mistake that can be found without the server, in the file's order.
    pub fn mistakes(&self, defaults: &PolicyDefaults) -> Vec<FileError> {
        let defaults = PolicyDefaults { allowed_registries: None, ..defaults.clone() };
        let mut reader = Reader { errors: Vec::new(), defaults, file: self };
        reader.read(&self.root);
        // A mistake in the file's defaults is found once for every policy.
        in_order(reader.errors)
    }

    /// The policies in their order, each with the file's defaults filled in and whatever is wrong in it: as they are
    /// sent.
    pub fn bodies(&self) -> Vec<Value> {
        self.policies().iter().map(|policy| self.with_defaults(policy)).collect()
    }

    /// Where the file says what somebody else found wrong in the policy of this index.
    pub fn mistake(&self, index: usize, error: FieldError) -> FileError {
        match self.policies().get(index) {
            Some(node) => self.place(&format!("policies[{index}]"), node, error),
            None => file_error(self.root.place, "policies", error.detail),
        }
    }

    fn policies(&self) -> &[Node] {
        self.root.get("policies").and_then(Node::list).unwrap_or_default()
    }

    fn defaults(&self) -> Option<&Node> {
        self.root.get("defaults").filter(|defaults| defaults.map().is_some())
    }

    /// The mistake where it was made: in the policy, or in the defaults that it got.
    fn place(&self, field: &str, node: &Node, error: FieldError) -> FileError {
        let name = error.pointer.split('/').nth(1).unwrap_or("");
        let inherited =
            |defaults: &&Node| node.get(name).is_none() && defaults.get(name).is_some() && !OWN.contains(&name);
        match self.defaults().filter(inherited) {
            Some(defaults) => {
                file_error(defaults.locate(&error.pointer), readable("defaults", &error.pointer), error.detail)
            }
            None => file_error(node.locate(&error.pointer), readable(field, &error.pointer), error.detail),
        }
    }

    /// The policy's fields, and those of the file's defaults that it does not say itself. One that it says to be null
    /// is left out: so a policy drops a default.
    fn with_defaults(&self, node: &Node) -> Value {
        let Some(own) = node.map() else { return node.json() };
        let defaults = self.defaults().and_then(Node::map).unwrap_or_default();
        let hidden =
            |name: &str| OWN.contains(&name) || own.iter().any(|(key, _)| RIVALS.contains(&(key.name.as_str(), name)));
        let kept = defaults.iter().filter(|(key, _)| !hidden(&key.name));
        Value::Object(kept.chain(own).map(|(key, value)| (key.name.clone(), value.json())).collect())
    }
}

/// Mistakes in the file's order, each once.
pub fn in_order(mut errors: Vec<FileError>) -> Vec<FileError> {
    errors.sort();
    errors.dedup();
    errors
}

fn file_error(place: Place, field: impl Into<String>, detail: impl fmt::Display) -> FileError {
    let Place { line, column } = place;
    FileError { line, column, field: field.into(), detail: detail.to_string() }
}

/// The mistakes so far, and what the policies are read with.
struct Reader<'a> {
    errors: Vec<FileError>,
    defaults: PolicyDefaults,
    file: &'a PolicyDocument,
}

impl Reader<'_> {
    fn tell(&mut self, place: Place, field: impl Into<String>, detail: impl fmt::Display) {
        self.errors.push(file_error(place, field, detail));
    }

    fn read(&mut self, root: &Node) {
        let Some(top) = root.map() else {
            self.tell(root.place, "", "expected version: 1 and a list of policies");
            return;
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
            return;
        };
        let Some(policies) = list.list() else {
            self.tell(list.place, "policies", "expected a list of policies");
            return;
        };
        let mut names = BTreeMap::new();
        for (index, policy) in policies.iter().enumerate() {
            self.read_policy(index, policy, &mut names);
        }
    }

    fn read_defaults(&mut self, root: &Node) {
        let Some(defaults) = root.get("defaults").filter(|defaults| !defaults.json().is_null()) else { return };
        let Some(fields) = defaults.map() else {
            self.tell(defaults.place, "defaults", "expected fields of a policy, such as {soak_seconds: 60}");
            return;
        };
        for (key, _) in fields.iter().filter(|(key, _)| OWN.contains(&key.name.as_str())) {
            self.tell(key.place, format!("defaults.{}", key.name), "is each policy's own and cannot be a default");
        }
        let mut own = defaults.json();
        if let Value::Object(fields) = &mut own {
            fields.retain(|name, _| !OWN.contains(&name.as_str()));
        }
        for error in RawPolicy::read("", &own).1 {
            self.tell(defaults.locate(&error.pointer), readable("defaults", &error.pointer), error.detail);
        }
    }

    /// One policy, with the file's defaults; `names` has the lines of those before it.
    fn read_policy(&mut self, index: usize, node: &Node, names: &mut BTreeMap<String, u64>) {
        let field = format!("policies[{index}]");
        if node.map().is_none() {
            return self.tell(node.place, field, "expected a policy: name, image_pattern and what else it says");
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
        let (nobody, now) = (PolicyId::trusted(""), Timestamp::UNIX_EPOCH);
        let checked = RawPolicy::checked(&self.file.with_defaults(node), &self.defaults, nobody, now, Origin::File);
        for error in checked.err().unwrap_or_default() {
            self.errors.push(self.file.place(&field, node, error));
        }
    }
}

/// A JSON pointer as people write it: `policies[0].health_check.port`.
fn readable(base: &str, pointer: &str) -> String {
    let steps = pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~"));
    steps.fold(base.to_owned(), |text, step| format!("{text}.{step}"))
}

#[cfg(test)]
mod tests;
