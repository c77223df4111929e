//! The figures, as a table and as JSON.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use tidegate_engine::ports::Units;

use crate::error::CapacityError;
use crate::healthy::{Sizes, healthy_rollout};
use crate::operations::{Operation, operations};
use crate::tables::Place;
use crate::{ITEM_BYTES, REQUESTS_PER_DEVICE, WRITE_UNITS_PER_DEVICE};

/// Fleets that each operation is measured in.
pub const SIZES: [u32; 2] = [10, 5_000];

/// Devices of the whole rollout.
pub const WHOLE: u32 = 1_000;

/// Devices of the rollout that both stores measure.
const COMPARED: u32 = 40;

/// Units as they are shown: to a ten thousandth.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Cost {
    /// Read units.
    pub reads: f64,
    /// Write units.
    pub writes: f64,
}

impl From<Units> for Cost {
    fn from(units: Units) -> Self {
        Self { reads: shown(units.reads), writes: shown(units.writes) }
    }
}

fn shown(units: f64) -> f64 {
    (units * 10_000.0).round() / 10_000.0
}

/// Everything that was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// By operation, then by the fleet's size.
    pub operations: BTreeMap<Operation, BTreeMap<u32, Cost>>,
    /// Of a whole healthy rollout of 1,000 devices.
    pub write_units_per_device: f64,
    /// What that may be at most.
    pub write_units_per_device_budget: f64,
    /// In the same rollout, beside idle polls.
    pub requests_per_device: f64,
    /// What that may be at most.
    pub requests_per_device_budget: f64,
    /// In the same rollout, by device, where the units went.
    pub parts_per_device: BTreeMap<&'static str, Cost>,
    /// What `dynoxide-rs`, which reports the units of each call as DynamoDB does, said otherwise in the same scenarios
    /// with fewer devices. Empty where all figures agree.
    pub differences: Vec<String>,
    /// The largest items of that rollout, in bytes.
    pub largest_item_bytes: Sizes,
    #[serde(skip)]
    parts_in_order: Vec<&'static str>,
}

/// Measures everything at `place`; `telling` hears what is under way. Where that is memory, a DynamoDB in this process
/// measures small fleets as well, and must come to the same figures.
pub async fn measure(place: Place, telling: &(dyn Fn(&str) + Sync)) -> Result<Report, CapacityError> {
    let mut by_operation: BTreeMap<Operation, BTreeMap<u32, Cost>> = BTreeMap::new();
    for size in SIZES {
        telling(&format!("each operation in a fleet of {size} devices"));
        for (operation, units) in operations(place, size).await? {
            by_operation.entry(operation).or_default().insert(size, units.into());
        }
    }
    telling(&format!("a whole rollout of {WHOLE} devices"));
    let whole = healthy_rollout(place, WHOLE).await?;
    let differences = match place {
        Place::Memory => {
            telling("the same on a DynamoDB in this process, with fewer devices");
            differences(&by_operation).await?
        }
        Place::DynamoDb => Vec::new(),
    };
    let each = |units: Units| {
        let devices = f64::from(whole.devices);
        Cost::from(Units { reads: units.reads / devices, writes: units.writes / devices })
    };
    Ok(Report {
        operations: by_operation,
        write_units_per_device: shown(whole.write_units_per_device()),
        write_units_per_device_budget: WRITE_UNITS_PER_DEVICE,
        requests_per_device: shown(whole.requests_per_device()),
        requests_per_device_budget: REQUESTS_PER_DEVICE,
        parts_per_device: whole.parts.iter().map(|(name, units)| (*name, each(*units))).collect(),
        differences,
        largest_item_bytes: whole.largest,
        parts_in_order: whole.parts.iter().map(|(name, _)| *name).collect(),
    })
}

/// Where the figures in memory are not those of a DynamoDB: of the operations in the small fleet, and of the parts of a
/// small rollout.
async fn differences(in_memory: &BTreeMap<Operation, BTreeMap<u32, Cost>>) -> Result<Vec<String>, CapacityError> {
    let mut differences = Vec::new();
    let mut compare = |what: &str, memory: Cost, counted: Cost| {
        if memory != counted {
            differences.push(format!("{what}: {memory:?} in memory, {counted:?} on DynamoDB"));
        }
    };
    let small = SIZES[0];
    for (operation, units) in operations(Place::DynamoDb, small).await? {
        let memory = in_memory.get(&operation).and_then(|costs| costs.get(&small)).copied().unwrap_or_default();
        compare(operation.name(), memory, units.into());
    }
    let memory = healthy_rollout(Place::Memory, COMPARED).await?;
    let counted = healthy_rollout(Place::DynamoDb, COMPARED).await?;
    for ((part, memory), (_, counted)) in memory.parts.iter().zip(&counted.parts) {
        compare(part, (*memory).into(), (*counted).into());
    }
    Ok(differences)
}

impl Report {
    /// What is not as it should be, in words: above its limit, or counted differently.
    pub fn excesses(&self) -> Vec<String> {
        let mut excesses = self.differences.clone();
        let mut limit = |what: &str, is: f64, at_most: f64| {
            if is > at_most {
                excesses.push(format!("{what}: {is}, where at most {at_most} is allowed"));
            }
        };
        limit("write units per device", self.write_units_per_device, self.write_units_per_device_budget);
        limit("requests per device", self.requests_per_device, self.requests_per_device_budget);
        limit("bytes of a device", self.largest_item_bytes.device as f64, ITEM_BYTES as f64);
        limit("bytes of a rollout", self.largest_item_bytes.rollout as f64, ITEM_BYTES as f64);
        for (operation, costs) in &self.operations {
            let mut writes = costs.values().map(|cost| cost.writes);
            let first = writes.next();
            if operation.controls() && writes.any(|writes| Some(writes) != first) {
                excesses.push(format!("{} costs more in a larger fleet", operation.name()));
            }
        }
        excesses
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [small, large] = SIZES.map(|size| format!("{size} devices"));
        writeln!(f, "{:<26} {small:>21} {large:>21}", "capacity units")?;
        writeln!(f, "{:<26} {:>10} {:>10} {:>10} {:>10}", "", "reads", "writes", "reads", "writes")?;
        for operation in Operation::ALL {
            let costs = self.operations.get(&operation);
            write!(f, "{:<26}", operation.name())?;
            for size in SIZES {
                let cost = costs.and_then(|costs| costs.get(&size)).copied().unwrap_or_default();
                write!(f, " {:>10} {:>10}", digits(cost.reads), digits(cost.writes))?;
            }
            writeln!(f)?;
        }
        writeln!(f, "A device's requests are those of a device alone; with others it shares the journal's pages:")?;
        writeln!(f)?;
        writeln!(f, "{:<26} {:>10} {:>10}", format!("a rollout of {WHOLE}, by device"), "reads", "writes")?;
        for name in &self.parts_in_order {
            let cost = self.parts_per_device.get(name).copied().unwrap_or_default();
            writeln!(f, "{name:<26} {:>10} {:>10}", digits(cost.reads), digits(cost.writes))?;
        }
        let budget = self.write_units_per_device_budget;
        writeln!(f, "write_units_per_device     {:>10}   of at most {budget}", digits(self.write_units_per_device))?;
        let budget = self.requests_per_device_budget;
        writeln!(f, "requests_per_device        {:>10}   of at most {budget}", digits(self.requests_per_device))?;
        writeln!(f)?;
        let Sizes { device, rollout, row } = self.largest_item_bytes;
        writeln!(f, "largest items: device {device} bytes, rollout {rollout}, row {row} (a write unit is {ITEM_BYTES})")
    }
}

/// Without zeros that say nothing.
fn digits(units: f64) -> String {
    let text = format!("{units:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
