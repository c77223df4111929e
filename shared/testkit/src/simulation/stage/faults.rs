//! Which calls fail, which functions die, and which are taken for dead.

use rand::Rng;
use tidegate_engine::ports::Table;

use super::tasks::owner_name;
use super::{Event, Owner, Stage};
use crate::world::{Call, TaskId, Ticket};

impl Stage {
    pub(super) fn decide(&mut self, ticket: Ticket) {
        let Some(waiting) = self.driver.waiting().into_iter().find(|waiting| waiting.ticket == ticket) else { return };
        let recorder = matches!(self.owners.get(&waiting.task), Some(Owner::Stream { .. }));
        if self.faults && recorder && self.scenario.crash > 0 && self.one_in_thousand(20) {
            return self.given_up(waiting.task, ticket);
        }
        if self.faults && self.one_in_thousand(self.scenario.crash) {
            return match self.rng.random_range(0..3) {
                0 => self.given_up(waiting.task, ticket),
                _ => self.crash(waiting.task, "dies"),
            };
        }
        let decision = if self.faults {
            self.scenario.chances.draw(&waiting.call, &mut self.rng)
        } else {
            crate::world::Decision::Proceed
        };
        if decision != crate::world::Decision::Proceed {
            *self.injected.entry(waiting.task).or_insert(0) += 1;
            self.coverage.met(format!("fault: {}", fault_name(decision)));
        }
        if self.story.is_some() && matches!(*waiting.call, Call::Write { .. }) {
            let who = self.owners.get(&waiting.task).map(owner_name).unwrap_or_default();
            let call = waiting.call.to_string();
            self.tell(|| format!("{who}: {call} [{decision:?}]"));
        }
        if let Call::Write { writes } = &*waiting.call {
            let touches = |table| writes.iter().any(|(_, key)| key.as_ref().is_some_and(|key| key.table == table));
            self.rollouts_written |= touches(Table::Rollouts);
            self.policies_written |= touches(Table::Policies);
        }
        self.driver.resume(ticket, decision);
    }

    pub(super) fn crash(&mut self, task: TaskId, how: &str) {
        if self.driver.crash(task).is_none() {
            return;
        }
        self.coverage.met(format!("fault: a function {how}"));
        if let Some(owner) = self.owners.remove(&task) {
            let who = owner_name(&owner);
            self.tell(|| format!("{who} {how}"));
            self.failed(&owner);
        }
    }

    /// Its caller takes it for dead and asks again; it goes on all the same.
    fn given_up(&mut self, task: TaskId, ticket: Ticket) {
        let works = matches!(
            self.owners.get(&task),
            Some(Owner::Message(_) | Owner::Stream { .. } | Owner::Publisher { .. } | Owner::Sweep)
        );
        // A worker may stand still for longer than its message waits; an API's caller has hung up long before.
        let still = if works { self.rng.random_range(5..8_000) } else { self.rng.random_range(5..1_000) };
        self.after(still, Event::Call(ticket));
        if let Some(owner) = self.owners.insert(task, Owner::Nobody)
            && owner != Owner::Nobody
        {
            self.coverage.met("fault: a function is taken for dead");
            let who = owner_name(&owner);
            self.tell(|| format!("{who} is taken for dead, and goes on"));
            self.failed(&owner);
        }
    }
}

fn fault_name(decision: crate::world::Decision) -> &'static str {
    use crate::world::Decision as D;
    match decision {
        D::Proceed => "none",
        D::FailBefore => "a call is throttled",
        D::FailAfter => "a call's answer is lost",
        D::FailHalfway => "a call is half done",
        D::Conflict => "a transaction is in the way",
        D::Stale { .. } => "a read is stale",
        D::ShortPage { .. } => "a page is short",
    }
}
