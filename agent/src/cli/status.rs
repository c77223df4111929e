//! `tidegate-agent status`

use std::io::ErrorKind;

use anyhow::Context;
use clap::Args;
use jiff::Timestamp;

use super::Answer;
use super::exit::NOT_RUNNING;
use crate::config::Config;
use crate::state::instance;
use crate::state::status::{self, Status};

/// What may be said.
#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
pub(super) struct Arguments {
    /// As JSON, for programs.
    #[arg(long)]
    pub(super) json: bool,
}

/// Says how the agent is.
pub(super) fn status(config: &Config, arguments: &Arguments) -> anyhow::Result<Answer> {
    let running = instance::is_running(&config.runtime_dir);
    let code = if running { 0 } else { NOT_RUNNING };
    let status = match Status::read(&config.runtime_dir) {
        Ok(status) => status,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let what = if running { "the agent has just started, and says nothing yet" } else { "no agent runs" };
            let null = serde_json::json!({ "running": running, "status": null });
            return Ok(Answer { text: if arguments.json { format!("{null}\n") } else { format!("{what}\n") }, code });
        }
        Err(error) => {
            let path = status::file(&config.runtime_dir);
            return Err(error).with_context(|| format!("{} cannot be read", path.display()));
        }
    };
    let text = if arguments.json {
        format!("{:#}\n", serde_json::json!({ "running": running, "status": status }))
    } else {
        let stopped = format!("no agent runs; this is what the last one said at {}\n\n", status.at);
        format!("{}{}", if running { "" } else { &stopped }, status.shown(Timestamp::now()))
    };
    Ok(Answer { text, code })
}
