//! `tidegate-agent`: keeps a device's containers at the target state that Tidegate gives.

use std::process::ExitCode;

use clap::Parser;
use tidegate_agent::commands::Arguments;

// One thread: the agent waits nearly always, and each further thread would cost memory for nothing.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    Arguments::parse().run().await
}
