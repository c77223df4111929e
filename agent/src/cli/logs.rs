//! `tidegate-agent logs`

mod container;
mod file;

use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};
use clap::Args;

use super::Answer;
use crate::config::Config;

/// The unit's name, where systemd runs the agent.
const UNIT: &str = "tidegate-agent";

/// What may be said.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Arguments {
    /// The log of this service's container, instead of the agent's own.
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
    /// How many lines, from the end.
    #[arg(long, short = 'n', default_value_t = 100)]
    pub lines: usize,
    /// Go on with what comes.
    #[arg(long, short)]
    pub follow: bool,
}

/// Shows a log.
pub async fn logs(config: &Config, arguments: &Arguments) -> anyhow::Result<Answer> {
    let Arguments { service, lines, follow } = arguments;
    if let Some(service) = service {
        container::show(config, service, *lines, *follow).await?;
    } else if let Some(path) = &config.log_file {
        file::show(path, *lines, *follow).await.with_context(|| format!("{} cannot be read", path.display()))?;
    } else if Path::new("/run/systemd/system").exists() {
        journal(*lines, *follow)?;
    } else {
        bail!(
            "the agent logs to standard error, which nobody keeps here that this program could ask: see `docker logs` \
             where it runs in a container, or set log_file"
        );
    }
    Ok(Answer::default())
}

fn journal(lines: usize, follow: bool) -> anyhow::Result<()> {
    let mut command = Command::new("journalctl");
    command.args(["--unit", UNIT, "--no-pager", "--lines", &lines.to_string()]);
    let status = command.args(follow.then_some("--follow")).status().context("journalctl cannot be run")?;
    if status.success() { Ok(()) } else { bail!("journalctl says no ({status})") }
}
