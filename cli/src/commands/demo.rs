//! `tidegate demo`.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;

use crate::{demo, stdout};

/// Arguments of `tidegate demo`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// How many simulated devices
    #[arg(long, default_value_t = 200)]
    devices: usize,
    /// Port of the emulator on 127.0.0.1, where it is to be started [default: 4566, or a free one near it]
    #[arg(long)]
    port: Option<u16>,
    /// Print the verdict as one line of JSON, the last one
    #[arg(long)]
    json: bool,
}

/// Fewer devices could not fail often enough in the first batch to stop it by the rules that are shown.
const FEWEST: usize = 40;

impl Arguments {
    /// Runs it; fails when any device ends anywhere but where it should.
    pub(crate) async fn run(self) -> Result<ExitCode> {
        if self.devices < FEWEST {
            bail!("--devices must be at least {FEWEST}: the first batch is a tenth of them");
        }
        let verdict = demo::run(self.devices, self.port).await?;
        if self.json {
            eprint!("{verdict}");
            stdout::line(serde_json::to_string(&verdict.summary())?)?;
        } else {
            stdout::print(&verdict)?;
        }
        Ok(if verdict.ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
