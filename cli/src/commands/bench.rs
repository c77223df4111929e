//! `tidegate bench`: what things take.

mod deliveries;
mod functions;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

/// What can be timed.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Deliveries in stacks of many devices and policies, on tables in memory
    Deliveries(deliveries::Arguments),
    /// The functions as they go to AWS: zip, start, and a settled device's poll, under a stub of Lambda's Runtime API
    Functions(functions::Arguments),
}

impl Command {
    /// Measures, and prints what came out.
    pub(crate) async fn run(self) -> Result<ExitCode> {
        match self {
            Self::Deliveries(arguments) => arguments.run().await,
            Self::Functions(arguments) => arguments.run().await,
        }
    }
}
