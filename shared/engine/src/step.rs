//! Carrying out the step: reads what the decision needs, commits it in one transaction, then does what follows.

use jiff::{SignedDuration, Timestamp};
use tidegate_domain::head::Head;
use tidegate_domain::ids::RolloutId;
use tidegate_domain::image::Digest;
use tidegate_domain::journal::Page;
use tidegate_domain::policy::OnNewer;
use tidegate_domain::rollout::{Rollout, Status};
use tidegate_domain::step::{Effect, HeadState, Inputs, Order, Preparation, Resolution, Step, contents, step};

use crate::create::{TRIES, find, superseded};
use crate::entities::events::{self, Event};
use crate::entities::plans::{Beside, Resolved};
use crate::entities::rollouts::Live;
use crate::entities::{heads, journal, plans, retention, rollouts, rows, tags};
use crate::error::EngineError;
use crate::keep;
use crate::ports::{Freshness, Job, Ports, Store, Write, WriteError};

/// A queue's longest delay; later wake-ups go through the scheduler.
const LONGEST_DELAY_SECONDS: i64 = 900;

/// Pages of a plan that one step asks for.
const PLAN_PAGES_AT_ONCE: usize = 100;

/// Steps a rollout. Answers in words what it waits for, or what happened.
pub async fn run(ports: &Ports, rollout_id: &RolloutId, now: Timestamp) -> Result<String, EngineError> {
    let store = &*ports.store;
    for _ in 0..TRIES {
        let Some(rollout) = rollouts::get(store, rollout_id, Freshness::Consistent).await? else {
            return Ok("there is no such rollout".to_owned());
        };
        let Some(beside) = plans::get(store, rollout_id).await? else {
            return Ok("the rollout has no plan".to_owned());
        };
        let pages = journal::after(store, rollout_id, rollout.cursor).await?;
        let (preparation, standing) = prepared(store, &rollout, &beside, &pages).await?;
        let inputs = Inputs { pages: &pages, preparation: &preparation, standing: &standing, now };
        let decided = step(&rollout, &beside.plan, &inputs);
        if decided.next.revision != rollout.revision {
            let writes = writes(store, &rollout, &decided, now).await?;
            match store.write(&writes).await {
                Ok(()) => {}
                Err(WriteError::Refused(_) | WriteError::Conflict) => continue,
                Err(WriteError::Store(error)) => return Err(error.into()),
            }
        }
        follow(ports, &rollout, &decided, now).await?;
        return Ok(decided.report);
    }
    Err(EngineError::Contended { what: "the rollout" })
}

/// Asks for a step of every rollout that is not done with, and now and then to keep its details; and to go on with what is
/// left of deliveries.
pub async fn sweep(ports: &Ports, now: Timestamp) -> Result<usize, EngineError> {
    let (mut after, mut swept) = (None, 0);
    loop {
        let (Live { rollouts: ids, remainders }, next) = rollouts::live(&*ports.store, after).await?;
        swept += ids.len();
        let kept = ids.iter().filter(|id| id.created_at().is_some_and(|created_at| retention::keeps(created_at, now)));
        let mut jobs: Vec<Job> = kept.flat_map(keep::jobs).collect();
        jobs.extend(ids.into_iter().map(|rollout_id| Job::Step { rollout_id }));
        jobs.extend(remainders.into_iter().map(|(source, delivery_id)| Job::Deliver { source, delivery_id }));
        ports.queues.send(&jobs, 0).await?;
        if next.is_none() {
            return Ok(swept);
        }
        after = next;
    }
}

/// What a pending rollout's step needs to know, and that of an unpinned one whose devices told what it brings; nothing is
/// read for another.
pub(crate) async fn prepared(
    store: &dyn Store,
    rollout: &Rollout,
    beside: &Beside,
    pages: &[(u32, Page)],
) -> Result<(Preparation, HeadState), EngineError> {
    if rollout.status != Status::Pending {
        let kept_out = kept_out(store, rollout, beside, pages).await?;
        return Ok((Preparation::default(), HeadState { kept_out, ..HeadState::default() }));
    }
    let id = &rollout.rollout_id;
    let resolution = resolved(rollout, beside).map(|resolved| match &resolved.digest {
        Some(digest) => Resolution::Digest(digest.clone()),
        None => Resolution::Unresolved(resolved.why_not.clone().unwrap_or_default()),
    });
    let mut preparation = Preparation { resolution, ..Preparation::default() };
    if let Some(order) = plans::order(store, id).await? {
        let marks = journal::marks(store, id).await?;
        preparation.order = Some(Order { total: order.total, pages: order.pages() });
        preparation.missing_pages =
            (0..order.pages()).filter(|page| !marks.iter().any(|(marked, _)| marked == page)).collect();
        preparation.planned = together(marks.into_iter().map(|(_, page)| page));
    }
    Ok((preparation, standing(store, rollout, beside).await?))
}

/// What the registry said after the last notice; what it said before may be another content.
fn resolved<'a>(rollout: &Rollout, beside: &'a Beside) -> Option<&'a Resolved> {
    beside.resolved.as_ref().filter(|resolved| resolved.merged >= rollout.merged())
}

/// Of what devices told of an unpinned rollout's content, what the head keeps out.
async fn kept_out(
    store: &dyn Store,
    rollout: &Rollout,
    beside: &Beside,
    pages: &[(u32, Page)],
) -> Result<Vec<(Digest, String)>, EngineError> {
    let contents = contents(rollout, pages);
    if contents.is_empty() || beside.retry {
        return Ok(Vec::new());
    }
    let head = heads::get(store, &rollout.repository, &rollout.policy_id).await?;
    let bad = contents.into_iter().filter_map(|digest| Some((digest.clone(), head.bad(digest)?.reason.clone())));
    Ok(bad.collect())
}

fn together(pages: impl Iterator<Item = Page>) -> Page {
    let mut all = Page::default();
    for page in pages {
        all.old_tag = all.old_tag.or(page.old_tag);
        all.zones.missing += page.zones.missing;
        all.zones.fallback += page.zones.fallback;
        for delta in page.deltas {
            match all.deltas.iter_mut().find(|known| known.batch == delta.batch) {
                Some(known) => known.counts.merge(&delta.counts),
                None => all.deltas.push(delta),
            }
        }
    }
    all
}

async fn standing(store: &dyn Store, rollout: &Rollout, beside: &Beside) -> Result<HeadState, EngineError> {
    let head = heads::get(store, &rollout.repository, &rollout.policy_id).await?;
    let waits = head.rollout.as_ref() != Some(&rollout.rollout_id);
    let live = if waits { find(store, head.rollout.as_ref()).await? } else { None };
    let live = live.filter(|live| live.status.live());
    let proven = head.promoted.as_ref().and_then(|promoted| promoted.pin.digest.clone());
    let supersedes = beside.plan.policy.on_newer == OnNewer::Supersede;
    let digest = rollout.target.digest.clone();
    let resolved = resolved(rollout, beside).and_then(|resolved| resolved.digest.clone());
    // Where nobody else knows, what the tag's last delivery told is what it probably brings.
    let told = match &rollout.target.tag {
        Some(tag) if digest.is_none() && resolved.is_none() => {
            tags::get(store, &rollout.repository, tag).await?.and_then(|notice| notice.digest)
        }
        _ => None,
    };
    let bad = digest.or(resolved).or(told).and_then(|digest| head.bad(&digest).map(|bad| bad.reason.clone()));
    // A person who triggers a retry wants what was kept out, or is there already.
    let retried = beside.retry;
    Ok(HeadState {
        waits,
        may_take: live.is_none() || supersedes,
        ahead: live.as_ref().map_or(proven, |live| live.target.digest.clone()).filter(|_| !retried),
        bad: bad.filter(|_| !retried),
        kept_out: Vec::new(),
    })
}

async fn writes(store: &dyn Store, old: &Rollout, decided: &Step, now: Timestamp) -> Result<Vec<Write>, EngineError> {
    let mut writes = vec![rollouts::save_step(&decided.next)];
    let mut head: Option<Head> = None;
    for (n, effect) in decided.effects.iter().enumerate() {
        match effect {
            Effect::Emit(event, detail) => {
                let cause = format!("{:08}-{n:02}", decided.next.revision);
                let mut event = Event::of_rollout(&old.rollout_id, event.name(), now, &cause);
                if let Ok(serde_json::Value::Object(detail)) = serde_json::to_value(detail) {
                    event.detail = detail;
                }
                writes.push(events::put(&event));
            }
            Effect::Promote | Effect::Ban(_) => {
                if head.is_none() {
                    head = Some(heads::get(store, &old.repository, &old.policy_id).await?);
                }
                let Some(head) = head.as_mut() else { continue };
                if let Effect::Ban(reason) = effect {
                    head.ban(decided.next.target.digest.as_ref(), reason, now);
                    head.demote(&old.rollout_id);
                } else {
                    head.promote(&old.rollout_id, &decided.next.target);
                }
            }
            Effect::TakeOver
            | Effect::Resolve
            | Effect::Plan
            | Effect::PlanPages(_)
            | Effect::CheckDeadlines
            | Effect::Wake(_) => {}
        }
    }
    writes.extend(head.as_ref().map(heads::save));
    Ok(writes)
}

/// What comes after the commit. A crash in here loses nothing that the next step would not ask for again.
async fn follow(ports: &Ports, old: &Rollout, decided: &Step, now: Timestamp) -> Result<(), EngineError> {
    let id = || old.rollout_id.clone();
    for effect in &decided.effects {
        match effect {
            Effect::TakeOver => take_over(ports, &decided.next, now).await?,
            Effect::Resolve => ports.queues.send(&[Job::Resolve { rollout_id: id() }], 0).await?,
            Effect::Plan => ports.queues.send(&[Job::Plan { rollout_id: id() }], 0).await?,
            Effect::PlanPages(pages) => {
                let pages = pages.iter().take(PLAN_PAGES_AT_ONCE);
                let jobs: Vec<Job> = pages.map(|page| Job::PlanPage { rollout_id: id(), page: *page }).collect();
                ports.queues.send(&jobs, 0).await?;
            }
            Effect::CheckDeadlines => {
                let shards = 0..rows::SHARDS;
                let jobs: Vec<Job> = shards.map(|shard| Job::CheckDeadlines { rollout_id: id(), shard }).collect();
                ports.queues.send(&jobs, 0).await?;
            }
            Effect::Wake(at) => wake(ports, &old.rollout_id, *at, now).await?,
            Effect::Emit(..) | Effect::Promote | Effect::Ban(_) => {}
        }
    }
    if old.status.live() && !decided.next.status.live() {
        let head = heads::get(&*ports.store, &old.repository, &old.policy_id).await?;
        if let Some(waiting) = head.waiting {
            ports.queues.send(&[Job::Step { rollout_id: waiting }], 0).await?;
        }
    }
    Ok(())
}

async fn wake(ports: &Ports, rollout_id: &RolloutId, at: Timestamp, now: Timestamp) -> Result<(), EngineError> {
    let wait = at.duration_since(now).max(SignedDuration::ZERO);
    // A whole second later than asked for, never earlier: an early step would only ask again.
    let seconds = wait.as_secs() + i64::from(wait.subsec_nanos() > 0);
    if seconds <= LONGEST_DELAY_SECONDS {
        ports.queues.send(&[Job::Step { rollout_id: rollout_id.clone() }], seconds as u32).await?;
    } else {
        ports.scheduler.step_at(rollout_id, at).await?;
    }
    Ok(())
}

/// A waiting rollout takes the head's live place. Where others are faster, its next step tries again.
async fn take_over(ports: &Ports, rollout: &Rollout, now: Timestamp) -> Result<(), EngineError> {
    let store = &*ports.store;
    let head = heads::get(store, &rollout.repository, &rollout.policy_id).await?;
    if head.waiting.as_ref() != Some(&rollout.rollout_id) {
        return Ok(());
    }
    let live = find(store, head.rollout.as_ref()).await?;
    let live = live.filter(|live| live.status.live() || live.status == Status::Expired);
    let next = Head { rollout: Some(rollout.rollout_id.clone()), waiting: None, ..head };
    let mut writes = vec![heads::save(&next), rollouts::still(rollout, Status::Pending)];
    if let Some(live) = live {
        writes.extend(superseded(&live, &rollout.rollout_id, now));
    }
    match store.write(&writes).await {
        Ok(()) | Err(WriteError::Refused(_) | WriteError::Conflict) => {
            let again = Job::Step { rollout_id: rollout.rollout_id.clone() };
            ports.queues.send(&[again], 1).await.map_err(Into::into)
        }
        Err(WriteError::Store(error)) => Err(error.into()),
    }
}
