//! `tidegate policies`: the rules that rollouts follow.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use serde_json::Value;

use crate::api::{Api, Connection, Policy};
use crate::policies_apply::Options;
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
        /// Remove policies that came from a file and are not in this one, after asking
        #[arg(long)]
        prune: bool,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        /// Only say what would be done
        #[arg(long, conflicts_with = "yes")]
        dry_run: bool,
        /// Where more than 49 policies change: in several transactions, one after another, instead of not at all
        #[arg(long)]
        in_parts: bool,
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
    /// Show one policy: every value that holds, and whether the policy, the stack or nobody says so
    #[command(alias = "get")]
    Show {
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
            Self::Apply { file, prune, yes, dry_run, in_parts, json } => {
                apply(&file, Options { prune, yes, dry_run, in_parts }, json).await?;
            }
            Self::List { json } => list(json).await?,
            Self::Show { name, json } => show(&name, json).await?,
            Self::Delete(arguments) => policies_delete::run(&arguments).await?,
            Self::Windows(arguments) => policies_windows::run(&arguments)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn apply(file: &std::path::Path, options: Options, json: bool) -> Result<()> {
    let policies = policies_apply::read(file)?;
    let api = Connection::find().and_then(|connection| Ok(Api::new(connection)?));
    let applied = policies_apply::apply(api, &policies, options).await?;
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
        let policy: Policy = serde_json::from_value(value.clone())?;
        let of_the_stack = |field: &str| if value["effective"][field]["from"] == "stack" { " (stack)" } else { "" };
        table.row([
            policy.name.clone(),
            policy.image_pattern.clone(),
            format!("{}{}", policy.update_strategy, of_the_stack("update_strategy")),
            format!("{}{}", batches(&policy.staged_batches), of_the_stack("staged_batches")),
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

async fn show(name: &str, json: bool) -> Result<()> {
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
    stdout::print(shown(policy)?)
}

/// A line for each value with its source, and what does not fit.
fn shown(policy: &Value) -> Result<String> {
    let fields = policy.as_object().context("the server's answer is no policy")?;
    let told = fields.get("effective").and_then(Value::as_object);
    let is_told = |field: &str| told.is_some_and(|told| told.keys().any(|name| name.split('.').next() == Some(field)));
    let mut table = Table::new(["FIELD", "VALUE", "FROM"]);
    for (field, value) in fields.iter().filter(|(field, _)| !["effective", "mistakes"].contains(&field.as_str())) {
        if !is_told(field) {
            table.row([field.clone(), plain(value), String::new()]);
        }
    }
    for (field, sourced) in told.into_iter().flatten() {
        let from = plain(&sourced["from"]).replace('_', "-");
        table.row([field.clone(), plain(&sourced["value"]), from]);
    }
    let mut text = table.to_string();
    let mistakes = fields.get("mistakes").and_then(Value::as_array).into_iter().flatten();
    let mistakes: Vec<String> =
        mistakes.map(|mistake| format!("  {}: {}", plain(&mistake["pointer"]), plain(&mistake["detail"]))).collect();
    if !mistakes.is_empty() {
        text += "\nIt does not fit what the stack says now, and its next rollout will fail:\n";
        text += &(mistakes.join("\n") + "\n");
    }
    Ok(text)
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_policy_is_shown_with_whose_values_they_are() {
        let policy = json!({
            "name": "a", "soak_seconds": 5, "health_check": {"type": "image"},
            "effective": {
                "soak_seconds": {"value": 5, "from": "policy"}, "health_check.type": {"value": "image", "from": "policy"},
                "health_check.retry_count": {"value": 3, "from": "stack"}, "on_newer": {"value": "queue", "from": "built_in"},
            },
            "mistakes": [{"pointer": "/soak_seconds", "detail": "too much"}],
        });
        let text = shown(&policy).unwrap();
        for line in [
            "name                      a",
            "soak_seconds              5      policy",
            "health_check.retry_count  3      stack",
            "on_newer                  queue  built-in",
            "  /soak_seconds: too much",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line:?} in\n{text}");
        }
        assert_eq!(text.matches("soak_seconds ").count(), 1, "{text}");
    }
}
