//! What is wrong with a Compose file: everything at once, each by its name.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a Compose file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// A file cannot be read.
    #[error("{}: {source}", .file.display())]
    Unreadable { file: PathBuf, source: io::Error },
    /// It is no YAML.
    #[error("{}:{line}:{column}: {detail}", .file.display())]
    NotYaml {
        file: PathBuf,
        /// From 1.
        line: u64,
        /// From 1.
        column: u64,
        detail: String,
    },
    /// It says what cannot be done, or is wrong. Every mistake, one a line.
    #[error("{}", Listed(.file, .mistakes))]
    Mistakes {
        file: PathBuf,
        /// Each begins with the field: `services.web.build: …`.
        mistakes: Vec<String>,
    },
}

struct Listed<'a>(&'a PathBuf, &'a [String]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, mistake) in self.1.iter().enumerate() {
            let line = if n == 0 { "" } else { "\n" };
            write!(f, "{line}{}: {mistake}", self.0.display())?;
        }
        Ok(())
    }
}

/// Mistakes as they are found.
#[derive(Debug, Default)]
pub(super) struct Mistakes(RefCell<Vec<String>>);

impl Mistakes {
    /// Notes one, unless it was noted before.
    pub(super) fn note(&self, path: &str, what: impl fmt::Display) {
        let mistake = format!("{path}: {what}");
        let mut noted = self.0.borrow_mut();
        if !noted.contains(&mistake) {
            noted.push(mistake);
        }
    }

    pub(super) fn into_list(self) -> Vec<String> {
        self.0.into_inner()
    }
}
