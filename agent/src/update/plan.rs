//! What is done next with a service's containers. Pure: [`execute`](super::execute) does it.

#[cfg(test)]
mod tests;

use tidegate_domain::event::DeviceEvent;

use super::swap::{ServiceSwap, Swap, SwapStep};
use crate::container_spec::Strategy;
use crate::fault::Reason;
use crate::image::Image;
use crate::runtime::{Container, ContainerId, Place, State};

/// What the next step depends on beside the one before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observed {
    /// The step was done, and the swap goes on.
    Forward,
    /// The swap goes back, and these containers are there.
    Back {
        /// The one that was created for the swap.
        new: Option<ContainerId>,
        /// What is to run again.
        previous: Previous,
    },
    /// A step of the way back came to nothing.
    Stuck,
}

/// What the way back leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Previous {
    /// The old container, which is there.
    Container(ContainerId),
    /// A container of this image: the old one is gone.
    Image(Image),
    /// Nothing ran before.
    Nothing,
}

/// The step after [`ServiceSwap::step`], to the new image or back.
pub fn next_step(swap: &ServiceSwap, observed: &Observed) -> SwapStep {
    use SwapStep::{
        Check, Create, Done, GiveUp, KeepNew, RecreateOld, RemoveNew, Returned, RunPreUpdateHook, Start, StartOld,
        StopNew, SwitchOver,
    };
    match (observed, &swap.step) {
        // To the new image.
        (Observed::Forward, RunPreUpdateHook) => Create,
        (Observed::Forward, Create) => Start,
        (Observed::Forward, Start) => Check,
        (Observed::Forward, Check) if swap.strategy == Strategy::BlueGreen => SwitchOver,
        (Observed::Forward, Check | SwitchOver | Done) => Done,

        // Back to the old one.
        (Observed::Back { .. }, RunPreUpdateHook) => Returned,
        (Observed::Back { new: Some(new), previous }, Create | Start | Check | SwitchOver | Done) => match previous {
            Previous::Container(_) | Previous::Image(_) => StopNew(new.clone()),
            Previous::Nothing => RemoveNew(new.clone()),
        },
        (Observed::Back { previous, .. }, Create | Start | Check | SwitchOver | Done | StopNew(_)) => match previous {
            Previous::Container(old) => StartOld(old.clone()),
            Previous::Image(image) => RecreateOld(image.clone()),
            Previous::Nothing => Returned,
        },
        (Observed::Back { new: Some(new), .. }, StartOld(_) | RecreateOld(_)) => RemoveNew(new.clone()),
        (Observed::Back { .. }, StartOld(_) | RecreateOld(_) | RemoveNew(_) | Returned | KeepNew(_) | GiveUp) => {
            Returned
        }

        // Neither there nor back.
        (Observed::Stuck, KeepNew(_) | GiveUp) => GiveUp,
        (Observed::Stuck, _) => swap.new.clone().map_or(GiveUp, KeepNew),
        (
            Observed::Forward,
            StopNew(_) | StartOld(_) | RecreateOld(_) | RemoveNew(_) | Returned | KeepNew(_) | GiveUp,
        ) => {
            unreachable!("a swap that goes back never goes forward again")
        }
    }
}

/// Whether a swap goes back where this service of it failed. Where the new container never ran there is no choice:
/// nothing was replaced.
pub fn goes_back(swap: &Swap, failed: &str) -> bool {
    let ran = swap.services.iter().any(|one| one.service == failed && one.new_ran());
    let has_previous = swap.services.iter().any(|one| swap.previous(one).is_some());
    has_previous && (swap.options.go_back || !ran)
}

/// What is reported of a step that failed.
pub fn failure_event(step: &SwapStep, reason: Reason) -> DeviceEvent {
    if *step == SwapStep::Check && reason != Reason::HookFailed {
        DeviceEvent::HealthCheckFailed
    } else {
        DeviceEvent::UpdateFailed
    }
}

/// What is done with containers that a swap left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leftover {
    /// It is in nobody's use.
    Remove(ContainerId),
    /// It serves again.
    Restore(ContainerId),
    /// It was created and never started.
    Start(ContainerId),
}

/// What leaves a service one container. Where no swap is under way, what runs in the service's name stays; where that
/// does not run, and one that can serve again is there, that one comes back.
pub fn leftovers(containers: &[Container]) -> Vec<Leftover> {
    let ours = |place: Place| containers.iter().find(|one| one.ours && one.place == place);
    let (live, next, fallback) = (ours(Place::Live), ours(Place::Next), ours(Place::Fallback));
    let live_runs = live.is_some_and(|one| matches!(one.state, State::Running | State::Restarting(_)));
    let mut todo = Vec::new();
    match fallback {
        Some(fallback) if live_runs => todo.push(Leftover::Remove(fallback.id.clone())),
        Some(fallback) => {
            todo.extend(live.map(|live| Leftover::Remove(live.id.clone())));
            todo.push(Leftover::Restore(fallback.id.clone()));
        }
        None => {}
    }
    todo.extend(next.map(|next| Leftover::Remove(next.id.clone())));
    if let (Some(live), None) = (live, fallback)
        && live.state == State::Created
    {
        todo.push(Leftover::Start(live.id.clone()));
    }
    todo
}
