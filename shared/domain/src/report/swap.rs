//! A swap, as the bodies around it tell of it: what ran before is told until the new container is there, and some bodies
//! come late. What a body says of a service counts for what runs after the swap where it cannot be what ran before.

use super::{Report, Reports, is_known};
use crate::assignment::{Progress, Reason};
use crate::device::{Device, Running};
use crate::event::DeviceEvent;
use crate::image::{Digest, Repository};

/// Where a service stood in a swap when a body was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// In none: it has not begun, or is put off.
    AtRest,
    /// A swap begins: what runs is what ran before.
    Begins,
    /// A swap may be under way, or over: the body does not say.
    Unsaid,
    /// The new container was there, or the swap had failed.
    Over,
}

impl Moment {
    /// Of this service of the repository's.
    pub(super) fn of(device: &Device, repository: &Repository, service: &str, body: &Reports) -> Self {
        use DeviceEvent as E;
        let Some(place) = device.tracks.get(repository).and_then(|track| track.current.as_ref()) else {
            return Self::AtRest;
        };
        let is_of = |report: &&Report| {
            report.rollout_id == place.rollout_id && report.service.as_ref().is_none_or(|named| named == service)
        };
        let events = || body.reports.iter().filter(is_of).map(|report| report.event);
        let is_over = |event| {
            let fails = matches!(event, E::HealthCheckFailed | E::UpdateFailed | E::RolledBack | E::RollbackFailed);
            fails || matches!(event, E::UpdateCompleted | E::HealthCheckPassed)
        };
        if events().any(is_over) {
            return Self::Over;
        }
        if events().any(|event| event == E::ContainerUpdating) {
            return Self::Begins;
        }
        if events().any(|event| matches!(event, E::UpdateBlocked | E::UpdateDeferred)) {
            return Self::AtRest;
        }
        match place.progress {
            Progress::Swapping | Progress::Failed { reason: Reason::TimedOut, .. } => Self::Unsaid,
            _ => Self::AtRest,
        }
    }

    /// Whether this content, told now, may be what ran before the swap.
    pub(super) fn may_be_before(self, old: Option<&Running>, told: &Digest) -> bool {
        let before_swap = old.is_none_or(|old| old.before_swap);
        let same = old.and_then(|old| old.digest.as_ref()).map(|digest| digest == told);
        match self {
            Self::AtRest | Self::Over => false,
            Self::Begins => true,
            // Another content than before is the new one; and so is what was told of the new container once already.
            Self::Unsaid => {
                if before_swap {
                    same != Some(false)
                } else {
                    same != Some(true)
                }
            }
        }
    }
}

/// A device that swapped without having been told to may tell its digest in the same body: that one counts. So it does
/// where it went back, or tried to: what it told before that says nothing of what runs now.
pub(super) fn begin(device: &mut Device, report: &Report) {
    use DeviceEvent as E;
    if matches!(report.event, E::RolledBack | E::RollbackFailed)
        && let Some((repository, place)) = device.assignment(&report.rollout_id)
        && !is_known(place, report)
    {
        let repository = repository.clone();
        let services = device.services.iter_mut().filter(|(_, service)| service.repository == repository);
        let named = services.filter(|(name, _)| report.service.as_ref().is_none_or(|it| it == *name));
        for running in named.filter_map(|(_, service)| service.running.as_mut()) {
            running.before_swap = true;
        }
    }
    if !matches!(report.event, E::ContainerUpdating | E::UpdateCompleted | E::HealthCheckPassed) {
        return;
    }
    let place = device.assignment(&report.rollout_id).filter(|(_, place)| place.progress.before_swap());
    if let Some(repository) = place.map(|(repository, _)| repository.clone()) {
        device.swaps(&repository);
    }
}
