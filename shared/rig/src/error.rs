//! What can go wrong with a rig.

use std::path::Path;

/// Why there is no rig, or why it does not do something.
#[derive(Debug, thiserror::Error)]
pub enum RigError {
    /// The machine lacks something; the text says what, and how to mend it.
    #[error("{0}")]
    Missing(String),
    /// A program that was started does not do what it should.
    #[error("{what}; the end of {log}:\n{tail}")]
    Program {
        /// Which one, and what is wrong with it.
        what: String,
        /// Where its log is.
        log: String,
        /// The log's last lines.
        tail: String,
    },
    /// A file or a process of the machine.
    #[error("{what}: {source}")]
    Machine {
        /// What was tried.
        what: String,
        /// What the machine said.
        source: std::io::Error,
    },
    /// The engine refused a call.
    #[error("the engine: {0}")]
    Engine(#[from] bollard::errors::Error),
    /// The registry cannot be reached.
    #[error("the registry: {0}")]
    Registry(#[from] reqwest::Error),
    /// The registry refused a push.
    #[error("the registry refused {what}: {status} {body}")]
    Refused {
        /// What was pushed.
        what: String,
        /// Its answer's status.
        status: u16,
        /// Its answer.
        body: String,
    },
}

impl RigError {
    /// Something that the machine refused.
    pub(crate) fn machine(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        |source| Self::Machine { what: what.into(), source }
    }

    /// A program that failed, with the last lines of its log.
    pub(crate) fn program(what: impl Into<String>, log: &Path) -> Self {
        Self::Program { what: what.into(), log: log.display().to_string(), tail: tail(log) }
    }
}

/// Lines of a log that are shown.
const TAIL: usize = 12;

fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}
