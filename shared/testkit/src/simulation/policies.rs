//! Operators who change the policy while its rollouts run and deliveries come: edit it, rename it, delete it and create
//! it again.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use tidegate_domain::policy::{Origin, RawPolicy};
use tidegate_engine::policies::{self, PolicyError, Wanted};

use super::scenario::POLICY;
use super::stage::{Event, Owner, Stage, Value};

/// What the policy is called when it is not called as at first.
const OTHER_NAME: &str = "field-renamed";

/// What an operator does with the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Edit {
    /// Stores another content; the number chooses it.
    Change(u32),
    /// Gives it its other name.
    Rename,
    /// Deletes it; it is created again so many milliseconds later.
    Delete(u32),
    /// Creates it again under the name that it was deleted under.
    Create,
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
            let edit = match rng.random_range(0..10) {
                0..3 => Edit::Change(rng.random_range(0..3)),
                3 => Edit::Rename,
                4..8 => Edit::Delete(rng.random_range(0..60_000)),
                _ => Edit::Delete(rng.random_range(0..3_600_000)),
            };
            (rng.random_range(0..active), edit)
        })
        .collect()
}

impl Stage {
    pub(super) fn edit(&mut self, edit: Edit) {
        let stored = super::oracle::stored_policies(&self.memory.store).into_values().next();
        let (ports, settings, now) = (self.ports.clone(), self.settings.clone(), self.time());
        let name = stored.as_ref().map_or_else(|| self.oracle.last_name().to_owned(), |policy| policy.name.clone());
        self.tell(|| format!("operator: {edit:?} of the policy {name}"));
        let wanted = stored.as_ref().map(|policy| Wanted { id: policy.id.clone(), revision: None });
        let raw = self.written(&name, edit);
        match (edit, wanted) {
            (Edit::Create, _) => self.spawn_api(Owner::Policy(edit), async move {
                Value::Edited(policies::create(&ports, &settings, raw, Origin::Api, now).await.map(drop))
            }),
            (Edit::Change(_) | Edit::Rename, Some(wanted)) => self.spawn_api(Owner::Policy(edit), async move {
                let replaced = policies::replace(&ports, &settings, &wanted, raw, Origin::Api, now).await;
                Value::Edited(replaced.map(drop))
            }),
            (Edit::Delete(gap), Some(wanted)) => {
                self.after(i64::from(gap), Event::Edit(Edit::Create));
                self.spawn_api(Owner::Policy(edit), async move {
                    Value::Edited(policies::delete(&ports, &wanted, now).await.map(drop))
                });
            }
            (Edit::Change(_) | Edit::Rename | Edit::Delete(_), None) => {}
        }
    }

    /// What the operator sends: the scenario's policy, under this name, with what this edit changes.
    fn written(&self, name: &str, edit: Edit) -> RawPolicy {
        let mut written = self.scenario.written.clone();
        written["name"] = json!(name);
        match edit {
            Edit::Rename => written["name"] = json!(if name == POLICY { OTHER_NAME } else { POLICY }),
            Edit::Change(0) => written["batch_delay"] = json!("7s"),
            Edit::Change(1) => written["on_newer"] = json!("supersede"),
            Edit::Change(_) => written["staged_batches"] = json!([1, "100%"]),
            Edit::Delete(_) | Edit::Create => {}
        }
        RawPolicy::from_json("", &written).expect("the generator writes policies that can be read")
    }

    pub(super) fn edited(&mut self, edit: Edit, result: &Result<(), PolicyError>) {
        let (what, how) = (edit.name(), how(result));
        self.coverage.met(format!("policy: {what} {how}"));
        match (edit, result) {
            // Nobody gives up before it is there again.
            (Edit::Create, Err(PolicyError::Engine(_))) => self.after(20_000, Event::Edit(Edit::Create)),
            (_, Err(PolicyError::Invalid(mistakes))) => {
                self.oracle.violations.push(format!("a policy is refused that is in order: {mistakes:?}"));
            }
            _ => {}
        }
    }
}

impl Edit {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Change(_) => "change",
            Self::Rename => "rename",
            Self::Delete(_) => "delete",
            Self::Create => "create again",
        }
    }
}

fn how(result: &Result<(), PolicyError>) -> &'static str {
    match result {
        Ok(()) => "is done",
        Err(PolicyError::NameTaken(_)) => "finds the name taken",
        Err(PolicyError::Outdated { .. } | PolicyError::NotFound) => "comes too late",
        Err(PolicyError::Invalid(_)) => "is invalid",
        Err(PolicyError::Engine(_)) => "fails",
    }
}
