//! What a device remembers over restarts and power cuts: what runs, what it is at, what it has finished, and what it has
//! not told yet.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tidegate_domain::event::DeviceEvent;
use tidegate_domain::image::Digest;
use uuid::Uuid;

use crate::image::Image;
use crate::server::report::{Details, Observed, Report};
use crate::server::target::{MoveKey, TargetState};
use crate::update::swap::Swap;

/// Moves that are remembered as finished; the server names only the newest ones.
const REMEMBERED: usize = 64;

/// Reports that are kept while the server cannot be reached. A rollout makes some six of them on a device.
const OUTBOX_MAX: usize = 400;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    #[serde(flatten)]
    pub image: Image,
    /// Whether its last check passed.
    pub healthy: bool,
    #[serde(default = "running")]
    pub status: String,
}

fn running() -> String {
    "running".to_owned()
}

impl Running {
    /// A service whose container runs.
    pub fn new(image: Image, healthy: bool) -> Self {
        Self { image, healthy, status: running() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Memory {
    /// What runs, by service name.
    pub running: BTreeMap<String, Running>,
    /// The services in the order in which they are started.
    #[serde(default)]
    pub order: Vec<String>,
    /// What was reported to run.
    #[serde(default)]
    told: BTreeMap<String, Running>,
    /// Work that is done, well or not, and never started again.
    #[serde(default)]
    finished: Vec<MoveKey>,
    /// The image that was fetched last, for a move.
    #[serde(default)]
    pulled: Option<(MoveKey, Digest)>,
    /// What each service ran before its last swap.
    #[serde(default)]
    before: BTreeMap<String, Image>,
    /// The last number used, per rollout and attempt.
    #[serde(default)]
    sequence: Vec<(String, u32, u32)>,
    /// Where numbers begin.
    #[serde(default)]
    sequence_base: u32,
    /// Reports that the server does not have yet, in order.
    #[serde(default)]
    outbox: Vec<Report>,
    /// The swap under way.
    #[serde(default)]
    pub swap: Option<Swap>,
    /// The server's last answer.
    #[serde(default)]
    pub target: Option<TargetState>,
    /// Targets outside of rollouts that came to nothing, how often, and when they may be tried again.
    #[serde(default)]
    failed: BTreeMap<String, Failed>,
    /// Services that the agent took down and could not bring up again.
    #[serde(default, rename = "owed")]
    pub down_services: BTreeSet<String>,
}

/// An image that a service could not be brought to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    pub image: Image,
    /// How often.
    pub times: u32,
    /// The next try, in device time.
    pub not_before: Timestamp,
    /// Why the last one came to nothing, in words.
    #[serde(default)]
    pub why: String,
}

impl Memory {
    /// A device that runs this and has reported nothing.
    pub fn running(services: impl IntoIterator<Item = (String, Image)>) -> Self {
        let running = services.into_iter().map(|(name, image)| (name, Running::new(image, true))).collect();
        Self { running, ..Self::default() }
    }

    /// The memory of a known device that lost what it remembered: what runs is seen on the engine, and its numbers begin
    /// above all that it can have used before, for the server takes a number that it knows for a repeat.
    pub fn after_loss(now: Timestamp) -> Self {
        const EPOCH: i64 = 1_767_225_600;
        let seconds = u32::try_from((now.as_second() - EPOCH).max(0)).unwrap_or(u32::MAX / 2);
        Self { sequence_base: seconds, ..Self::default() }
    }

    /// Whether this work was finished.
    pub fn has_finished(&self, key: &MoveKey) -> bool {
        self.finished.contains(key)
    }

    /// Finishes a piece of work.
    pub fn finish(&mut self, key: MoveKey) {
        self.finished.push(key);
        let surplus = self.finished.len().saturating_sub(REMEMBERED);
        self.finished.drain(..surplus);
    }

    /// The content that was fetched for this move.
    pub fn has_pulled(&self, key: &MoveKey) -> Option<&Digest> {
        self.pulled.as_ref().filter(|(pulled, _)| pulled == key).map(|(_, digest)| digest)
    }

    /// The image of this move is here.
    pub fn pulled(&mut self, key: MoveKey, digest: Digest) {
        self.pulled = Some((key, digest));
    }

    /// The image that was fetched is not here any more.
    pub fn lost_pulled(&mut self) {
        self.pulled = None;
    }

    /// The images that the device may have to go back to, or is about to need.
    pub fn needed(&self) -> Vec<Image> {
        let target = self.target.iter().flat_map(|target| target.services.values());
        let targets = target.flat_map(|service| {
            let previous = service.rollout.as_ref().and_then(|moving| moving.previous.clone());
            std::iter::once(service.image.clone()).chain(previous)
        });
        let running = self.running.values().map(|running| running.image.clone());
        targets.chain(running).chain(self.before.values().cloned()).collect()
    }

    /// Notes what the service runs, before it is replaced.
    pub fn leaves(&mut self, service: &str) {
        if let Some(running) = self.running.get(service) {
            self.before.insert(service.to_owned(), running.image.clone());
        }
    }

    /// An image to go back to, with its content where that is known only here.
    pub fn way_back(&self, service: &str, image: &Image) -> Image {
        let known = || self.before.get(service).filter(|before| before.is_same(image))?.digest.clone();
        Image { image: image.image.clone(), digest: image.digest.clone().or_else(known) }
    }

    /// Puts a report into the outbox.
    pub fn report(
        &mut self,
        (id, at): (Uuid, Timestamp),
        service: &str,
        key: &MoveKey,
        event: DeviceEvent,
        details: Details,
    ) {
        let seq = self.next_seq(key);
        self.outbox.push(Report {
            id,
            at,
            service: service.to_owned(),
            rollout_id: key.rollout_id.clone(),
            attempt: key.attempt,
            seq,
            event,
            details,
        });
        self.forget_surplus();
    }

    /// Where there are too many reports, progress is dropped first, the oldest first, and outcomes last.
    fn forget_surplus(&mut self) {
        if self.outbox.len() <= OUTBOX_MAX {
            return;
        }
        let progress = |report: &Report| match report.event {
            DeviceEvent::ImagePulling
            | DeviceEvent::ImagePulled
            | DeviceEvent::ContainerUpdating
            | DeviceEvent::UpdateCompleted
            | DeviceEvent::UpdateBlocked
            | DeviceEvent::UpdateDeferred => true,
            DeviceEvent::UpdateFailed
            | DeviceEvent::HealthCheckPassed
            | DeviceEvent::HealthCheckFailed
            | DeviceEvent::RolledBack
            | DeviceEvent::RollbackFailed
            | DeviceEvent::UpdateSkipped
            | DeviceEvent::ImageUpdateScheduled
            | DeviceEvent::UpdateTimedOut
            | DeviceEvent::Reenrolled => false,
        };
        let oldest = self.outbox.iter().position(progress).unwrap_or(0);
        self.outbox.remove(oldest);
    }

    /// How many reports the server does not have yet.
    pub fn outbox_len(&self) -> usize {
        self.outbox.len()
    }

    fn next_seq(&mut self, key: &MoveKey) -> u32 {
        let found = self.sequence.iter_mut().find(|(id, attempt, _)| *id == key.rollout_id && *attempt == key.attempt);
        if let Some((_, _, last)) = found {
            *last += 1;
            return *last;
        }
        let first = self.sequence_base + 1;
        self.sequence.push((key.rollout_id.clone(), key.attempt, first));
        let surplus = self.sequence.len().saturating_sub(REMEMBERED);
        self.sequence.drain(..surplus);
        first
    }

    /// The oldest reports, at most `most`.
    pub fn outbox(&self, most: usize) -> Vec<Report> {
        self.outbox.iter().take(most).cloned().collect()
    }

    /// The first `count` reports were taken.
    pub fn sent(&mut self, count: usize) {
        self.outbox.drain(..count.min(self.outbox.len()));
    }

    /// What runs, where that was not reported yet.
    pub fn untold(&self) -> BTreeMap<String, Observed> {
        if self.told == self.running {
            return BTreeMap::new();
        }
        self.running
            .iter()
            .map(|(name, running)| {
                let Running { image: Image { image, digest }, healthy, status } = running.clone();
                (name.clone(), Observed { image, digest, status, healthy })
            })
            .collect()
    }

    /// The server knows what runs.
    pub fn told(&mut self, running: BTreeMap<String, Running>) {
        self.told = running;
    }

    /// Why the service could not be brought to this image.
    pub fn failure(&self, service: &str, image: &Image) -> Option<&Failed> {
        self.failed.get(service).filter(|failed| failed.image == *image)
    }

    /// The services that could not be brought to what they should run, and why.
    pub fn failing(&self) -> impl Iterator<Item = (&String, &Failed)> {
        let wanted = |name: &String| Some(&self.target.as_ref()?.services.get(name)?.image);
        self.failed.iter().filter(move |(name, failed)| wanted(name) == Some(&failed.image))
    }

    /// The service could not be brought to the image; not again before then.
    pub fn failed(&mut self, service: &str, failed: Failed) {
        self.failed.insert(service.to_owned(), failed);
    }

    /// The service runs what it should.
    pub fn recovered(&mut self, service: &str) {
        self.failed.remove(service);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an agent of the first release wrote during a swap.
    const FIRST_RELEASE: &str = r#"{
        "running": {"app": {"image": "a/b:1", "healthy": true, "status": "running"}},
        "order": ["app"], "told": {}, "finished": [], "pulled": null, "before": {}, "sequence_base": 0,
        "sequence": [["R", 1, 3]], "outbox": [], "target": null, "failed": {}, "owed": ["app"],
        "swap": {
            "purpose": {"update": {"rollout_id": "R", "attempt": 1, "action": "update"}},
            "terms": {"check": null, "healthy_for_seconds": 1, "within_seconds": 2, "go_back": true, "previous": null},
            "parts": [{"service": "app", "image": {"image": "a/b:2"}, "strategy": "blue-green", "stop_grace_seconds": 10,
                "from": {"id": "c1", "image": {"image": "a/b:1"}, "healthy": true}, "made": "c2", "at": "making"}],
            "stage": {"back": {"service": "app", "event": "update_failed", "reason": "port_taken", "why": "taken"}}
        }
    }"#;

    #[test]
    fn the_state_of_an_older_agent_is_read_and_kept_in_its_own_words() {
        for at in ["untouched", "making", "made", "started", "checked", "proven"] {
            let mut kept: serde_json::Value = serde_json::from_str(FIRST_RELEASE).expect("JSON");
            kept["swap"]["parts"][0]["at"] = at.into();
            let memory: Memory = serde_json::from_value(kept.clone()).expect("its form is known");
            assert_eq!(serde_json::to_value(&memory).expect("it is data"), kept);
        }
    }
}
