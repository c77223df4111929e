//! `tidegate bench deliveries`.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use tidegate_capacity::deliveries::{Stack, measure};

use crate::stdout;
use crate::table::Table;

/// The stacks that are measured where none is named: devices, policies, how many of these match, entries.
const STACKS: [(u32, u32, u32, u32); 8] = [
    (1_000, 10, 1, 1),
    (10_000, 20, 20, 1),
    (10_000, 100, 100, 1),
    (100_000, 1, 1, 1),
    (100_000, 1_000, 1, 1),
    (100_000, 1_000, 20, 1),
    (100_000, 1_000, 1_000, 1),
    (1_000, 10, 1, 100),
];

/// Arguments of `tidegate bench deliveries`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Devices that run the image; without it, several stacks are measured
    #[arg(long)]
    devices: Option<u32>,
    /// Policies
    #[arg(long, default_value_t = 1_000, requires = "devices")]
    policies: u32,
    /// How many of them are about the image, each for a fleet of its own
    #[arg(long, default_value_t = 20, requires = "devices")]
    matching: u32,
    /// Tags in one delivery
    #[arg(long, default_value_t = 1, requires = "devices")]
    entries: u32,
}

impl Arguments {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let stacks = match self.devices {
            Some(devices) => vec![(devices, self.policies, self.matching, self.entries)],
            None => STACKS.to_vec(),
        };
        let begun = Instant::now();
        let clock = move || begun.elapsed();
        let mut table = Table::new([
            "DEVICES",
            "POLICIES",
            "MATCHING",
            "ENTRIES",
            "ANSWER ms",
            "AGAIN ms",
            "FREEZE µs/DEVICE",
            "ROLLOUTS",
            "LATER",
            "LATER ms",
            "READS",
            "WRITES",
        ]);
        for (devices, policies, matching, entries) in stacks {
            let took = measure(Stack { devices, policies, matching, entries }, &clock).await?;
            let ms = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1e3);
            let each = took.freezing.as_secs_f64() * 1e6 / f64::from(devices.max(1));
            table.row([
                devices.to_string(),
                policies.to_string(),
                matching.to_string(),
                entries.to_string(),
                ms(took.answer),
                ms(took.again),
                format!("{each:.2}"),
                took.rollouts.to_string(),
                took.later.to_string(),
                ms(took.behind),
                format!("{:.1}", took.reads),
                format!("{:.1}", took.writes),
            ]);
        }
        stdout::print(&table)?;
        stdout::line(
            "One thread of this machine, tables in memory: what the engine's own work takes, without the network.",
        )?;
        Ok(ExitCode::SUCCESS)
    }
}
