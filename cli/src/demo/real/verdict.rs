//! Whether the demo with real agents went as it should: every container, every count, every event.

use std::collections::BTreeMap;
use std::fmt;

use tidegate_domain::event::{DeviceEvent, ImageEvent};

use super::containers::{Running, Seen};
use crate::api::Device;
use crate::demo::scene::{BAD, GOOD};
use crate::demo::summary::{self, Part, Summary, TOLD};
use crate::table::{Table, cell};
use crate::verify;

/// The events that must occur: the mission's, but for those of a rollback of all and of a pull that fails.
const NEEDED: [&str; 16] = [
    ImageEvent::WebhookReceived.name(),
    ImageEvent::UpdateAvailable.name(),
    ImageEvent::RolloutStarted.name(),
    ImageEvent::RolloutBatchStarted.name(),
    ImageEvent::RolloutBatchCompleted.name(),
    ImageEvent::RolloutCompleted.name(),
    ImageEvent::RolloutFailed.name(),
    ImageEvent::RolloutPaused.name(),
    DeviceEvent::ImageUpdateScheduled.name(),
    DeviceEvent::ImagePulling.name(),
    DeviceEvent::ImagePulled.name(),
    DeviceEvent::ContainerUpdating.name(),
    DeviceEvent::UpdateCompleted.name(),
    DeviceEvent::HealthCheckPassed.name(),
    DeviceEvent::HealthCheckFailed.name(),
    DeviceEvent::RolledBack.name(),
];

/// Everything that the verdict is about.
pub(crate) struct Verdict {
    /// The devices' containers, as they are.
    pub(super) seen: Vec<Seen>,
    /// Containers that run and are of no device.
    pub(super) strangers: usize,
    /// The devices, as the server knows them.
    pub(super) known: Vec<Device>,
    /// Of the image.
    pub(super) repository: String,
    /// The digest that every device should run.
    pub(super) should_run: String,
    /// The good image's rollout.
    pub(super) good: Part,
    /// The bad image's rollout.
    pub(super) bad: Part,
    /// Events by the API.
    pub(super) events: BTreeMap<String, usize>,
    /// Events on the bus, repeats counted once.
    pub(super) published: BTreeMap<String, usize>,
    /// Alerts of the bad rollout.
    pub(super) told: Vec<String>,
}

impl Verdict {
    /// Whether everything went as it should.
    pub(crate) fn ok(&self) -> bool {
        self.violations().is_empty()
    }

    /// The verdict for programs.
    pub(crate) fn summary(&self) -> Summary {
        Summary::of(self.seen.len(), [&self.good, &self.bad], &self.events, self.violations())
    }

    /// What is not as it should be.
    fn violations(&self) -> Vec<String> {
        let mut found = self.containers();
        found.extend(self.believed());
        found.extend(self.rollouts());
        for part in [&self.good, &self.bad] {
            found.extend(verify::counts(&part.rollout, &part.rows));
        }
        found.extend(summary::untold(&NEEDED, &self.events, &self.published));
        let untold = TOLD.iter().filter(|name| !self.told.iter().any(|told| told == *name));
        found.extend(untold.map(|name| format!("no administrator was told of {name}")));
        found
    }

    /// Exactly one container runs on every device, of the right image, and it answers.
    fn containers(&self) -> Vec<String> {
        let mut found = Vec::new();
        for Seen { device, running, answers } in &self.seen {
            match &running[..] {
                [one] if one.is_of(&self.should_run) => {}
                [one] => found.push(format!("{device}: {} is of {}", one.name, one.digests.join(", "))),
                [] => found.push(format!("{device}: no container runs")),
                several => found.push(format!("{device}: {} containers run", several.len())),
            }
            if answers.as_deref() != Some(GOOD) {
                found.push(format!("{device}: its service answers {answers:?}, not {GOOD}"));
            }
        }
        if self.strangers > 0 {
            found.push(format!("{} containers run that are of no device", self.strangers));
        }
        found
    }

    /// The server believes of every device that it runs what it runs.
    fn believed(&self) -> Vec<String> {
        let mut found = Vec::new();
        if self.known.len() != self.seen.len() {
            found.push(format!("the server knows {} of {} devices", self.known.len(), self.seen.len()));
        }
        for device in &self.known {
            let services = device.services.values();
            for digest in services.map(|service| service.digest.as_deref()) {
                if digest != Some(&*self.should_run) {
                    found.push(format!("device {}: the server believes that it runs {digest:?}", device.uuid));
                }
            }
        }
        found
    }

    /// Both rollouts: how they ended, and how far they went.
    fn rollouts(&self) -> Vec<String> {
        let (good, bad, all) = (&self.good.rollout, &self.bad.rollout, self.seen.len() as u32);
        let mut found = Vec::new();
        let mut expect = |holds: bool, what: String| {
            if !holds {
                found.push(what);
            }
        };
        let opened = |part: &Part| {
            part.rollout.batches.iter().filter(|batch| batch.opened_at.is_some() && batch.devices > 0).count()
        };
        expect(good.status == "completed", format!("the good rollout is {}", good.status));
        expect(good.healthy_devices == all, format!("{} of {all} devices are healthy on it", good.healthy_devices));
        expect(opened(&self.good) == 3, format!("the good rollout went through {} batches", opened(&self.good)));
        expect(bad.status == "paused", format!("the bad rollout is {}", bad.status));
        expect(bad.healthy_devices == 0, format!("{} devices are healthy on the bad image", bad.healthy_devices));
        expect(opened(&self.bad) == 1, format!("the bad rollout opened {} batches", opened(&self.bad)));
        expect(bad.rolled_back() > 0, format!("no device went back from {BAD}"));
        found
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{}", summary::rollouts([&self.good, &self.bad]))?;
        let mut table = Table::new(["DEVICE", "CONTAINERS THAT RUN", "IMAGE", "ANSWERS"]);
        for Seen { device, running, answers } in &self.seen {
            let names: Vec<&str> = running.iter().map(|one| one.name.as_str()).collect();
            let images: Vec<&str> = running.iter().filter_map(|one| short(one)).collect();
            table.row([device.clone(), names.join(", "), images.join(", "), cell(answers.as_ref())]);
        }
        writeln!(f, "{table}")?;
        writeln!(f, "{}", summary::tellings(&NEEDED, &self.events, &self.published))?;
        let violations = self.violations();
        for violation in &violations {
            writeln!(f, "VIOLATION: {violation}")?;
        }
        if violations.is_empty() {
            let devices = self.seen.len();
            writeln!(
                f,
                "All {devices} devices run one container of {}:{GOOD} each, and {BAD} nowhere.",
                self.repository
            )?;
            writeln!(f, "Look closer: tidegate rollouts show {}", self.bad.rollout.rollout_id)?;
        }
        Ok(())
    }
}

/// An image's digest, short enough for a table.
fn short(running: &Running) -> Option<&str> {
    let (_, digest) = running.digests.first()?.split_once('@')?;
    Some(digest.get(..19).unwrap_or(digest))
}
