//! Operators who change policies while their rollouts run and deliveries come: edit them, rename them, delete them and
//! create them again.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value as Json, json};
use tidegate_domain::policy::{Origin, Policy, PolicyView, WrittenPolicy};
use tidegate_engine::policies::{self, PolicyError, Sheet, Wanted};

use super::scenario::FLEETS;
use super::stage::{Event, Owner, Stage, Value};

/// What a policy is called when it is not called as at first.
const RENAMED: &str = "-renamed";

/// What an operator does, and to the policy of which fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Edit {
    /// Its place in [`FLEETS`].
    pub fleet: usize,
    pub what: What,
}

/// What an operator does with a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    /// Stores another content; the number chooses it.
    Change(u32),
    /// Gives it its other name.
    Rename,
    /// Gives it its other name, and creates another policy under the old one so many milliseconds later.
    Replace(u32),
    /// Deletes it; it is created again so many milliseconds later.
    Delete(u32),
    /// Applies a file that names it no more, with `prune`; it is created again so many milliseconds later.
    Prune(u32),
    /// Creates a policy under a name that one was deleted under.
    Create,
    /// Creates a policy under a name that nobody has.
    Another,
}

impl What {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Change(_) => "change",
            Self::Rename => "rename",
            Self::Replace(_) => "rename for another",
            Self::Delete(_) => "delete",
            Self::Prune(_) => "prune",
            Self::Create => "create again",
            Self::Another => "create another",
        }
    }
}

/// The edits of a seed, with their times. They are drawn apart, so that a seed without any is the run that it would be
/// if there were none at all.
pub(super) fn edits(seed: u64, active: i64) -> Vec<(i64, Edit)> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x00ED_1700_0000_0000);
    if rng.random_range(0..2) == 0 {
        return Vec::new();
    }
    (0..rng.random_range(1..6))
        .map(|_| {
            let what = match rng.random_range(0..12) {
                0..3 => What::Change(rng.random_range(0..3)),
                3 => What::Rename,
                4 => What::Replace(rng.random_range(0..600_000)),
                5..8 => What::Delete(rng.random_range(0..60_000)),
                8..10 => What::Prune(rng.random_range(0..60_000)),
                _ => What::Delete(rng.random_range(0..3_600_000)),
            };
            (rng.random_range(0..active), Edit { fleet: usize::from(rng.random_range(0..4) == 0), what })
        })
        .collect()
}

/// The two names of a fleet's policies.
fn names(fleet: usize) -> [String; 2] {
    [FLEETS[fleet].to_owned(), format!("{}{RENAMED}", FLEETS[fleet])]
}

impl Stage {
    pub(super) fn edit(&mut self, edit: Edit) {
        let Some(first) = self.scenario.policies.get(edit.fleet).cloned() else { return };
        let names = names(edit.fleet);
        let stored = super::oracle::stored_policies(&self.memory.store);
        let named = |name: &String| stored.values().find(|policy| policy.name == *name);
        let there = names.iter().find_map(named).cloned();
        let free = names.iter().find(|name| named(name).is_none());
        let left = names.iter().find(|name| self.oracle.is_left(name));
        match (edit.what, there) {
            (What::Create, _) => {
                if let Some(name) = left {
                    self.create(edit, &first, name);
                }
            }
            (What::Another, _) => {
                if let Some(name) = free {
                    self.create(edit, &first, name);
                }
            }
            (What::Change(n), Some(policy)) => self.replace(edit, &policy, &changed(&first, &policy.name, n)),
            (What::Rename | What::Replace(_), Some(policy)) => {
                let Some(name) = free else { return };
                if let What::Replace(gap) = edit.what {
                    self.after(i64::from(gap), Event::Edit(Edit { what: What::Another, ..edit }));
                }
                self.replace(edit, &policy, &written(&first, name));
            }
            (What::Delete(gap), Some(policy)) => {
                self.after(i64::from(gap), Event::Edit(Edit { what: What::Create, ..edit }));
                self.tell(|| format!("operator: deletes the policy {}", policy.name));
                let (ports, now) = (self.ports.clone(), self.time());
                let wanted = Wanted { id: policy.id, revision: None };
                self.spawn_api(Owner::Policy(edit), async move {
                    Value::Edited(policies::delete(&ports, &wanted, now).await.map(drop))
                });
            }
            (What::Prune(gap), Some(policy)) => {
                self.after(i64::from(gap), Event::Edit(Edit { what: What::Create, ..edit }));
                self.tell(|| format!("operator: applies a file without the policy {}", policy.name));
                let others = stored.values().filter(|other| other.id != policy.id);
                let policies = others.map(|other| Json::Object(other.written.clone())).collect();
                let sheet = Sheet { policies, prune: true, ..Sheet::default() };
                let (ports, settings, now) = (self.ports.clone(), self.settings.clone(), self.time());
                self.spawn_api(Owner::Policy(edit), async move {
                    Value::Edited(policies::apply(&ports, &settings, &sheet, now).await.map(drop))
                });
            }
            (What::Change(_) | What::Rename | What::Replace(_) | What::Delete(_) | What::Prune(_), None) => {}
        }
    }

    fn create(&mut self, edit: Edit, first: &Policy, name: &str) {
        self.tell(|| format!("operator: creates the policy {name}"));
        let (ports, settings, now) = (self.ports.clone(), self.settings.clone(), self.time());
        let body = written(first, name);
        self.spawn_api(Owner::Policy(edit), async move {
            Value::Edited(policies::create(&ports, &settings, &body, Origin::File, now).await.map(drop))
        });
    }

    fn replace(&mut self, edit: Edit, stored: &WrittenPolicy, by: &Json) {
        self.tell(|| format!("operator: {} of the policy {} to {}", edit.what.name(), stored.name, by["name"]));
        let (ports, settings, now) = (self.ports.clone(), self.settings.clone(), self.time());
        let (wanted, body) = (Wanted { id: stored.id.clone(), revision: None }, by.clone());
        self.spawn_api(Owner::Policy(edit), async move {
            Value::Edited(policies::replace(&ports, &settings, &wanted, &body, Origin::File, now).await.map(drop))
        });
    }

    pub(super) fn edited(&mut self, edit: Edit, result: &Result<(), PolicyError>) {
        self.coverage.met(format!("policy: {} {}", edit.what.name(), how(result)));
        match result {
            Err(PolicyError::Engine(_)) => self.edit_failed(edit),
            Err(PolicyError::Invalid(mistakes)) => {
                self.oracle.violations.push(format!("a policy is refused that is in order: {mistakes:?}"));
            }
            Ok(()) | Err(_) => {}
        }
    }

    /// Nobody gives up before a policy is there again.
    pub(super) fn edit_failed(&mut self, edit: Edit) {
        if matches!(edit.what, What::Create | What::Another) {
            self.after(20_000, Event::Edit(edit));
        }
    }
}

/// What an operator sends: the scenario's policy under this name.
fn written(first: &Policy, name: &str) -> Json {
    let mut written = serde_json::to_value(PolicyView::from(first)).unwrap_or_default();
    written["id"] = Json::Null;
    written["name"] = json!(name);
    written
}

fn changed(first: &Policy, name: &str, n: u32) -> Json {
    let mut written = written(first, name);
    match n {
        0 => {
            written["batch_delay_minutes"] = Json::Null;
            written["batch_delay"] = json!("7s");
        }
        1 => written["on_newer"] = json!("supersede"),
        _ => written["staged_batches"] = json!([1, "100%"]),
    }
    written
}

fn how(result: &Result<(), PolicyError>) -> &'static str {
    match result {
        Ok(()) => "is done",
        Err(PolicyError::NameTaken(_)) => "finds the name taken",
        Err(PolicyError::Outdated { .. } | PolicyError::NotFound) => "comes too late",
        Err(PolicyError::Invalid(_)) => "is invalid",
        Err(PolicyError::TooMany { .. } | PolicyError::Moved { .. } | PolicyError::Engine(_)) => "fails",
    }
}
