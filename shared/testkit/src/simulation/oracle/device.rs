//! What may be written on a device's item, and started on a device.

use tidegate_domain::assignment::{Assignment, Progress, Reason};
use tidegate_domain::device::{Device, Track};
use tidegate_domain::ids::{DeviceUuid, RolloutId};
use tidegate_domain::image::Digest;
use tidegate_domain::pin::Pin;
use tidegate_domain::policy::OnDrift;
use tidegate_domain::rollout::{Rollout, Status};
use tidegate_domain::step::MEMORY_SECONDS;
use tidegate_domain::swap_time::{SwapTime, swap_time};

use super::super::agent::Agent;
use super::super::scenario::{STRANGER, digest};
use super::stored::{self, all_devices};
use super::{Oracle, READ_MS, SKEW};
use crate::memory::MemoryStore;

impl Oracle {
    /// A device's item was written: nothing starts that the rollout, as it was a moment ago, does not allow.
    pub(in crate::simulation) fn device_written(&mut self, old: Option<&Device>, new: &Device, now: i64) {
        if old.is_some_and(|old| new.rev != old.rev + 1) {
            let uuid = new.device_uuid;
            self.wrong(format!("device {uuid}: a revision was overwritten"));
        }
        if old.is_some_and(|old| old.fleet_id != new.fleet_id || old.deleted_at != new.deleted_at) {
            self.moved(new, now);
        }
        self.check_healthy(new);
        for (repository, track) in &new.tracks {
            let before = old.and_then(|old| old.tracks.get(repository));
            let left = before
                .and_then(|before| before.current.as_ref())
                .is_some_and(|place| place.progress == Progress::Skipped { reason: Reason::Removed });
            if !left && track.generation() < before.map_or(0, Track::generation) {
                self.wrong(format!("device {}: an older rollout took over", new.device_uuid));
            }
            if let (Some(current), Some(next)) = (&track.current, &track.next)
                && next.generation <= current.generation
            {
                self.wrong(format!("device {}: waits for an older rollout", new.device_uuid));
            }
            let Some(current) = &track.current else { continue };
            if let Some(was) = before.and_then(|before| before.current.as_ref())
                && was.rollout_id != current.rollout_id
            {
                self.left.insert((new.device_uuid, was.rollout_id.clone()), now);
            }
            if let Some((old, before)) = old.zip(before) {
                self.planned(old, before, new, track);
            }
            let was =
                before.and_then(|before| before.current.as_ref()).filter(|was| was.rollout_id == current.rollout_id);
            let starts = matches!(current.progress, Progress::Offered)
                && !was.is_some_and(|was| matches!(was.progress, Progress::Offered | Progress::Blocked { .. }));
            let swaps = matches!(current.progress, Progress::Swapping)
                && was.is_some_and(|was| matches!(was.progress, Progress::Pulled | Progress::Blocked { .. }));
            let zoneless = (starts || swaps)
                && swap_time(self.policy(&current.rollout_id), new.timezone.as_deref(), new.last_seen)
                    == SwapTime::NoZone;
            if zoneless {
                let (uuid, zone) = (new.device_uuid, &new.timezone);
                self.wrong(format!("device {uuid} is moved in a zone that nobody knows ({zone:?})"));
            }
            if (starts || swaps) && !self.was_open(&current.rollout_id, current.position, now) {
                let what = if starts { "was offered" } else { "may swap to" };
                self.wrong(format!(
                    "device {} (position {}) {what} the image of {}, which is not open to it",
                    new.device_uuid, current.position, current.rollout_id
                ));
            }
        }
    }

    /// A device was moved or deleted: it takes no part, before the swap, in what is not for it any more. Nobody waits for
    /// one that was deleted, past the swap neither.
    fn moved(&mut self, device: &Device, now: i64) {
        let places = device.tracks.values().flat_map(|track| track.current.iter().chain(&track.next));
        let takes_part = |place: &&Assignment| {
            place.progress.can_leave() || device.deleted_at.is_some() && place.progress == Progress::Swapping
        };
        let wrong = places.filter(takes_part).find(|place| {
            // What it was for a while: the function that moved the device may have read an older status.
            let live = self.states_since(&place.rollout_id, now - READ_MS).all(|rollout| rollout.status.live());
            let selector = &self.policy(&place.rollout_id).selector;
            live && (device.deleted_at.is_some() || !selector.selects(&device.fleet_id, &device.tags))
        });
        if let Some(place) = wrong {
            self.wrong(format!(
                "device {} is in {} now, and still {:?} in {}",
                device.device_uuid, device.fleet_id, place.progress, place.rollout_id
            ));
        }
    }

    /// Every state that a rollout was in since then.
    fn states_since(&self, id: &RolloutId, since: i64) -> impl Iterator<Item = &Rollout> {
        let states = self.history.get(id).map_or(&[][..], Vec::as_slice);
        let ends = states.iter().skip(1).map(|(at, _)| *at).chain([i64::MAX]);
        states.iter().zip(ends).filter(move |(_, until)| *until >= since).map(|((_, rollout), _)| rollout)
    }

    /// A device that runs what nobody ever pushed gets a place: only where the policy does not hold such devices, and
    /// with that as its way back where the policy adopts them.
    fn planned(&mut self, old: &Device, before: &Track, new: &Device, track: &Track) {
        let Some(repository) = old.tracks.keys().next() else { return };
        let place = |track: &Track| track.current.as_ref().map(|current| current.rollout_id.clone());
        let strays = old.running_digest(repository) == Some(&digest(STRANGER));
        if !strays || place(before) == place(track) || before.next.is_some() {
            return;
        }
        let known =
            |pin: Option<&Pin>| pin.is_none_or(|pin| pin.digest.as_ref().is_some_and(|it| *it != digest(STRANGER)));
        let states = before.current.as_ref().and_then(|current| self.history.get(&current.rollout_id));
        let rollout = states.and_then(|states| states.last()).map(|(_, rollout)| rollout);
        let rests = before.current.as_ref().is_none_or(|current| {
            matches!(
                current.progress,
                Progress::Waiting | Progress::Deferred | Progress::Healthy | Progress::Skipped { .. }
            )
        });
        let told = rests
            && before.baseline.is_some()
            && known(before.baseline.as_ref())
            && known(before.resting.as_ref())
            && known(rollout.map(|rollout| &rollout.target))
            && rollout.is_none_or(|rollout| !rollout.status.takes_back());
        let held = track.current.as_ref().is_some_and(|current| matches!(current.progress, Progress::Skipped { .. }));
        let stranger = Some(&digest(STRANGER));
        let adopted = before.baseline.as_ref().and_then(|pin| pin.digest.as_ref()) == stranger;
        let kept = track.baseline.as_ref().and_then(|pin| pin.digest.as_ref()) == stranger;
        let Some(current) = &track.current else { return };
        match self.policy(&current.rollout_id).on_drift {
            OnDrift::Hold if told && !held => {
                self.wrong(format!("device {} drifted, and was not held", new.device_uuid));
            }
            OnDrift::Adopt if told && !kept => {
                self.wrong(format!("device {} drifted, and that was not adopted", new.device_uuid));
            }
            // Another policy may have adopted it before.
            OnDrift::Converge if kept && !adopted => {
                self.wrong(format!("device {} goes back to a stranger", new.device_uuid));
            }
            OnDrift::Hold | OnDrift::Adopt | OnDrift::Converge => {}
        }
    }

    /// Whether the rollout was open to the position at some moment of the last seconds.
    fn was_open(&self, id: &RolloutId, position: u32, now: i64) -> bool {
        self.states_since(id, now - MEMORY_SECONDS * 1_000 - SKEW).any(|rollout| {
            matches!(rollout.status, Status::InProgress | Status::Completed) && rollout.open_for(position)
        })
    }

    /// Nobody who told what it pulled swaps to what the policy keeps out, unless a person had that tried again.
    fn check_content(
        &mut self,
        store: &MemoryStore,
        device: DeviceUuid,
        id: &RolloutId,
        image: Option<&Digest>,
        now: i64,
    ) {
        let Some((_, rollout)) = self.history.get(id).and_then(|states| states.last()) else { return };
        let head = stored::head(store, rollout);
        let bad = image.and_then(|image| head.as_ref()?.bad(image).cloned());
        // What is kept out only now may have been let in before.
        if let Some(bad) = bad.filter(|bad| bad.at.as_millisecond() < rollout.created_at.as_millisecond() - SKEW)
            && !stored::is_retry(store, id)
        {
            self.wrong(format!("device {device} swaps to {} in {id} at {now}, which is kept out", bad.digest));
        }
    }

    /// A device starts what its target says outside of rollouts: none that found no way back, and was left alone since.
    pub(in crate::simulation) fn check_convergence(&mut self, store: &MemoryStore, agent: &Agent) {
        let stored = all_devices(store).into_iter().find(|stored| stored.device_uuid == agent.uuid);
        let tracks = stored.iter().flat_map(|device| device.tracks.values());
        let is_stuck = |place: &Assignment| matches!(place.progress, Progress::Stuck { .. });
        let stuck = tracks.filter_map(|track| track.current.as_ref()).find(|place| is_stuck(place));
        if let Some(place) = stuck.filter(|_| !agent.liar && agent.hand_at.is_none()) {
            self.wrong(format!("device {} is stuck in {}, and is moved", agent.uuid, place.rollout_id));
        }
    }

    /// A device replaces its container.
    pub(in crate::simulation) fn swap_begins(
        &mut self,
        store: &MemoryStore,
        device: DeviceUuid,
        id: &RolloutId,
        image: Option<&Digest>,
        now: i64,
    ) {
        self.check_content(store, device, id, image, now);
        let stored = all_devices(store).into_iter().find(|stored| stored.device_uuid == device);
        let Some((_, assignment)) = stored.as_ref().and_then(|stored| stored.assignment(id)) else { return };
        let ever =
            self.history.get(id).is_some_and(|states| states.iter().any(|(_, r)| r.open_for(assignment.position)));
        if !ever {
            let position = assignment.position;
            self.wrong(format!("device {device} runs the image of {id} at position {position}, which was never open"));
        }
    }
}
