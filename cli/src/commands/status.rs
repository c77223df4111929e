//! `tidegate status`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::progress::Progress;
use crate::stack::{self, Project, Status};
use crate::stdout;

/// Arguments of `tidegate status`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Arguments {
    /// Prints the status; fails when there is a stack that does not run.
    pub(crate) async fn run(self) -> Result<ExitCode> {
        let status = stack::status(&Project::find()?, &Progress::new()).await?;
        if self.json {
            stdout::json(&status)?;
        } else {
            print(&status)?;
        }
        let broken = status.endpoint.is_some() && status.deployed.is_none();
        Ok(if broken { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

fn print(status: &Status) -> Result<()> {
    let (Some(endpoint), Some(url), Some(stack)) = (&status.endpoint, &status.url, &status.stack) else {
        return stdout::line("There is no local stack here; tidegate up makes one.");
    };
    match &status.emulator {
        None => stdout::line(format_args!("endpoint   {endpoint} (not started by tidegate)"))?,
        Some(emulator) => {
            let state = match (emulator.running, emulator.healthy) {
                (true, true) => "runs",
                (true, false) => "does not answer; tidegate up starts it again",
                (false, _) => "does not run; tidegate up starts it again",
            };
            stdout::line(format_args!("emulator   {endpoint}, process {}: {state}", emulator.pid))?;
        }
    }
    stdout::line(format_args!("API        {url}"))?;
    let Some(deployed) = &status.deployed else { return Ok(()) };
    stdout::line(format_args!("stack      {stack}: {}", deployed.status))?;
    for function in &deployed.functions {
        stdout::line(format_args!(
            "function   {:<16} {} changed {}",
            function.name,
            &short(&function.code),
            function.changed_at
        ))?;
    }
    for mapping in &deployed.mappings {
        stdout::line(format_args!("feeds      {:<16} {} ({})", mapping.function, mapping.state, mapping.last))?;
    }
    for queue in &deployed.queues {
        let counts = format!("{} waiting, {} in flight, {} delayed", queue.waiting, queue.in_flight, queue.delayed);
        let alarm = if queue.name.ends_with("dead letters") && queue.waiting > 0 { "  ← given up on" } else { "" };
        stdout::line(format_args!("queue      {:<22} {counts}{alarm}", queue.name))?;
    }
    Ok(())
}

/// Enough of a hash to tell two apart.
fn short(hash: &str) -> String {
    hash.chars().take(12).collect()
}
