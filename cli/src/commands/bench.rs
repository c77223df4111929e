//! `tidegate bench`: how long things take.

mod deliveries;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

/// What can be timed.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Deliveries in stacks of many devices and policies, on tables in memory
    Deliveries(deliveries::Arguments),
}

impl Command {
    /// Measures, and prints what came out.
    pub(crate) async fn run(self) -> Result<ExitCode> {
        match self {
            Self::Deliveries(arguments) => arguments.run().await,
        }
    }
}
