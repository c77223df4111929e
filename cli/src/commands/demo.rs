//! `tidegate demo`.

use std::fmt::Display;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use serde::Serialize;

use crate::{demo, stdout};

/// Arguments of `tidegate demo`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// How many devices [default: 200 simulated ones, or 5 real ones]
    #[arg(long)]
    devices: Option<usize>,
    /// With real agents, whose containers run on a real engine and are pulled from a real registry. Needs root
    #[arg(long)]
    real: bool,
    /// Port of the emulator on 127.0.0.1, where it is to be started [default: 4566, or a free one near it]
    #[arg(long)]
    port: Option<u16>,
    /// Print the verdict as one line of JSON, the last one
    #[arg(long)]
    json: bool,
}

/// Simulated devices, where no number is named.
const SIMULATED: usize = 200;
/// Real devices, where no number is named.
const REAL: usize = 5;
/// Fewer devices could not fail often enough in the first batch to stop it by the rules that are shown.
const FEWEST_SIMULATED: usize = 40;
/// Fewer devices would not be three batches.
const FEWEST_REAL: usize = 5;

impl Arguments {
    /// Runs it; fails when any device ends anywhere but where it should.
    pub(crate) async fn run(self) -> Result<ExitCode> {
        if self.real {
            let devices = self.devices.unwrap_or(REAL);
            if devices < FEWEST_REAL {
                bail!("--devices must be at least {FEWEST_REAL}: the first batch is a fifth of them");
            }
            let verdict = demo::run_real(devices, self.port).await?;
            return self.tell(&verdict, &verdict.summary(), verdict.ok());
        }
        let devices = self.devices.unwrap_or(SIMULATED);
        if devices < FEWEST_SIMULATED {
            bail!("--devices must be at least {FEWEST_SIMULATED}: the first batch is a tenth of them");
        }
        let verdict = demo::run(devices, self.port).await?;
        self.tell(&verdict, &verdict.summary(), verdict.ok())
    }

    fn tell(&self, verdict: &impl Display, summary: &impl Serialize, ok: bool) -> Result<ExitCode> {
        if self.json {
            crate::stderr::line(verdict);
            stdout::json_line(summary)?;
        } else {
            stdout::print(verdict)?;
        }
        Ok(if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
