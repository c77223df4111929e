//! The subcommands: one file each, with its arguments and its `run`.

mod down;
mod status;
mod up;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

/// What `tidegate` can be asked to do.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Bring up the local stack: the emulator of AWS, the functions, the tables.
    Up(up::Arguments),
    /// End the local stack and remove everything that it kept.
    Down(down::Arguments),
    /// Say what of the local stack runs.
    Status(status::Arguments),
}

impl Command {
    /// Runs it; the answer is the program's exit code.
    pub(crate) async fn run(self) -> Result<ExitCode> {
        match self {
            Self::Up(arguments) => arguments.run().await,
            Self::Down(arguments) => arguments.run().await,
            Self::Status(arguments) => arguments.run().await,
        }
    }
}
