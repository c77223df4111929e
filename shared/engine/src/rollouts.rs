//! Reading rollouts: counts as they are now, and what a rollout waits for.

use jiff::Timestamp;
use tidegate_domain::context::Plan;
use tidegate_domain::ids::RolloutId;
use tidegate_domain::rollout::{Rollout, Status};
use tidegate_domain::step::{Inputs, stages, step};
use tidegate_domain::strategy::ShownStage;

use crate::entities::{journal, plans, rollouts, tags};
use crate::error::EngineError;
use crate::ports::{Freshness, Store};

/// A rollout as it is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// With the journal's newest pages counted in.
    pub rollout: Rollout,
    /// Its policy's snapshot.
    pub plan: Plan,
    /// In words, why nothing moves now, or what just happened.
    pub waiting_for: String,
    /// How far it opens, and what holds it up at each opening.
    pub stages: Vec<ShownStage>,
    /// It waits for a yes, its digest is not known, and its tag was told of after it was: when.
    pub pushed_at: Option<Timestamp>,
}

/// The rollout with the pages after its cursor counted in, read consistently.
pub async fn folded(store: &dyn Store, rollout: &Rollout) -> Result<Rollout, EngineError> {
    let mut folded = rollout.clone();
    for (_, page) in journal::after(store, &rollout.rollout_id, rollout.cursor).await? {
        page.count_into(&mut folded.batches);
    }
    Ok(folded)
}

/// A rollout as it is shown; what it waits for is what the step would say now.
pub async fn view(store: &dyn Store, id: &RolloutId, now: Timestamp) -> Result<Option<View>, EngineError> {
    let Some(rollout) = rollouts::get(store, id, Freshness::Consistent).await? else { return Ok(None) };
    let Some(beside) = plans::get(store, id).await? else { return Ok(None) };
    let pages = journal::after(store, id, rollout.cursor).await?;
    let (preparation, standing) = crate::step::prepared(store, &rollout, &beside, &pages).await?;
    let inputs = Inputs { pages: &pages, preparation: &preparation, standing: &standing, now };
    let waiting_for = step(&rollout, &beside.plan, &inputs).report;
    let stages = stages(&rollout, &beside.plan, &inputs);
    let pushed_at = pushed_at(store, &rollout).await?;
    let mut shown = rollout;
    for (_, page) in &pages {
        page.count_into(&mut shown.batches);
    }
    Ok(Some(View { rollout: shown, plan: beside.plan, waiting_for, stages, pushed_at }))
}

async fn pushed_at(store: &dyn Store, rollout: &Rollout) -> Result<Option<Timestamp>, EngineError> {
    let waits = matches!(rollout.status, Status::AwaitingApproval | Status::Expired);
    let Some(tag) = rollout.target.tag.as_ref().filter(|_| waits && rollout.target.digest.is_none()) else {
        return Ok(None);
    };
    let notice = tags::get(store, &rollout.repository, tag).await?;
    Ok(notice.map(|notice| notice.accepted_at).filter(|at| *at > rollout.heard().taken_at))
}
