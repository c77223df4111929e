//! `tidegate-agent lock` and `unlock`

use std::time::Duration;

use anyhow::Context;
use clap::Args;
use jiff::Timestamp;

use super::Answer;
use crate::config::{self, Config};
use crate::locks::{ALL, LockFile, directory, release, take};

/// What may be said to lock.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct LockArguments {
    /// The service; without it, every one.
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
    /// How long, such as 2h or 30m; without it, until it is unlocked.
    #[arg(long = "for", value_name = "TIME", value_parser = config::time)]
    pub length: Option<Duration>,
    /// Why; the server's operators see it.
    #[arg(long)]
    pub reason: Option<String>,
}

/// What may be said to unlock.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct UnlockArguments {
    /// The service; without it, the lock of every one.
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
}

pub fn lock(config: &Config, arguments: LockArguments) -> anyhow::Result<Answer> {
    let until = arguments.length.map(|length| Timestamp::now().checked_add(length)).transpose();
    let until = until.context("expected a shorter time")?;
    let name = arguments.service.as_deref().unwrap_or(ALL);
    let lock = LockFile { reason: arguments.reason, until, pid: Some(std::process::id()) };
    let path = take(&config.runtime_dir, name, &lock).with_context(|| cannot(config, name))?;
    let ends = until.map_or_else(|| "until it is unlocked".to_owned(), |until| format!("until {until:.0}"));
    Ok(Answer::of(format!("{} {ends} ({})\n", locked(arguments.service.as_deref()), path.display())))
}

pub fn unlock(config: &Config, arguments: &UnlockArguments) -> anyhow::Result<Answer> {
    let name = arguments.service.as_deref().unwrap_or(ALL);
    let there = release(&config.runtime_dir, name).with_context(|| cannot(config, name))?;
    Ok(Answer::of(if there { "unlocked\n" } else { "there was no such lock\n" }))
}

fn locked(service: Option<&str>) -> String {
    service.map_or_else(|| "every service is locked".to_owned(), |service| format!("{service} is locked"))
}

fn cannot(config: &Config, name: &str) -> String {
    format!("the lock {name:?} in {} cannot be changed", directory(&config.runtime_dir).display())
}
