//! What a device remembers over restarts: what runs, what it has finished, and what it has not told yet.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tidegate_domain::event::DeviceEvent;
use tidegate_domain::image::Digest;
use uuid::Uuid;

use super::report::{Details, Observed, Report};
use super::target::{Image, MoveKey};

/// Moves that are remembered as finished; the server names only the newest ones.
const REMEMBERED: usize = 64;

/// What a service runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Running {
    /// The image.
    #[serde(flatten)]
    pub(crate) image: Image,
    /// Whether its last check passed.
    pub(crate) healthy: bool,
}

/// The memory.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Memory {
    /// What runs, by service name.
    pub(crate) running: BTreeMap<String, Running>,
    /// What the server was told to run.
    #[serde(default)]
    told: BTreeMap<String, Running>,
    /// Never started again.
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
    /// Not told yet, in order.
    #[serde(default)]
    outbox: Vec<Report>,
    /// Targets outside of rollouts that came to nothing, how often, and when they may be tried again.
    #[serde(default)]
    failed: BTreeMap<String, Failed>,
}

/// An image that a service could not be brought to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failed {
    /// The image.
    pub(crate) image: Image,
    /// How often.
    pub(crate) times: u32,
    /// The next try, in device time.
    pub(crate) not_before: Timestamp,
}

impl Memory {
    /// A device that runs this and has told nobody.
    pub(crate) fn running(services: impl IntoIterator<Item = (String, Image)>) -> Self {
        let running = services.into_iter().map(|(name, image)| (name, Running { image, healthy: true })).collect();
        Self { running, ..Self::default() }
    }

    /// Whether this work was finished.
    pub(crate) fn has_finished(&self, key: &MoveKey) -> bool {
        self.finished.contains(key)
    }

    /// Finishes a piece of work.
    pub(crate) fn finish(&mut self, key: MoveKey) {
        self.finished.push(key);
        let surplus = self.finished.len().saturating_sub(REMEMBERED);
        self.finished.drain(..surplus);
    }

    /// The content that was fetched for this move.
    pub(crate) fn has_pulled(&self, key: &MoveKey) -> Option<&Digest> {
        self.pulled.as_ref().filter(|(pulled, _)| pulled == key).map(|(_, digest)| digest)
    }

    /// The image of this move is here.
    pub(crate) fn pulled(&mut self, key: MoveKey, digest: Digest) {
        self.pulled = Some((key, digest));
    }

    /// The service is about to be replaced by an image that is to be proven.
    pub(crate) fn leaves(&mut self, service: &str) {
        if let Some(running) = self.running.get(service) {
            self.before.insert(service.to_owned(), running.image.clone());
        }
    }

    /// An image to go back to, with its content where that is known only here.
    pub(crate) fn way_back(&self, service: &str, image: &Image) -> Image {
        let known = || self.before.get(service).filter(|before| before.is_same(image))?.digest.clone();
        Image { image: image.image.clone(), digest: image.digest.clone().or_else(known) }
    }

    /// Puts a report into the outbox.
    pub(crate) fn report(
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
    }

    fn next_seq(&mut self, key: &MoveKey) -> u32 {
        let found = self.sequence.iter_mut().find(|(id, attempt, _)| *id == key.rollout_id && *attempt == key.attempt);
        if let Some((_, _, last)) = found {
            *last += 1;
            return *last;
        }
        self.sequence.push((key.rollout_id.clone(), key.attempt, 1));
        let surplus = self.sequence.len().saturating_sub(REMEMBERED);
        self.sequence.drain(..surplus);
        1
    }

    /// What is to be told, oldest first, at most `most`.
    pub(crate) fn outbox(&self, most: usize) -> Vec<Report> {
        self.outbox.iter().take(most).cloned().collect()
    }

    /// The first `count` reports were taken.
    pub(crate) fn sent(&mut self, count: usize) {
        self.outbox.drain(..count.min(self.outbox.len()));
    }

    /// What runs, where the server was not told yet.
    pub(crate) fn untold(&self) -> BTreeMap<String, Observed> {
        if self.told == self.running {
            return BTreeMap::new();
        }
        self.running
            .iter()
            .map(|(name, running)| {
                let Running { image: Image { image, digest }, healthy } = running.clone();
                (name.clone(), Observed { image, digest, status: "running", healthy })
            })
            .collect()
    }

    /// The server knows what runs.
    pub(crate) fn told(&mut self, running: BTreeMap<String, Running>) {
        self.told = running;
    }

    /// What keeps the service from this image, where something does.
    pub(crate) fn failure(&self, service: &str, image: &Image) -> Option<&Failed> {
        self.failed.get(service).filter(|failed| failed.image == *image)
    }

    /// The service could not be brought to the image; not again before then.
    pub(crate) fn failed(&mut self, service: &str, failed: Failed) {
        self.failed.insert(service.to_owned(), failed);
    }

    /// The service is where it should be.
    pub(crate) fn recovered(&mut self, service: &str) {
        self.failed.remove(service);
    }
}
