//! What a policy protects its devices by holds for every rollout that follows it, unless a person said otherwise.

use tidegate_domain::event::ImageEvent;
use tidegate_domain::policy::{Policy, Safeguard};
use tidegate_domain::rollout::{Rollout, Status};
use tidegate_domain::strategy::compile;
use tidegate_domain::swap_time::{SwapTime, swap_time};
use tidegate_domain::window::WindowZone;
use tidegate_engine::entities::events;
use tidegate_engine::ports::Table;

use super::Oracle;
use super::stored::effective;
use crate::memory::MemoryStore;

impl Oracle {
    /// Nothing is offered before the approval that the policy wants, to more devices than its batches reach, or outside
    /// its windows: unless the rollout says that a person had it passed over, and an event tells why.
    pub(super) fn check_safeguards(&mut self, store: &MemoryStore, new: &Rollout) {
        let id = &new.rollout_id;
        let frozen = self.policy(id);
        if new.started_at.zip(frozen.not_before).is_some_and(|(started, at)| started < at) {
            self.wrong(format!("{id} started before its earliest start"));
            return;
        }
        // A policy that was changed or deleted since says nothing about what this rollout had to follow.
        let Some(written) = effective(store, &frozen.id, frozen.revision) else { return };
        for safeguard in Safeguard::of(&written) {
            let kept = match safeguard {
                Safeguard::Approval => self
                    .history
                    .get(id)
                    .is_some_and(|states| states.iter().any(|(_, state)| state.status == Status::AwaitingApproval)),
                Safeguard::Batches => new.batches.len() == compile(&written).boundaries(new.total).len(),
                Safeguard::Window => in_window(&written, new),
            };
            let said = new.overridden.as_ref().is_some_and(|told| told.passed_over.contains(&safeguard));
            if !kept && !said {
                self.wrong(format!("{id} is offered without the policy's {safeguard}, and nobody said so"));
            }
            if said && !told(store, new, safeguard) {
                self.wrong(format!("{id} passes over the policy's {safeguard}, and no event tells why"));
            }
        }
    }
}

/// Whether the newest batch opened inside a window. Where each device has a zone of its own, no batch waits.
fn in_window(policy: &Policy, new: &Rollout) -> bool {
    let Some(window) = &policy.window else { return true };
    let opened = new.current().and_then(|batch| batch.opened_at);
    match (window.zone(), opened) {
        (WindowZone::Named(_), Some(at)) => matches!(swap_time(policy, None, at), SwapTime::Open(_)),
        (WindowZone::Device { .. }, _) | (_, None) => true,
    }
}

fn told(store: &MemoryStore, rollout: &Rollout, safeguard: Safeguard) -> bool {
    store.peek_all(Table::Events).iter().filter_map(|item| events::parse((**item).clone()).ok()).any(|event| {
        event.stream == rollout.rollout_id.as_str()
            && event.name == ImageEvent::PolicyOverridden.name()
            && event.detail.get("reason").and_then(|reason| reason.as_str()).is_some_and(|reason| !reason.is_empty())
            && event.detail.get("passed_over").is_some_and(|all| {
                all.as_array().is_some_and(|all| all.iter().any(|name| name.as_str() == Some(safeguard.name())))
            })
    })
}
