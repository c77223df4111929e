//! `tidegate-agent doctor`: everything that the agent needs, whether it is there, and how to mend it.

mod files;
pub(super) mod runtime;
mod server;
#[cfg(test)]
mod tests;

use std::fmt::Write;
use std::path::Path;

use clap::Args;
use serde::Serialize;

use super::Answer;
use crate::config::{Config, ConfigError};

/// What may be said.
#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
pub struct Arguments {
    /// As JSON, for programs.
    #[arg(long)]
    pub json: bool,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What.
    pub what: &'static str,
    /// How it is.
    #[serde(flatten)]
    pub found: Found,
}

/// How something is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Found {
    /// As it must be.
    Ok { seen: String },
    /// The agent works, but not as well as it could.
    Warn { seen: String, mend: String },
    /// The agent cannot do its work.
    Fail { seen: String, mend: String },
}

impl Found {
    fn ok(seen: impl Into<String>) -> Self {
        Self::Ok { seen: seen.into() }
    }

    fn warn(seen: impl Into<String>, mend: impl Into<String>) -> Self {
        Self::Warn { seen: seen.into(), mend: mend.into() }
    }

    fn fail(seen: impl Into<String>, mend: impl Into<String>) -> Self {
        Self::Fail { seen: seen.into(), mend: mend.into() }
    }

    fn of(self, what: &'static str) -> Check {
        Check { what, found: self }
    }
}

/// Looks at everything. Changes nothing, and may run beside the agent.
pub async fn doctor(path: &Path, config: Result<Config, ConfigError>, arguments: &Arguments) -> anyhow::Result<Answer> {
    let checks = match config {
        Ok(config) => all(path, &config).await,
        Err(error) => {
            vec![
                Found::fail(error.to_string(), format!("correct {}, then ask again", path.display()))
                    .of("configuration"),
            ]
        }
    };
    let code = u8::from(checks.iter().any(|check| matches!(check.found, Found::Fail { .. })));
    let text = if arguments.json { format!("{}\n", serde_json::to_string_pretty(&checks)?) } else { shown(&checks) };
    Ok(Answer { text, code })
}

async fn all(path: &Path, config: &Config) -> Vec<Check> {
    let mut checks = vec![Found::ok(path.display().to_string()).of("configuration")];
    checks.extend(files::state(config));
    checks.extend(server::checks(config).await);
    checks.extend(runtime::checks(config).await);
    checks.extend(files::named(config));
    checks
}

fn shown(checks: &[Check]) -> String {
    let mut text = String::new();
    for Check { what, found } in checks {
        let (word, seen, mend) = match found {
            Found::Ok { seen } => ("ok  ", seen, None),
            Found::Warn { seen, mend } => ("warn", seen, Some(mend)),
            Found::Fail { seen, mend } => ("FAIL", seen, Some(mend)),
        };
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{word}  {what:13} {}", seen.replace('\n', "\n                    "));
        if let Some(mend) = mend {
            let _ = writeln!(text, "                    → {mend}");
        }
    }
    text
}
