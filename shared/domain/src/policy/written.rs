//! A policy as it is stored: what its writer wrote. What it leaves out is filled in when it is needed, from what the
//! stack says then.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{ImagePattern, Origin, Policy, PolicyDefaults, PolicyView, RawPolicy, Selector};
use crate::fields::FieldError;
use crate::ids::PolicyId;

/// A stored policy. What says which images and devices it is about stands apart: matching needs nothing else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WrittenPolicy {
    /// The server's name for it.
    pub id: PolicyId,
    /// The operator's name for it, unique.
    pub name: String,
    /// Which pushed references it is about.
    pub image_pattern: ImagePattern,
    /// Which devices it selects.
    #[serde(default)]
    pub selector: Selector,
    /// Its fields, as an operator wrote them.
    pub written: Map<String, Value>,
    /// When it was first stored.
    pub created_at: Timestamp,
    /// When this revision was stored.
    pub updated_at: Timestamp,
    /// Where it came from.
    pub origin: Origin,
    /// Counts its changes, from 1.
    pub revision: u64,
}

/// A policy with every value filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct Effective {
    /// What holds. Where there are mistakes, the stack's values stand in for the wrong ones.
    pub policy: Policy,
    /// What does not fit: what the stack says now can make a policy wrong that was right when it was stored.
    pub mistakes: Vec<FieldError>,
}

impl Effective {
    /// The mistakes in one sentence; `None` where there are none.
    pub fn why_not(&self) -> Option<String> {
        let each: Vec<String> = self.mistakes.iter().map(ToString::to_string).collect();
        (!each.is_empty()).then(|| format!("the policy does not fit what the stack says now: {}", each.join("; ")))
    }
}

impl WrittenPolicy {
    /// Reads and checks a body: every mistake is told, whatever kind it is of. It becomes revision 1, stored at `now`,
    /// under `id`.
    pub fn new(
        body: &Value,
        defaults: &PolicyDefaults,
        id: PolicyId,
        now: Timestamp,
        origin: Origin,
    ) -> Result<Self, Vec<FieldError>> {
        let body = super::told::without_told(body);
        let policy = RawPolicy::checked(&body, defaults, id, now, origin)?;
        let (raw, _) = RawPolicy::read("", &body);
        Ok(Self::of(&policy, RawPolicy { id: None, ..raw }))
    }

    fn of(policy: &Policy, raw: RawPolicy) -> Self {
        let written = match serde_json::to_value(raw) {
            Ok(Value::Object(written)) => written,
            // A raw policy is a struct of plain data.
            Ok(_) | Err(_) => Map::new(),
        };
        Self {
            id: policy.id.clone(),
            name: policy.name.clone(),
            image_pattern: policy.image_pattern.clone(),
            selector: policy.selector.clone(),
            written,
            created_at: policy.created_at,
            updated_at: policy.updated_at,
            origin: policy.origin,
            revision: policy.revision,
        }
    }

    /// What its writer wrote, read.
    pub fn raw(&self) -> RawPolicy {
        RawPolicy::read("", &Value::Object(self.written.clone())).0
    }

    /// With everything filled in that it leaves out, from what the stack says now.
    pub fn effective(&self, defaults: &PolicyDefaults) -> Effective {
        let (raw, mistakes) = RawPolicy::read("", &Value::Object(self.written.clone()));
        let (policy, mistakes) = raw.fill(mistakes, defaults, self);
        Effective { policy, mistakes }
    }

    /// This content as the next revision of a stored policy.
    #[must_use]
    pub fn replacing(self, stored: &Self) -> Self {
        Self { id: stored.id.clone(), created_at: stored.created_at, revision: stored.revision + 1, ..self }
    }

    /// Whether both say the same, whatever their ids, times, origins and revisions: the same fields, meaning the same.
    /// Storing one over the other would change nothing.
    pub fn same_content(&self, other: &Self, defaults: &PolicyDefaults) -> bool {
        if self.name != other.name || self.image_pattern != other.image_pattern || self.selector != other.selector {
            return false;
        }
        let (ours, theirs) = (self.effective(defaults), other.effective(defaults));
        self.written == other.written
            || self.fields() == other.fields() && theirs.mistakes.is_empty() && ours.policy.same_content(&theirs.policy)
    }

    /// The names of what it says itself; ways to say one thing are one.
    fn fields(&self) -> BTreeSet<String> {
        let mut fields = BTreeSet::new();
        for (name, value) in &self.written {
            match (name.as_str(), value) {
                ("batch_delay_minutes", _) => drop(fields.insert("batch_delay".to_owned())),
                ("device_tags", Value::Object(tags)) if tags.is_empty() => {}
                ("health_check", Value::Object(check)) => {
                    fields.extend(check.keys().map(|name| format!("health_check.{name}")));
                }
                (name, _) => drop(fields.insert(name.to_owned())),
            }
        }
        fields
    }
}

impl From<&Policy> for WrittenPolicy {
    /// A policy that was stored with everything filled in: all of it counts as written.
    fn from(policy: &Policy) -> Self {
        let view = serde_json::to_value(PolicyView::from(policy)).unwrap_or_default();
        let (raw, _) = RawPolicy::read("", &view);
        Self::of(policy, RawPolicy { id: None, ..raw })
    }
}
