//! Whether the demo went as it should: every device, every count, every event.

use std::collections::BTreeMap;
use std::fmt;

use tidegate_domain::event::{DeviceEvent, ImageEvent};

use super::summary::{self, Part, Summary, TOLD};
use crate::api::Device;
use crate::fleet::Standing;
use crate::verify;
use tidegate_agent::image::Image;

/// The events that the mission names: each must occur.
const MISSION: [&str; 18] = [
    ImageEvent::WebhookReceived.name(),
    ImageEvent::UpdateAvailable.name(),
    ImageEvent::RolloutStarted.name(),
    ImageEvent::RolloutBatchStarted.name(),
    ImageEvent::RolloutBatchCompleted.name(),
    ImageEvent::RolloutCompleted.name(),
    ImageEvent::RolloutFailed.name(),
    ImageEvent::RollbackStarted.name(),
    ImageEvent::RollbackCompleted.name(),
    DeviceEvent::ImageUpdateScheduled.name(),
    DeviceEvent::ImagePulling.name(),
    DeviceEvent::ImagePulled.name(),
    DeviceEvent::ContainerUpdating.name(),
    DeviceEvent::UpdateCompleted.name(),
    DeviceEvent::UpdateFailed.name(),
    DeviceEvent::HealthCheckPassed.name(),
    DeviceEvent::HealthCheckFailed.name(),
    DeviceEvent::RolledBack.name(),
];

/// Everything that the verdict is about.
pub(crate) struct Verdict {
    /// The devices, as they are.
    pub(super) devices: Vec<Standing>,
    /// The devices, as the server knows them.
    pub(super) known: Vec<Device>,
    /// The good image's rollout.
    pub(super) good: Part,
    /// The bad image's rollout.
    pub(super) bad: Part,
    /// What every device should run.
    pub(super) should_run: Image,
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
        Summary::of(self.devices.len(), [&self.good, &self.bad], &self.events, self.violations())
    }

    /// What is not as it should be.
    fn violations(&self) -> Vec<String> {
        let mut found = self.places();
        found.extend(self.rollouts());
        for part in [&self.good, &self.bad] {
            found.extend(verify::counts(&part.rollout, &part.rows));
        }
        found.extend(verify::targets(&self.devices));
        let devices = self.devices.iter().map(|device| (device.uuid.as_str(), device)).collect();
        found.extend(verify::rows(&self.bad.rollout, &self.bad.rows, &devices));
        found.extend(self.tellings());
        found
    }

    /// Every device: what it runs, and what the server believes.
    fn places(&self) -> Vec<String> {
        let should = &self.should_run;
        let mut found = Vec::new();
        for device in &self.devices {
            for (service, runs) in &device.running {
                if !runs.image.is_same(should) || !runs.healthy {
                    let ill = if runs.healthy { "" } else { ", not healthy" };
                    let (uuid, image) = (&device.uuid, &runs.image.image);
                    found.push(format!("device {uuid}: {service} runs {image}{ill}, it should run {}", should.image));
                }
            }
        }
        if self.known.len() != self.devices.len() {
            found.push(format!("the server knows {} of {} devices", self.known.len(), self.devices.len()));
        }
        for device in &self.known {
            let told = device.services.values().filter_map(|service| service.digest.as_deref());
            for digest in told.filter(|digest| should.digest.as_ref().is_some_and(|should| should.as_str() != *digest))
            {
                found.push(format!("device {}: the server believes that it runs {digest}", device.uuid));
            }
        }
        found
    }

    /// Both rollouts: how they ended, and how far they went.
    fn rollouts(&self) -> Vec<String> {
        let (good, bad, all) = (&self.good.rollout, &self.bad.rollout, self.devices.len() as u32);
        let mut found = Vec::new();
        let mut expect = |holds: bool, what: String| {
            if !holds {
                found.push(what);
            }
        };
        expect(good.status == "completed", format!("the good rollout is {}", good.status));
        expect(good.healthy_devices == all, format!("{} of {all} devices are healthy on it", good.healthy_devices));
        let opened = good.batches.iter().filter(|batch| batch.opened_at.is_some() && batch.devices > 0).count();
        expect(opened == 3, format!("the good rollout went through {opened} batches"));
        expect(bad.status == "rolled_back", format!("the bad rollout is {}", bad.status));
        expect(bad.healthy_devices == 0, format!("{} devices are healthy on the bad image", bad.healthy_devices));
        let opened = bad.batches.iter().filter(|batch| batch.opened_at.is_some()).count();
        expect(opened == 1, format!("the bad rollout opened {opened} batches"));
        found
    }

    /// Every event of the mission, on the bus as in the API; and the administrators.
    fn tellings(&self) -> Vec<String> {
        let mut found = summary::untold(&MISSION, &self.events, &self.published);
        let untold = TOLD.iter().filter(|name| !self.told.iter().any(|told| told == *name));
        found.extend(untold.map(|name| format!("no administrator was told of {name}")));
        found
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{}", summary::rollouts([&self.good, &self.bad]))?;
        writeln!(f, "{}", summary::tellings(&MISSION, &self.events, &self.published))?;
        let violations = self.violations();
        for violation in &violations {
            writeln!(f, "VIOLATION: {violation}")?;
        }
        if violations.is_empty() {
            writeln!(f, "All {} devices run {}, where they should be.", self.devices.len(), self.should_run.image)?;
            writeln!(f, "Look closer: tidegate rollouts show {}", self.bad.rollout.rollout_id)?;
        }
        Ok(())
    }
}
