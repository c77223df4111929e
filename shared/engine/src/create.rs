//! Creating a rollout: one transaction over the head, whose condition makes twins one.

use jiff::Timestamp;
use tidegate_domain::admission::{Admission, admit};
use tidegate_domain::event::ImageEvent;
use tidegate_domain::head::{Head, KeptOut};
use tidegate_domain::ids::RolloutId;
use tidegate_domain::image::{Repository, Tag};
use tidegate_domain::judge::Judge;
use tidegate_domain::pin::Pin;
use tidegate_domain::policy::{Policy, Safeguard};
use tidegate_domain::rollout::{Override, Rollout, Status, Trigger};

use crate::commands::OPERATOR;
use crate::entities::events::{self, Event};
use crate::entities::{heads, plans, rollouts, tags};
use crate::error::EngineError;
use crate::ports::{Freshness, Job, Ports, Store, Write, WriteError};

/// How often a change that others got in the way of is tried.
pub(crate) const TRIES: u32 = 8;

/// An image that wants to be rolled out.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// The policy that it follows, as it is now.
    pub policy: &'a Policy,
    /// What is to be updated.
    pub repository: &'a Repository,
    /// To what.
    pub target: Pin,
    /// What set it off.
    pub triggered_by: Trigger,
    /// Only devices that failed in this rollout.
    pub retry_of: Option<RolloutId>,
    /// Also a digest that is kept out, or proven already.
    pub retry: bool,
    /// Safeguards of the policy that a person had passed over; `policy` goes without them.
    pub overridden: Option<Override>,
    /// Who keeps the digest out.
    pub kept_out: &'a [KeptOut],
    /// Why, for the first events.
    pub cause: &'a str,
    /// The new rollout's id.
    pub id: RolloutId,
    /// What else is to be written with it, such as the delivery that it comes from.
    pub with: Vec<Write>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// The decision.
    pub admission: Admission,
    /// The new rollout, where there is one.
    pub rollout_id: Option<RolloutId>,
    /// Other policies of the repository that keep out what it brings.
    pub bad_for: Vec<KeptOut>,
}

impl Wanted<'_> {
    /// Other policies than the one that it follows which keep the digest out: told, and no reason not to go on.
    pub(crate) fn bad_for(&self) -> Vec<KeptOut> {
        self.kept_out.iter().filter(|kept| kept.policy_id != self.policy.id).cloned().collect()
    }
}

/// Creates the rollout, unless there is a reason not to.
pub async fn create(ports: &Ports, wanted: &Wanted<'_>, now: Timestamp) -> Result<Created, EngineError> {
    let store = &*ports.store;
    let id = wanted.id.clone();
    for _ in 0..TRIES {
        let head = heads::get(store, wanted.repository, &wanted.policy.id).await?;
        let live = find(store, head.rollout.as_ref()).await?;
        let waiting = find(store, head.waiting.as_ref()).await?;
        let modes = (wanted.policy.on_newer, wanted.retry);
        if let Some(reason) = kept_out(store, wanted, &head).await? {
            return Ok(Created { admission: Admission::Bad(reason), rollout_id: None, bad_for: Vec::new() });
        }
        let admission = admit(&head, live.as_ref(), waiting.as_ref(), &wanted.target, modes, now);
        if matches!(
            admission,
            Admission::Duplicate(_) | Admission::UpToDate(_) | Admission::Bad(_) | Admission::Ignored(_)
        ) {
            return Ok(Created { admission, rollout_id: None, bad_for: Vec::new() });
        }
        let generation = heads::generation(store, wanted.repository).await?;
        let rollout = new_rollout(wanted, &id, generation + 1, &head, now);
        let mut next = Head { policy: Some(wanted.policy.name.clone()), ..head.clone() };
        let mut writes = vec![
            heads::take_generation(wanted.repository, generation),
            rollouts::create(&rollout),
            plans::put_policy(&id, wanted.policy, wanted.retry, wanted.retry_of.as_ref()),
            events::put(&announced(wanted, &rollout, now)),
        ];
        writes.extend(wanted.overridden.as_ref().map(|told| events::put(&overridden(wanted, told, now))));
        match &admission {
            Admission::Wait { .. } => {
                next.waiting = Some(id.clone());
                if let Some(waiting) = waiting.filter(|waiting| waiting.status == Status::Pending) {
                    writes.extend(superseded(&waiting, &id, now));
                }
            }
            _ => {
                next.rollout = Some(id.clone());
                // Whoever waited is older than this one; and an expired one gives up its place.
                let gone = live.into_iter().chain(waiting);
                let gone = gone.filter(|old| old.status.live() || old.status == Status::Expired);
                next.waiting = None;
                for old in gone {
                    writes.extend(superseded(&old, &id, now));
                }
            }
        }
        writes.push(heads::save(&next));
        writes.extend(wanted.with.iter().cloned());
        match store.write(&writes).await {
            Ok(()) => {
                ports.queues.send(&[Job::Step { rollout_id: id.clone() }], 0).await?;
                return Ok(Created { admission, rollout_id: Some(id), bad_for: wanted.bad_for() });
            }
            Err(WriteError::Refused(_) | WriteError::Conflict) => {}
            Err(WriteError::Store(error)) => return Err(error.into()),
        }
    }
    Err(EngineError::Contended { what: "the image's head" })
}

/// Why what a person asked for by its tag is kept out, as far as the tag's last delivery told what it means. A delivery
/// without a digest is news of the tag: what was told before it is perhaps not so any more.
async fn kept_out(store: &dyn Store, wanted: &Wanted<'_>, head: &Head) -> Result<Option<String>, EngineError> {
    let Some(tag) = wanted.target.tag.as_ref() else { return Ok(None) };
    if wanted.target.digest.is_some() || wanted.retry || wanted.triggered_by != Trigger::Manual || head.bad.is_empty() {
        return Ok(None);
    }
    let told = tags::get(store, wanted.repository, tag).await?.and_then(|notice| notice.digest);
    Ok(told.and_then(|digest| head.bad(&digest).map(|bad| format!("{} ({digest})", bad.reason))))
}

pub(crate) async fn find(store: &dyn Store, id: Option<&RolloutId>) -> Result<Option<Rollout>, EngineError> {
    match id {
        Some(id) => rollouts::get(store, id, Freshness::Consistent).await,
        None => Ok(None),
    }
}

/// The writes by which a newer rollout takes a rollout's place.
pub(crate) fn superseded(old: &Rollout, by: &RolloutId, now: Timestamp) -> [Write; 2] {
    let event = Event::of_rollout(&old.rollout_id, ImageEvent::RolloutSuperseded.name(), now, by.as_str());
    [
        rollouts::supersede(old, &format!("superseded by {by}"), now),
        events::put(&event.with("superseded_by", by.as_str())),
    ]
}

fn announced(wanted: &Wanted<'_>, rollout: &Rollout, now: Timestamp) -> Event {
    Event::of_rollout(&rollout.rollout_id, ImageEvent::UpdateAvailable.name(), now, wanted.cause)
        .with("image", wanted.repository.as_str())
        .with("tag", wanted.target.tag.as_ref().map(Tag::as_str))
        .with("digest", wanted.target.digest.as_ref().map(tidegate_domain::image::Digest::as_str))
        .with("policy", wanted.policy.name.as_str())
        .with("bad_for", bad_for(&wanted.bad_for()))
}

/// As an event tells it: the other policies' names and their reasons.
fn bad_for(others: &[KeptOut]) -> Option<serde_json::Value> {
    let told = |kept: &KeptOut| serde_json::json!({"policy": kept.policy, "reason": kept.reason});
    (!others.is_empty()).then(|| others.iter().map(told).collect())
}

/// A person's word that the policy does not hold in full: in the transaction that creates the rollout, or there is none.
fn overridden(wanted: &Wanted<'_>, told: &Override, now: Timestamp) -> Event {
    let passed_over: Vec<&str> = told.passed_over.iter().map(|safeguard| Safeguard::name(*safeguard)).collect();
    let cause = format!("{}-override", wanted.cause);
    Event::of_rollout(&wanted.id, ImageEvent::PolicyOverridden.name(), now, &cause)
        .with("policy", wanted.policy.name.as_str())
        .with("passed_over", passed_over)
        .with("reason", told.reason.as_str())
        .with("by", OPERATOR)
}

fn new_rollout(wanted: &Wanted<'_>, id: &RolloutId, generation: u64, head: &Head, now: Timestamp) -> Rollout {
    let old_tag = head.promoted.as_ref().and_then(|promoted| promoted.pin.tag.clone());
    Rollout { old_tag, ..draft(wanted, id, generation, now) }
}

/// A rollout that nothing was decided about yet.
pub(crate) fn draft(wanted: &Wanted<'_>, id: &RolloutId, generation: u64, now: Timestamp) -> Rollout {
    Rollout {
        rollout_id: id.clone(),
        repository: wanted.repository.clone(),
        policy_id: wanted.policy.id.clone(),
        policy: wanted.policy.name.clone(),
        generation,
        revision: 1,
        status: Status::Pending,
        resume_to: None,
        target: wanted.target.clone(),
        old_tag: None,
        strategy: wanted.policy.update_strategy,
        triggered_by: wanted.triggered_by,
        overridden: wanted.overridden.clone(),
        created_at: now,
        started_at: None,
        completed_at: None,
        asked_at: None,
        total: 0,
        zones: tidegate_domain::journal::Zones::default(),
        open_to: 0,
        batch: 0,
        batches: Vec::new(),
        cursor: 0,
        judge: Judge::default(),
        judged_from: 0,
        command_at: None,
        resumed_at: None,
        skip_batch: false,
        rollback: None,
        reason: None,
        decided: None,
        last_healthy_at: None,
        observed: None,
        admitted: Vec::new(),
        kept_out: Vec::new(),
        check_at: None,
        wake_at: None,
        live: None,
    }
}
