//! `tidegate policies`: the rules that rollouts follow.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use serde_json::Value;

use crate::api::{Api, Connection, Policy};
use crate::policies_delete::{self, DeleteArgs};
use crate::policies_windows::{self, WindowsArgs};
use crate::table::{Table, cell};
use crate::{policies_apply, stdout};

/// What can be done with policies.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Bring the stack's policies to what a file says; policies that it does not name are left alone
    Apply {
        /// File with the policies
        #[arg(default_value = "policies.yaml")]
        file: PathBuf,
        /// Remove policies that came from a file and are not in this one
        #[arg(long)]
        prune: bool,
        /// Print the result as JSON
        #[arg(long)]
        json: bool,
    },
    /// List the policies
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one policy with all its effective values
    Get {
        /// Its name, or its id
        name: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove a policy, after saying which rollouts are under way under it
    Delete(DeleteArgs),
    /// List the coming maintenance windows of a policy in a file; needs no stack
    Windows(WindowsArgs),
}

impl Command {
    /// Runs it.
    pub(crate) async fn run(self) -> Result<ExitCode> {
        match self {
            Self::Apply { file, prune, json } => apply(&file, prune, json).await?,
            Self::List { json } => list(json).await?,
            Self::Get { name, json } => get(&name, json).await?,
            Self::Delete(arguments) => policies_delete::run(&arguments).await?,
            Self::Windows(arguments) => policies_windows::run(&arguments)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn apply(file: &std::path::Path, prune: bool, json: bool) -> Result<()> {
    let policies = policies_apply::read(file)?;
    let api = Api::new(Connection::find()?)?;
    let applied = policies_apply::apply(&api, &policies, prune).await?;
    if json {
        stdout::json(&applied)?;
    } else {
        stdout::print(&applied)?;
    }
    Ok(())
}

async fn list(json: bool) -> Result<()> {
    let api = Api::new(Connection::find()?)?;
    let found: Vec<Value> = api.list("/api/v1/image-policies", &[], None).await?;
    if json {
        stdout::json(&found)?;
        return Ok(());
    }
    let mut table = Table::new(["NAME", "IMAGE", "STRATEGY", "BATCHES", "DEVICES", "WINDOW", "FROM"]);
    for value in found {
        let policy: Policy = serde_json::from_value(value)?;
        table.row([
            policy.name.clone(),
            policy.image_pattern.clone(),
            policy.update_strategy.clone(),
            batches(&policy.staged_batches),
            devices(&policy),
            window(&policy),
            cell(policy.origin.as_ref()),
        ]);
    }
    if table.is_empty() {
        stdout::line("There are no policies; tidegate policies apply policies.yaml brings those of a file.")?;
    } else {
        stdout::print(&table)?;
    }
    Ok(())
}

async fn get(name: &str, json: bool) -> Result<()> {
    let api = Api::new(Connection::find()?)?;
    let found: Vec<Value> = api.list("/api/v1/image-policies", &[], None).await?;
    let named = |value: &&Value| value["name"] == name || value["id"] == name;
    let Some(policy) = found.iter().find(named) else {
        bail!("there is no policy {name:?}; tidegate policies list lists them");
    };
    if json {
        stdout::json(policy)?;
        return Ok(());
    }
    let fields = policy.as_object().context("the server's answer is no policy")?;
    let width = fields.keys().map(String::len).max().unwrap_or(0);
    for (field, value) in fields {
        stdout::line(format_args!("{field:width$}  {}", plain(value)))?;
    }
    Ok(())
}

fn batches(value: &Value) -> String {
    match value {
        Value::Array(steps) => steps.iter().map(plain).collect::<Vec<_>>().join(" "),
        value => plain(value),
    }
}

/// A value as people write it.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        value => value.to_string(),
    }
}

fn devices(policy: &Policy) -> String {
    let fleet = policy.fleet_id.iter().map(|fleet| format!("fleet {fleet}"));
    let tags = policy.device_tags.iter().map(|(key, value)| format!("{key}={value}"));
    let all: Vec<String> = fleet.chain(tags).collect();
    if all.is_empty() { "all".to_owned() } else { all.join(", ") }
}

fn window(policy: &Policy) -> String {
    match (&policy.maintenance_window_start, &policy.maintenance_window_end) {
        (Some(start), Some(end)) => format!("{start}-{end} {}", cell(policy.timezone.as_ref())),
        _ => "-".to_owned(),
    }
}
