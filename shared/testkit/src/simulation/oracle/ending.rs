//! What must hold when nothing moves any more.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use tidegate_domain::assignment::{Progress, Reason};
use tidegate_domain::context::{Plan, RolloutContext, RolloutContexts};
use tidegate_domain::counts::Class;
use tidegate_domain::device::Device;
use tidegate_domain::event::DeviceEvent;
use tidegate_domain::ids::DeviceUuid;
use tidegate_domain::rollout::{Rollout, Status};
use tidegate_domain::row::Row;
use tidegate_domain::target::target_state;
use tidegate_engine::entities::events;
use tidegate_engine::ports::{BusEntry, Table};

use super::super::agent::{Agent, SERVICE, Work};
use super::super::scenario::{digest, other_digest, repushed};
use super::Oracle;
use super::stored::{all_devices, all_rows, remainders, rollouts};
use crate::memory::MemoryStore;

impl Oracle {
    pub(in crate::simulation) fn judge_the_end(
        &mut self,
        store: &MemoryStore,
        agents: &[Agent],
        bus: &[BusEntry],
        now: Timestamp,
    ) {
        self.audit(store);
        for remainder in remainders(store).iter().filter(|remainder| remainder.next.is_some()) {
            self.wrong(format!("nobody went on with {}: {:?}", remainder.delivery_id, remainder.next));
        }
        let all = rollouts(store);
        for rollout in &all {
            if rollout.status.live() || rollout.status == Status::RollingBack || rollout.live.is_some() {
                self.wrong(format!(
                    "{} never came to rest: {} {:?}, {:?}",
                    rollout.rollout_id,
                    rollout.status.name(),
                    rollout.reason,
                    rollout.counts()
                ));
            }
        }
        let known: RolloutContexts =
            all.iter().map(|rollout| (rollout.rollout_id.clone(), std::sync::Arc::new(self.known(rollout)))).collect();
        let stored = all_devices(store);
        for agent in
            agents.iter().filter(|agent| !agent.liar && !agent.gone && agent.away_until <= now.as_millisecond())
        {
            if let Some(device) = stored.iter().find(|device| device.device_uuid == agent.uuid) {
                self.judge_device(agent, device, &known, now);
                self.judge_proof(store, agent, device, &all);
            }
        }
        self.judge_rows(store, agents, &stored);
        self.judge_bus(store, bus);
        self.judge_promoted(store);
    }

    fn known(&self, rollout: &Rollout) -> RolloutContext {
        RolloutContext { rollout: rollout.clone(), plan: Plan::of(self.policy(&rollout.rollout_id).clone()) }
    }

    /// It runs exactly what its target says, and that is a known image.
    fn judge_device(&mut self, agent: &Agent, device: &Device, known: &RolloutContexts, now: Timestamp) {
        let target = target_state(device, known, now);
        let place = device.tracks.values().next().and_then(|track| track.current.as_ref());
        let Some(service) = target.services.get(SERVICE) else {
            // Of one that found no way back, and tells nothing, nobody knows what it keeps.
            let is_stuck = place.is_some_and(|place| matches!(place.progress, Progress::Stuck { .. }));
            if !(is_stuck && agent.terse.is_some()) {
                self.wrong(format!("device {} has no target", agent.uuid));
            }
            return;
        };
        let runs = &agent.runs.1;
        let is_known = (0..40).any(|n| *runs == digest(n) || *runs == other_digest(n) || *runs == repushed(n));
        if !is_known {
            self.wrong(format!("device {} runs an image that nobody pushed", agent.uuid));
        }
        let is_there = match &service.digest {
            Some(digest) => digest == runs,
            None => service.image.ends_with(&format!(":{}", agent.runs.0)),
        };
        // Outside its window a device stays on what it has.
        if !is_there && place.is_none_or(|place| self.policy(&place.rollout_id).window.is_none()) {
            let progress = place.map(|place| &place.progress);
            self.wrong(format!(
                "device {} runs {} and should run {} ({:?}, {:?})",
                agent.uuid,
                agent.runs.0,
                service.image,
                service.rollout.as_ref().map(|m| m.action),
                progress
            ));
        }
    }

    fn judge_rows(&mut self, store: &MemoryStore, agents: &[Agent], devices: &[Device]) {
        let honest: BTreeSet<DeviceUuid> = agents.iter().filter(|agent| !agent.liar).map(|agent| agent.uuid).collect();
        let all = rollouts(store);
        for row in all_rows(store) {
            let status = all.iter().find(|rollout| rollout.rollout_id == row.rollout_id).map(|rollout| rollout.status);
            if status == Some(Status::RolledBack) && row.class.may_run_new() {
                self.wrong(format!(
                    "{} is rolled back, and device {} counts as {:?}",
                    row.rollout_id, row.device_uuid, row.class
                ));
            }
            if matches!(row.class, Class::Updating | Class::Reverting) {
                self.wrong(format!("device {} never settled in {}", row.device_uuid, row.rollout_id));
            }
            let device = devices.iter().find(|device| device.device_uuid == row.device_uuid);
            if let Some((_, assignment)) = device.and_then(|device| device.assignment(&row.rollout_id))
                && assignment.progress.class() != row.class
                // Who came back to what was rolled out before it left gets that without a row.
                && !(status.is_some_and(|status| !status.waits_for_devices()) && row.reason == Some(Reason::Removed))
            {
                self.wrong(format!(
                    "device {} is {:?}, and its row in {} says {:?}",
                    row.device_uuid, assignment.progress, row.rollout_id, row.class
                ));
            }
            if honest.contains(&row.device_uuid)
                && let Some(wrong) = illegal(&row)
            {
                self.wrong(format!("device {} in {}: {wrong}", row.device_uuid, row.rollout_id));
            }
        }
    }

    /// Every event reached the bus.
    fn judge_bus(&mut self, store: &MemoryStore, bus: &[BusEntry]) {
        let published: BTreeSet<&str> = bus.iter().filter_map(|entry| entry.detail.get("event_id")?.as_str()).collect();
        for item in store.peek_all(Table::Events) {
            let Ok(event) = events::parse((*item).clone()) else { continue };
            let id = format!("{}/{}", event.stream, event.event_id);
            if !published.contains(id.as_str()) {
                self.wrong(format!("{} ({id}) was never published", event.name));
            }
        }
        for row in all_rows(store) {
            for n in 0..row.history.len() {
                let id = format!("{}/{}/{n}", row.rollout_id, row.device_uuid);
                if !published.contains(id.as_str()) {
                    self.wrong(format!("{id} was never published"));
                }
            }
        }
        for rollout in rollouts(store).iter().filter(|rollout| rollout.started_at.is_some()) {
            let started = bus.iter().any(|entry| {
                entry.name == "image.rollout_started"
                    && entry.detail.get("rollout_id").and_then(|id| id.as_str()) == Some(rollout.rollout_id.as_str())
            });
            if !started {
                self.wrong(format!("{} started, and nobody was told", rollout.rollout_id));
            }
        }
    }
}

impl Oracle {
    /// Between two rounds of settling: no rollout waits for a device that has no place in it any more.
    pub(in crate::simulation) fn check_places(&mut self, store: &MemoryStore) {
        let devices = all_devices(store);
        let mut placeless = BTreeMap::new();
        for rollout in rollouts(store) {
            let back = rollout.status == Status::RollingBack;
            if rollout.status != Status::InProgress && !back {
                continue;
            }
            for row in all_rows(store).iter().filter(|row| row.rollout_id == rollout.rollout_id) {
                let waited_for = row.class.unsettled() && rollout.open_for(row.position)
                    || back && matches!(row.class, Class::Healthy | Class::Failed | Class::Reverting);
                let device = devices.iter().find(|device| device.device_uuid == row.device_uuid);
                let has_place = device.is_some_and(|device| device.assignment(&row.rollout_id).is_some());
                if waited_for && !has_place {
                    let key = (row.rollout_id.clone(), row.device_uuid);
                    let rounds = self.placeless.get(&key).copied().unwrap_or(0) + 1;
                    placeless.insert(key, rounds);
                }
            }
        }
        self.placeless = placeless;
        if let Some((id, device)) = self.placeless.iter().find(|(_, rounds)| **rounds > 5).map(|(key, _)| key) {
            self.wrong(format!("{id} waits for device {device}, which has no place in it"));
        }
    }
}

/// Nothing moves any more: every rollout ended and drained, every reachable device is where it should be.
pub(in crate::simulation) fn is_at_rest(store: &MemoryStore, agents: &[Agent]) -> bool {
    let over = rollouts(store)
        .iter()
        .all(|rollout| !rollout.status.live() && rollout.status != Status::RollingBack && rollout.live.is_none());
    let finished = remainders(store).iter().all(|remainder| remainder.next.is_none());
    over && finished
        && agents.iter().all(|agent| {
            agent.away_until == i64::MAX
                || agent.gone
                || (agent.outbox.is_empty() && matches!(agent.work, Work::Idle | Work::Ready(_)))
        })
}

/// What is wrong with the order of a row's events, if anything is.
fn illegal(row: &Row) -> Option<String> {
    use DeviceEvent as E;
    let mut last_stage = 0;
    for (n, happened) in row.history.iter().enumerate() {
        let stage = match happened.event {
            E::ImageUpdateScheduled if n > 0 => {
                // It was moved away, or taken by another policy's rollout when it was done here, and came back.
                let left = |event| {
                    matches!(
                        event,
                        E::UpdateSkipped
                            | E::UpdateCompleted
                            | E::HealthCheckPassed
                            | E::HealthCheckFailed
                            | E::UpdateFailed
                            | E::UpdateTimedOut
                            | E::RolledBack
                    )
                };
                if !row.history[..n].iter().any(|before| left(before.event)) {
                    return Some(format!("{} is event {n}", happened.event));
                }
                last_stage = 0;
                continue;
            }
            E::ImageUpdateScheduled => 0,
            E::ImagePulling => 1,
            E::ImagePulled => 2,
            E::ContainerUpdating => 3,
            E::UpdateCompleted => 4,
            E::HealthCheckPassed | E::HealthCheckFailed | E::UpdateFailed => 5,
            E::RolledBack | E::RollbackFailed => 6,
            // Told by the server, or at any time.
            E::UpdateDeferred | E::UpdateBlocked | E::UpdateTimedOut | E::UpdateSkipped | E::Reenrolled => continue,
        };
        if n == 0 && happened.event != E::ImageUpdateScheduled {
            return Some(format!("{} comes first", happened.event));
        }
        let again = stage == 6 && last_stage == 6;
        if stage <= last_stage && n > 0 && !again {
            return Some(format!("{} comes after stage {last_stage}", happened.event));
        }
        last_stage = stage;
    }
    None
}
