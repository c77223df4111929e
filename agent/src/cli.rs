//! The command line.

mod answer;
pub mod doctor;
pub mod enrol;
mod exit;
pub mod lock;
pub mod log;
pub mod logs;
mod notify;
pub mod run;
mod services;
mod status;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{Config, DEFAULT_FILE};

pub use answer::Answer;

/// Reads the process's own environment.
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Keeps a device's containers at the target state that Tidegate gives.
///
/// Exit codes: 0 done; 1 it failed; 2 the arguments are wrong; 3 no agent runs (status); 75 another agent runs;
/// 78 the configuration or the identity must be mended first.
#[derive(Debug, Parser)]
#[command(name = "tidegate-agent", version, arg_required_else_help = true, verbatim_doc_comment)]
pub struct Arguments {
    /// The configuration file.
    #[arg(long, global = true, value_name = "FILE", env = "TIDEGATE_AGENT_CONFIG", default_value = DEFAULT_FILE)]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Do the agent's work, until stopped.
    Run,
    /// Enrol this device, or enrol it again.
    Enrol(enrol::Arguments),
    /// Say what the agent does and what runs.
    Status(status::Arguments),
    /// Show the agent's log, or that of a service's container.
    Logs(logs::Arguments),
    /// Check everything that the agent needs, and say how to mend it.
    Doctor(doctor::Arguments),
    /// Let no update disturb a service.
    Lock(lock::LockArguments),
    /// Let updates go on.
    Unlock(lock::UnlockArguments),
    /// Say which version this is.
    Version,
}

impl Arguments {
    /// Does what was asked for. Errors are told on standard error.
    pub async fn run(self) -> ExitCode {
        match self.dispatch().await {
            Ok(answer) => answer.say(),
            Err(error) => {
                eprintln!("error: {error:#}");
                ExitCode::from(exit::code(&error))
            }
        }
    }

    async fn dispatch(self) -> anyhow::Result<Answer> {
        let path = self.config;
        let config = || Config::load(&path, &environment);
        match self.command {
            Command::Run => Box::pin(run::run(config()?)).await.map(|()| Answer::default()),
            Command::Enrol(arguments) => enrol::enrol(&config()?, arguments).await,
            Command::Status(arguments) => status::status(&config()?, &arguments),
            Command::Logs(arguments) => logs::logs(&config()?, &arguments).await,
            Command::Doctor(arguments) => doctor::doctor(&path, config(), &arguments).await,
            Command::Lock(arguments) => lock::lock(&config()?, arguments),
            Command::Unlock(arguments) => lock::unlock(&config()?, &arguments),
            Command::Version => Ok(Answer::of(format!("tidegate-agent {}\n", env!("CARGO_PKG_VERSION")))),
        }
    }
}
