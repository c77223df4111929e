//! A whole set of policies at once, as a file has it: all are checked first, and all change together.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tidegate_domain::fields::FieldError;
use tidegate_domain::ids::PolicyId;
use tidegate_domain::policy::{Origin, WrittenPolicy};
use tidegate_domain::rollout::Rollout;

use super::remove::under_way;
use super::{PolicyError, created};
use crate::create::TRIES;
use crate::entities::events::{self, Event};
use crate::entities::policies;
use crate::entities::policy_names::{self, NameRecord};
use crate::error::EngineError;
use crate::ports::{Ports, Write, WriteError};
use crate::settings::Settings;

/// Policies that change in one transaction at most: it holds 100 items, each policy has two (its own and its name's), and
/// there is one event.
pub const AT_ONCE: usize = 49;

/// Policies that are read at the same time.
const READS_AT_ONCE: usize = 32;

/// What policies are to be.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sheet {
    /// The policies, as bodies.
    pub policies: Vec<Value>,
    /// Whether those that came from a file and are not here are removed.
    pub prune: bool,
    /// Whether more than [`AT_ONCE`] may change, some after others.
    pub in_parts: bool,
    /// The `plan` of an earlier look: only if exactly that would be done.
    pub plan: Option<String>,
}

/// What becomes of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// It is new, or created again.
    Created,
    /// It is replaced.
    Replaced,
    /// It is as it was.
    Unchanged,
    /// It is removed.
    Removed,
    /// It is on the stack, and not in the set.
    LeftAlone,
}

impl Change {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::Created, Self::Replaced, Self::Unchanged, Self::Removed, Self::LeftAlone];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Replaced => "changed",
            Self::Unchanged => "unchanged",
            Self::Removed => "removed",
            Self::LeftAlone => "left_alone",
        }
    }

    const fn writes(self) -> bool {
        matches!(self, Self::Created | Self::Replaced | Self::Removed)
    }
}

/// One policy of a set, or of the stack.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed {
    /// What becomes of it.
    pub change: Change,
    /// As it is afterwards; of a removed one, as it was.
    pub policy: WrittenPolicy,
    /// Of a removed one, its rollouts that are under way.
    pub rollouts: Vec<Rollout>,
    /// What stands under the name of a created one.
    record: NameRecord,
}

/// What became of a set, or would.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    /// Whether nothing was done.
    pub dry_run: bool,
    /// Names what is to be done: the same for the same changes.
    pub plan: String,
    /// Transactions that it takes; none where nothing changes.
    pub parts: usize,
    /// Every policy: those of the set in its order, then the others by name.
    pub policies: Vec<Changed>,
}

/// Says what [`apply`] would do. Nothing changes.
pub async fn look_before_apply(
    ports: &Ports,
    settings: &Settings,
    sheet: &Sheet,
    now: Timestamp,
) -> Result<Applied, PolicyError> {
    let new = checked(ports, settings, &sheet.policies, now)?;
    let all = planned(ports, settings, new, sheet.prune).await?;
    Ok(Applied { dry_run: true, plan: plan_of(&all), parts: changes(&all).div_ceil(AT_ONCE), policies: all })
}

/// Brings the stack's policies to what the set says: in one transaction with one event, or not at all.
pub async fn apply(ports: &Ports, settings: &Settings, sheet: &Sheet, now: Timestamp) -> Result<Applied, PolicyError> {
    let new = checked(ports, settings, &sheet.policies, now)?;
    let mut done: BTreeMap<PolicyId, Changed> = BTreeMap::new();
    let (mut first, mut parts) = (None, 0);
    for _ in 0..TRIES {
        let all = planned(ports, settings, new.clone(), sheet.prune).await?;
        let plan = plan_of(&all);
        let asked_for = first.get_or_insert_with(|| plan.clone()).clone();
        if sheet.plan.as_ref().is_some_and(|told| *told != plan) {
            return Err(PolicyError::Moved { done: done.len() });
        }
        let count = changes(&all);
        if count > AT_ONCE && !sheet.in_parts {
            return Err(PolicyError::TooMany { changes: count });
        }
        let changing: Vec<&Changed> = all.iter().filter(|one| one.change.writes()).collect();
        let mut overtaken = false;
        for part in changing.chunks(AT_ONCE) {
            match ports.store.write(&writes(part, &plan, parts, now)).await {
                Ok(()) => {
                    parts += 1;
                    done.extend(part.iter().map(|one| (one.policy.id.clone(), (*one).clone())));
                }
                Err(WriteError::Refused(_) | WriteError::Conflict) => overtaken = true,
                Err(error) => return Err(error.into()),
            }
            if overtaken {
                break;
            }
        }
        if !overtaken {
            // What an earlier try of this call did is told as it did it.
            let told = |one: Changed| done.get(&one.policy.id).cloned().unwrap_or(one);
            let mut policies: Vec<Changed> = all.into_iter().map(told).collect();
            let known: BTreeSet<PolicyId> = policies.iter().map(|one| one.policy.id.clone()).collect();
            policies.extend(done.into_values().filter(|one| !known.contains(&one.policy.id)));
            return Ok(Applied { dry_run: false, plan: asked_for, parts, policies });
        }
        if sheet.plan.is_some() {
            return Err(PolicyError::Moved { done: done.len() });
        }
    }
    Err(EngineError::Contended { what: "the policies" }.into())
}

/// Checks all of them; every mistake is told, by its place in the set.
fn checked(
    ports: &Ports,
    settings: &Settings,
    bodies: &[Value],
    now: Timestamp,
) -> Result<Vec<WrittenPolicy>, PolicyError> {
    let ids = || PolicyId::new(now, ports.entropy.u128());
    let (policies, mistakes) = read(settings, bodies, ids, now);
    if mistakes.is_empty() { Ok(policies) } else { Err(PolicyError::Invalid(mistakes)) }
}

/// Every mistake of a set, by its place in it.
pub fn mistakes_of_all(settings: &Settings, bodies: &[Value], now: Timestamp) -> Vec<FieldError> {
    read(settings, bodies, || PolicyId::trusted(""), now).1
}

/// The policies of a set under new `ids`, and what is wrong with the others.
fn read(
    settings: &Settings,
    bodies: &[Value],
    ids: impl Fn() -> PolicyId,
    now: Timestamp,
) -> (Vec<WrittenPolicy>, Vec<FieldError>) {
    let (mut policies, mut mistakes) = (Vec::new(), Vec::new());
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    for (n, body) in bodies.iter().enumerate() {
        let at = |pointer: &str| format!("/policies/{n}{pointer}");
        // Which one it is, its name says.
        let mut body = body.clone();
        if let Some(fields) = body.as_object_mut() {
            fields.remove("id");
        }
        if let Some(name) = bodies[n].get("name").and_then(Value::as_str)
            && let Some(first) = names.get(name)
        {
            let detail = format!("{name:?} is taken by the policy at /policies/{first}; names are unique");
            mistakes.push(FieldError::new(at("/name"), detail));
        } else if let Some(name) = bodies[n].get("name").and_then(Value::as_str) {
            names.insert(name, n);
        }
        match WrittenPolicy::new(&body, &settings.policy_defaults, ids(), now, Origin::File) {
            Ok(policy) => policies.push(policy),
            Err(found) => {
                mistakes.extend(found.into_iter().map(|error| FieldError::new(at(&error.pointer), error.detail)));
            }
        }
    }
    (policies, mistakes)
}

/// What is to be done with each, and with those that the set does not name.
async fn planned(
    ports: &Ports,
    settings: &Settings,
    new: Vec<WrittenPolicy>,
    prune: bool,
) -> Result<Vec<Changed>, PolicyError> {
    let named: BTreeSet<String> = new.iter().map(|policy| policy.name.clone()).collect();
    let mut all: Vec<Changed> =
        stream::iter(new).map(|policy| compared(ports, settings, policy)).buffered(READS_AT_ONCE).try_collect().await?;
    let known: BTreeSet<PolicyId> = all.iter().map(|one| one.policy.id.clone()).collect();
    let others = policies::all(&*ports.store).await?.into_iter();
    // The list may be a moment old: one that it shows under an older name is no other.
    let others = others.filter(|other| !named.contains(&other.name) && !known.contains(&other.id));
    let mut removed = BTreeSet::new();
    for policy in others {
        let change = if prune && policy.origin == Origin::File { Change::Removed } else { Change::LeftAlone };
        if change == Change::Removed {
            removed.insert(policy.id.clone());
        }
        all.push(Changed { change, policy, rollouts: Vec::new(), record: NameRecord::default() });
    }
    if !removed.is_empty() {
        let touched = under_way(&*ports.store, &removed).await?;
        for one in all.iter_mut().filter(|one| one.change == Change::Removed) {
            one.rollouts = touched.iter().filter(|rollout| rollout.policy_id == one.policy.id).cloned().collect();
        }
    }
    Ok(all)
}

/// One policy beside what is stored under its name, read consistently.
async fn compared(ports: &Ports, settings: &Settings, new: WrittenPolicy) -> Result<Changed, PolicyError> {
    let record = policy_names::get(&*ports.store, &new.name).await?;
    let stored = match &record.policy_id {
        Some(id) => policies::get(&*ports.store, id).await?.filter(|stored| stored.name == new.name),
        None => None,
    };
    let (change, policy) = match stored {
        None => (Change::Created, created(new, &record)),
        Some(stored) if stored.origin == new.origin && new.same_content(&stored, &settings.policy_defaults) => {
            (Change::Unchanged, stored)
        }
        Some(stored) => (Change::Replaced, new.replacing(&stored)),
    };
    Ok(Changed { change, policy, rollouts: Vec::new(), record })
}

fn changes(all: &[Changed]) -> usize {
    all.iter().filter(|one| one.change.writes()).count()
}

/// A name for what is to be done: the same where the same is to be done to the same revisions.
fn plan_of(all: &[Changed]) -> String {
    let mut hash = Sha256::new();
    for one in all.iter().filter(|one| one.change.writes()) {
        // The id of a new one is made up anew each time.
        let id = if one.policy.revision > 1 { one.policy.id.as_str() } else { "new" };
        let content = serde_json::to_string(&one.policy.written).unwrap_or_default();
        let (change, policy) = (one.change.name(), &one.policy);
        hash.update(format!("{change}\0{}\0{id}\0{}\0{content}\n", policy.name, policy.revision).as_bytes());
    }
    hex::encode(&hash.finalize()[..12])
}

fn writes(part: &[&Changed], plan: &str, number: usize, now: Timestamp) -> Vec<Write> {
    let mut writes = Vec::new();
    for one in part {
        match one.change {
            Change::Created => {
                writes.extend([policies::create(&one.policy), policy_names::take(&one.policy, &one.record)]);
            }
            Change::Replaced => writes.push(policies::save(&one.policy)),
            Change::Removed => writes.extend([policies::delete(&one.policy), policy_names::keep(&one.policy)]),
            Change::Unchanged | Change::LeftAlone => {}
        }
    }
    let named = |change: Change| {
        let names: Vec<&str> =
            part.iter().filter(|one| one.change == change).map(|one| one.policy.name.as_str()).collect();
        (!names.is_empty()).then_some(names)
    };
    let touched: Vec<&str> =
        part.iter().flat_map(|one| &one.rollouts).map(|rollout| rollout.rollout_id.as_str()).collect();
    let event = Event::audit("policies.applied", now, &format!("policies.applied-{plan}-{number}"))
        .with("created", named(Change::Created))
        .with("changed", named(Change::Replaced))
        .with("removed", named(Change::Removed))
        .with("rollouts", (!touched.is_empty()).then_some(touched));
    writes.push(events::put(&event));
    writes
}
