//! Whether the demo went as it should: every device, every count, every event.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use tidegate_domain::event::{DeviceEvent, ImageEvent};

use crate::api::{Device, Rollout, Row};
use crate::fleet::Standing;
use crate::table::Table;
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

/// What administrators must be told when a rollout is stopped.
const TOLD: [&str; 2] = [ImageEvent::RolloutFailed.name(), ImageEvent::RolloutPaused.name()];

/// A rollout with its rows, at the end.
pub(super) struct Part {
    pub(super) rollout: Rollout,
    pub(super) rows: Vec<Row>,
}

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

/// The verdict's last line. Devices are counted by their rows in both rollouts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Summary {
    /// Whether everything went as it should.
    ok: bool,
    /// Devices of the fleet.
    devices: usize,
    /// Rows that ended healthy on a new image.
    healthy: u32,
    /// Rows that ended failed: the old image was never touched.
    failed: u32,
    /// Rows that ended back on the old image.
    rolled_back: u32,
    /// How often each event was told, by the API.
    events: BTreeMap<String, usize>,
    /// What is not as it should be.
    violations: Vec<String>,
}

impl Verdict {
    /// Whether everything went as it should.
    pub(crate) fn ok(&self) -> bool {
        self.violations().is_empty()
    }

    /// The verdict for programs.
    pub(crate) fn summary(&self) -> Summary {
        let both = [&self.good.rollout, &self.bad.rollout];
        let violations = self.violations();
        Summary {
            ok: violations.is_empty(),
            devices: self.devices.len(),
            healthy: both.iter().map(|rollout| rollout.healthy_devices).sum(),
            failed: both.iter().map(|rollout| rollout.failed_devices).sum(),
            rolled_back: both.iter().map(|rollout| rollout.rolled_back()).sum(),
            events: self.events.clone(),
            violations,
        }
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
        let missing = MISSION.iter().filter(|name| !self.events.contains_key(**name));
        let mut found: Vec<String> = missing.map(|name| format!("{name} never happened")).collect();
        for name in self.events.keys().chain(self.published.keys().filter(|name| !self.events.contains_key(*name))) {
            let (kept, sent) = self.counts_of(name);
            if kept != sent {
                found.push(format!("{name}: {kept} by the API, {sent} on the bus"));
            }
        }
        let untold = TOLD.iter().filter(|name| !self.told.iter().any(|told| told == *name));
        found.extend(untold.map(|name| format!("no administrator was told of {name}")));
        found
    }

    fn counts_of(&self, name: &str) -> (usize, usize) {
        let of = |counts: &BTreeMap<String, usize>| counts.get(name).copied().unwrap_or(0);
        (of(&self.events), of(&self.published))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table =
            Table::new(["VERSION", "STATUS", "BATCHES", "DEVICES", "UPDATED", "HEALTHY", "FAILED", "ROLLED BACK"]);
        for Part { rollout, .. } in [&self.good, &self.bad] {
            table.row([
                rollout.new_tag.clone().unwrap_or_default(),
                rollout.status.clone(),
                format!("{} of {}", rollout.current_batch, rollout.batches.len()),
                rollout.total_devices.to_string(),
                rollout.updated_devices.to_string(),
                rollout.healthy_devices.to_string(),
                rollout.failed_devices.to_string(),
                rollout.rolled_back().to_string(),
            ]);
        }
        writeln!(f, "\n{table}")?;
        let mut table = Table::new(["EVENT", "TOLD", "ON THE BUS"]);
        let others = self.events.keys().map(String::as_str).filter(|name| !MISSION.contains(name));
        for name in MISSION.into_iter().chain(others) {
            let (kept, sent) = self.counts_of(name);
            table.row([name.to_owned(), kept.to_string(), sent.to_string()]);
        }
        writeln!(f, "{table}")?;
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
