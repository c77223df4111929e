//! `tidegate down`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::progress::Progress;
use crate::stack::{self, DownOptions, Project};

/// Arguments of `tidegate down`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Keep the Python environment, so that the next `up` is quick.
    #[arg(long)]
    keep_tools: bool,
}

impl Arguments {
    /// Takes the stack down.
    pub(crate) async fn run(self) -> Result<ExitCode> {
        let options = DownOptions { keep_tools: self.keep_tools };
        let removed = stack::down(&Project::find()?, options, &Progress::new()).await?;
        crate::stdout::line(if removed { "The local stack is removed." } else { "There is no local stack here." })?;
        Ok(ExitCode::SUCCESS)
    }
}
