//! The parameters that somebody gave to `up`: kept, so that an `up` without any leaves the stack as they made it.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use super::project::{Project, write_private};
use super::template::Template;

/// They may be secrets: the file is for its owner only.
const FILE: &str = "parameters.json";

/// Parameters of the template, by name.
#[derive(Debug, Default)]
pub(super) struct Parameters(BTreeMap<String, String>);

impl Parameters {
    /// Those of earlier times.
    pub(super) fn of_before(project: &Project) -> Result<Self> {
        let path = project.state_file(FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Self(serde_json::from_str(&text).with_context(|| format!("{} is broken", path.display()))?)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
        }
    }

    /// Lets go of those that this checkout's template does not have (any more); says which.
    pub(super) fn forget_unknown(&mut self, template: &Template) -> Vec<String> {
        let unknown: Vec<String> = self.0.keys().filter(|name| !template.has(name)).cloned().collect();
        self.0.retain(|name, _| template.has(name));
        unknown
    }

    /// And these, which win.
    pub(super) fn extend(&mut self, more: &BTreeMap<String, String>) {
        self.0.extend(more.clone());
    }

    /// All of them.
    pub(super) fn all(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// Keeps them for the next time. Only what could be deployed is kept.
    pub(super) fn save(&self, project: &Project) -> Result<()> {
        write_private(&project.state_file(FILE), &serde_json::to_string_pretty(&self.0)?)
    }
}
