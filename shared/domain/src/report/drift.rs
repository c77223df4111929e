//! Drift: a service runs what neither its target nor a rollout explains. It is noticed where what runs *changes*,
//! because only then is it known what ran before: later a platform's own digest of an old image could not be told from
//! a stranger's.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::assignment::Progress;
use crate::context::RolloutContexts;
use crate::device::{Device, Track};
use crate::image::{Digest, Repository, Tag};
use crate::pin::Pin;
use crate::strategy::Phase;
use crate::target::{Action, image_target};

/// What ran before a body of reports, of the images whose running content that body changed.
pub(super) struct Changed(BTreeMap<Repository, Option<Digest>>);

impl Changed {
    /// `after` is the device with the body's services, and nothing else of it.
    pub(super) fn between(before: &Device, after: &Device) -> Self {
        let ran = |repository: &Repository| before.running_digest(repository).cloned();
        let changed = after.tracks.keys().filter(|it| before.running_digest(it) != after.running_digest(it));
        Self(changed.map(|repository| (repository.clone(), ran(repository))).collect())
    }

    /// Those that nothing explains, as the device stands now; the others have not drifted, or have no more.
    pub(super) fn unexplained(self, device: &mut Device, known: &RolloutContexts, now: Timestamp) -> Self {
        let explained = |repository: &Repository, ran: &Option<Digest>| {
            device
                .running_digest(repository)
                .is_none_or(|runs| is_explained(device, repository, ran.as_ref(), runs, known, now))
        };
        let (explained, unexplained): (BTreeMap<_, _>, BTreeMap<_, _>) =
            self.0.into_iter().partition(|(repository, ran)| explained(repository, ran));
        for repository in explained.keys() {
            device.tracks.entry(repository.clone()).or_default().drifted = None;
        }
        Self(unexplained)
    }

    /// Marks them as drifted from what ran before. One that had drifted already did so from the same.
    pub(super) fn mark(self, device: &mut Device) {
        for (repository, ran) in self.0 {
            let track = device.tracks.entry(repository).or_default();
            let from = ran.map(|digest| Pin { tag: None, digest: Some(digest) });
            track.drifted = track.drifted.take().or(from).or_else(|| track.idle().cloned());
        }
    }
}

/// Whether it is known how the device came to run this after that.
fn is_explained(
    device: &Device,
    repository: &Repository,
    ran: Option<&Digest>,
    runs: &Digest,
    known: &RolloutContexts,
    now: Timestamp,
) -> bool {
    let Some(track) = device.tracks.get(repository) else { return true };
    let facts = track.current.as_ref().and_then(|current| known.get(&current.rollout_id));
    if track.current.is_some() && facts.is_none() {
        return true;
    }
    // A swap explains itself; and what nobody can say of what should run, nobody can hold against what does.
    let Some((image, expected)) = should_run(device, repository, track, known, now) else { return true };
    let platform = device.platform.as_deref();
    let is_new = |digest: &Digest| facts.is_some_and(|facts| facts.is_target(digest, platform));
    let may_be_new = track.current.as_ref().is_some_and(|current| current.progress.before_swap())
        || expected.is_some() && facts.is_some_and(|facts| facts.rollout.target.digest == expected);
    let came_back = facts.is_some_and(|facts| facts.rollout.status.takes_back()) || went_back(track);
    let should = match &expected {
        Some(expected) => expected == runs,
        // Only a tag says what should run.
        None => device.running_tag(repository).is_none_or(|tag| by_tag(tag).image(repository) == image),
    };
    should
        || may_be_new && is_new(runs)
        // Away from the new image and back to an old one, whose platforms' digests nobody knows any more.
        || came_back && ran.is_some_and(is_new)
        // The first word of a device is that it runs what it came with.
        || ran.is_none() && track.baseline.as_ref().is_some_and(|pin| pin.digest.as_ref() == Some(runs))
        // What ran before it drifted.
        || track.drifted.as_ref().is_some_and(|pin| pin.digest.as_ref() == Some(runs))
}

/// The image that should run while nothing is swapped; `None` where a swap, there or back, is under way, or where
/// nobody knows.
fn should_run(
    device: &Device,
    repository: &Repository,
    track: &Track,
    known: &RolloutContexts,
    now: Timestamp,
) -> Option<(String, Option<Digest>)> {
    let target = image_target(device, repository, known, now)?;
    let Some(moving) = &target.rollout else { return Some((target.image, target.digest)) };
    let fetches = (moving.action, moving.phase) == (Action::Update, Phase::Download);
    let idle = known.get(&moving.rollout_id).filter(|_| fetches).and_then(|facts| track.idle_in(&facts.rollout))?;
    Some((idle.image(repository), idle.digest.clone()))
}

fn by_tag(tag: &Tag) -> Pin {
    Pin { tag: Some(tag.clone()), digest: None }
}

fn went_back(track: &Track) -> bool {
    let progress = track.current.as_ref().map(|current| &current.progress);
    matches!(progress, Some(Progress::RolledBack { .. } | Progress::Stuck { .. } | Progress::NotSeen))
}
