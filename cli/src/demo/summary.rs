//! What the verdicts of all demos have in common: their last line, their tables, and what must have been told.

use std::collections::BTreeMap;

use serde::Serialize;
use tidegate_domain::event::ImageEvent;

use crate::api::{Rollout, Row};
use crate::table::Table;

/// What administrators must be told when a rollout is stopped.
pub(super) const TOLD: [&str; 2] = [ImageEvent::RolloutFailed.name(), ImageEvent::RolloutPaused.name()];

/// A rollout with its rows, at the end.
pub(super) struct Part {
    pub(super) rollout: Rollout,
    pub(super) rows: Vec<Row>,
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

impl Summary {
    /// The summary of two rollouts of a fleet.
    pub(super) fn of(
        devices: usize,
        parts: [&Part; 2],
        events: &BTreeMap<String, usize>,
        violations: Vec<String>,
    ) -> Self {
        let both = parts.map(|part| &part.rollout);
        Self {
            ok: violations.is_empty(),
            devices,
            healthy: both.iter().map(|rollout| rollout.healthy_devices).sum(),
            failed: both.iter().map(|rollout| rollout.failed_devices).sum(),
            rolled_back: both.iter().map(|rollout| rollout.rolled_back()).sum(),
            events: events.clone(),
            violations,
        }
    }
}

/// Events that must occur and did not, and those that the API and the bus do not agree on.
pub(super) fn untold(
    needed: &[&str],
    events: &BTreeMap<String, usize>,
    published: &BTreeMap<String, usize>,
) -> Vec<String> {
    let missing = needed.iter().filter(|name| !events.contains_key(**name));
    let mut found: Vec<String> = missing.map(|name| format!("{name} never happened")).collect();
    for name in events.keys().chain(published.keys().filter(|name| !events.contains_key(*name))) {
        let (kept, sent) = counts_of(name, events, published);
        if kept != sent {
            found.push(format!("{name}: {kept} by the API, {sent} on the bus"));
        }
    }
    found
}

fn counts_of(name: &str, events: &BTreeMap<String, usize>, published: &BTreeMap<String, usize>) -> (usize, usize) {
    let of = |counts: &BTreeMap<String, usize>| counts.get(name).copied().unwrap_or(0);
    (of(events), of(published))
}

/// A row per rollout.
pub(super) fn rollouts(parts: [&Part; 2]) -> Table {
    let mut table =
        Table::new(["VERSION", "STATUS", "BATCHES", "DEVICES", "UPDATED", "HEALTHY", "FAILED", "ROLLED BACK"]);
    for Part { rollout, .. } in parts {
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
    table
}

/// A row per event: those that must occur, then the others.
pub(super) fn tellings(
    needed: &[&str],
    events: &BTreeMap<String, usize>,
    published: &BTreeMap<String, usize>,
) -> Table {
    let mut table = Table::new(["EVENT", "TOLD", "ON THE BUS"]);
    let others = events.keys().map(String::as_str).filter(|name| !needed.contains(name));
    for name in needed.iter().copied().chain(others) {
        let (kept, sent) = counts_of(name, events, published);
        table.row([name.to_owned(), kept.to_string(), sent.to_string()]);
    }
    table
}
