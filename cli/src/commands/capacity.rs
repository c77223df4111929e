//! `tidegate capacity`.

use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use clap::Args;
use tidegate_capacity::{Place, measure};

use crate::progress::{Progress, Step};

/// Arguments of `tidegate capacity`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Measure everything on a DynamoDB in this process (a quarter of an hour in a debug build); without it, that one
    /// only checks the figures of small fleets.
    #[arg(long)]
    dynamodb: bool,
}

impl Arguments {
    /// Measures, and prints the figures; fails when one is not as it should be.
    pub(crate) async fn run(self) -> Result<ExitCode> {
        let progress = Progress::new();
        let under_way: Mutex<Option<Step>> = Mutex::new(None);
        let telling = |what: &str| {
            let mut under_way = under_way.lock().unwrap_or_else(PoisonError::into_inner);
            // The step before ends first.
            *under_way = None;
            *under_way = Some(progress.step(what));
        };
        let place = if self.dynamodb { Place::DynamoDb } else { Place::Memory };
        let report = measure(place, &telling).await?;
        drop(under_way);
        if self.json {
            crate::stdout::json(&report)?;
        } else {
            crate::stdout::print(&report)?;
        }
        let excesses = report.excesses();
        for excess in &excesses {
            crate::stderr::line(format_args!("not as it should be: {excess}"));
        }
        Ok(if excesses.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
