//! The step: the one place that decides whether a batch opens, and how a rollout goes on.
//!
//! It is level-triggered: given the rollout, the journal pages since its cursor and the time, it says what the rollout
//! becomes. Called once too often it changes nothing; called too late it catches up.

mod batch;
mod ending;
mod fold;
mod rollback;
mod start;

pub use fold::contents;

use jiff::Timestamp;

use crate::context::Plan;
use crate::event::ImageEvent;
use crate::image::Digest;
use crate::instant::later;
use crate::journal::Page;
use crate::rollout::{Rollout, Status};
use crate::strategy::{Facts, Refused, ShownStage, Verdict, shown, winner};

/// How old a function's copy of a rollout may be, in seconds: how late a pause can be.
pub const MEMORY_SECONDS: i64 = 5;

/// An end is declared no earlier than this after a command, in seconds: every copy from before it is gone by then.
pub const SETTLE_SECONDS: i64 = MEMORY_SECONDS + 60;

/// Between two looks through an unsettled batch's rows, in seconds.
pub const CHECK_SECONDS: i64 = 300;

/// How long a digest is asked for before a rollout goes on without it, in seconds.
pub const RESOLVE_SECONDS: i64 = 120;

/// One that waits behind another is asked for no sooner than this after the last notice of its tag, in seconds: one push
/// can be told several times.
pub const QUIET_SECONDS: i64 = 10;

/// What is known of a rollout's preparation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Preparation {
    /// What the registry said; absent until it was asked after the last notice.
    pub resolution: Option<Resolution>,
    /// The frozen order; absent until planned.
    pub order: Option<Order>,
    /// Pages of the plan that were not assigned yet.
    pub missing_pages: Vec<u32>,
    /// The planned rows of the pages that were, as one page of the journal would count them.
    pub planned: Page,
}

/// What the registry said of a rollout's tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// It means this digest.
    Digest(Digest),
    /// It could not be asked, or does not know.
    Unresolved(String),
}

/// A frozen order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// Devices in it.
    pub total: u32,
    /// Pages that it is stored in.
    pub pages: u32,
}

/// What the head says that a pending rollout must know.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HeadState {
    /// It does not have the head's live place yet.
    pub waits: bool,
    /// It may take that place: nobody live has it, or the policy lets a newer image supersede.
    pub may_take: bool,
    /// The digest that the head's live rollout, or else its promoted image, has.
    pub ahead: Option<Digest>,
    /// Why its own digest is kept out.
    pub bad: Option<String>,
    /// Of what devices of an unpinned rollout pulled, what is kept out, and why. Read also after it began.
    pub kept_out: Vec<(Digest, String)>,
}

/// Everything that a step looks at.
#[derive(Debug, Clone, PartialEq)]
pub struct Inputs<'a> {
    /// Journal pages after the cursor, in order, with their numbers.
    pub pages: &'a [(u32, Page)],
    /// Read while the rollout is pending.
    pub preparation: &'a Preparation,
    /// Read while the rollout is pending, and while devices tell what an unpinned one brings.
    pub standing: &'a HeadState,
    /// The time.
    pub now: Timestamp,
}

/// What is to be done beside storing the rollout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// In the same transaction: an event.
    Emit(ImageEvent, Detail),
    /// In the same transaction: the image is proven.
    Promote,
    /// In the same transaction: the digest is kept out, for this reason.
    Ban(String),
    /// The rollout takes the head's live place, superseding who has it.
    TakeOver,
    /// Afterwards: ask the registry.
    Resolve,
    /// Afterwards: freeze the order.
    Plan,
    /// Afterwards: assign these pages.
    PlanPages(Vec<u32>),
    /// Afterwards: look through the rows for late devices.
    CheckDeadlines,
    /// Afterwards: step again then.
    Wake(Timestamp),
}

/// What an event says beside its name.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Detail {
    /// The batch that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<u32>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who, for a person's decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

impl Detail {
    /// With a reason.
    pub fn because(reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..Self::default() }
    }

    /// About a batch.
    pub fn batch(number: u32) -> Self {
        Self { batch: Some(number), ..Self::default() }
    }
}

/// What a step leads to.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The rollout as it is to be stored; its revision is the old one where nothing is to be stored.
    pub next: Rollout,
    /// In order.
    pub effects: Vec<Effect>,
    /// In words: what it waits for, or what it did.
    pub report: String,
}

/// A step under way.
struct Stepping<'a> {
    next: Rollout,
    plan: &'a Plan,
    inputs: &'a Inputs<'a>,
    now: Timestamp,
    /// What of the contents that devices pulled stops it.
    contents: Option<Refused>,
    effects: Vec<Effect>,
}

/// Decides how the rollout goes on.
pub fn step(rollout: &Rollout, plan: &Plan, inputs: &Inputs<'_>) -> Step {
    let mut stepping = Stepping::folded(rollout, plan, inputs);
    let report = match stepping.next.status {
        Status::Pending => stepping.prepare(),
        Status::AwaitingApproval => stepping.await_approval(),
        Status::Scheduled => stepping.enter(),
        Status::InProgress => stepping.progress(),
        Status::Paused => stepping.paused(),
        Status::RollingBack => stepping.roll_back(),
        Status::Completed
        | Status::Failed
        | Status::Cancelled
        | Status::Superseded
        | Status::Rejected
        | Status::Expired
        | Status::RolledBack => stepping.drain(),
    };
    stepping.finish(rollout, report)
}

/// The rollout's stages as people see them: what each gate says is what the step would hear now.
pub fn stages(rollout: &Rollout, plan: &Plan, inputs: &Inputs<'_>) -> Vec<ShownStage> {
    let stepping = Stepping::folded(rollout, plan, inputs);
    shown(&plan.stages, stepping.place(), &stepping.facts())
}

impl<'a> Stepping<'a> {
    /// With everything folded in that the journal holds, and nothing decided.
    fn folded(rollout: &Rollout, plan: &'a Plan, inputs: &'a Inputs<'a>) -> Self {
        let now = inputs.now;
        let mut stepping = Self { next: rollout.clone(), plan, inputs, now, contents: None, effects: Vec::new() };
        stepping.fold(rollout);
        stepping
    }

    fn facts(&self) -> Facts<'_> {
        let (policy, contents) = (&self.plan.policy, self.contents.as_ref());
        Facts { rollout: &self.next, policy, contents, now: self.now }
    }

    /// What the gates say that the rollout stands before.
    fn verdict(&self) -> Verdict {
        winner(self.plan.stages.gates_behind(self.place()), &self.facts())
    }

    /// The stage whose gates it stands before: 0 is the entry.
    fn place(&self) -> u32 {
        match self.next.status {
            Status::AwaitingApproval | Status::Scheduled => 0,
            _ => self.next.batch,
        }
    }

    fn emit(&mut self, event: ImageEvent, detail: Detail) {
        self.effects.push(Effect::Emit(event, detail));
    }

    fn finish(mut self, before: &Rollout, report: String) -> Step {
        if self.next != *before || self.effects.iter().any(Effect::in_transaction) {
            self.next.revision = before.revision + 1;
        }
        Step { next: self.next, effects: self.effects, report }
    }

    /// Asks to be called again where only time is missing.
    fn wake_at(&mut self, until: Option<Timestamp>) {
        if let Some(until) = until {
            self.wake(until);
        }
    }

    /// Asks to be called again at `at`, unless an earlier call is under way.
    fn wake(&mut self, at: Timestamp) {
        let asked = self.next.wake_at.filter(|asked| *asked > self.now);
        if asked.is_none_or(|asked| at < asked) {
            self.next.wake_at = Some(at);
            self.effects.push(Effect::Wake(at));
        }
    }

    /// Whether an end may be declared: no function still acts on a copy from before the last command.
    fn settled_since_command(&mut self) -> bool {
        let Some(at) = self.next.command_at else { return true };
        let due = later(at, SETTLE_SECONDS);
        if due > self.now {
            self.wake(due);
        }
        due <= self.now
    }

    /// While anything is in flight, rows are looked through every few minutes, and not before anyone can be late.
    fn watch(&mut self) {
        let first = i64::from(self.plan.policy.stall_seconds);
        match self.next.check_at {
            None => self.next.check_at = Some(later(self.now, first)),
            Some(at) if at <= self.now => {
                self.next.check_at = Some(later(self.now, CHECK_SECONDS));
                self.effects.push(Effect::CheckDeadlines);
            }
            Some(_) => {}
        }
    }
}

impl Effect {
    /// Whether it is part of the rollout's own transaction.
    pub const fn in_transaction(&self) -> bool {
        match self {
            Self::Emit(..) | Self::Promote | Self::Ban(_) => true,
            Self::TakeOver | Self::Resolve | Self::Plan | Self::PlanPages(_) | Self::CheckDeadlines | Self::Wake(_) => {
                false
            }
        }
    }
}

#[cfg(test)]
mod tests;
