//! policies.yaml onto a stack: what is new is created, what differs is replaced, the rest is left alone.
//!
//! The server says whether a policy differs: only it knows the configured values of what a file leaves out. A policy
//! that the file does not name is never touched, unless it came from a file and `prune` is asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use reqwest::Method;
use reqwest::header::IF_MATCH;
use serde::Serialize;
use tidegate_domain::policy::file::{PolicyFile, parse_file};
use tidegate_domain::policy::{PolicyDefaults, RawPolicy};

use crate::api::{Api, Call, Caller, Policy};

/// The route of all policies.
const ROUTE: &str = "/api/v1/image-policies";
/// Tries of a policy that somebody else changes at the same time.
const TRIES: u32 = 3;
/// How the server marks what came from a file.
const FROM_FILE: &str = "file";

/// What became of each policy, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub(crate) struct Applied {
    /// New on the stack.
    pub(crate) created: Vec<String>,
    /// Replaced.
    pub(crate) changed: Vec<String>,
    /// As they were.
    pub(crate) unchanged: Vec<String>,
    /// Removed: they came from a file that names them no more.
    pub(crate) pruned: Vec<String>,
    /// On the stack, and not in the file.
    pub(crate) left_alone: Vec<LeftAlone>,
}

/// A policy that the file does not name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct LeftAlone {
    /// Its name.
    pub(crate) name: String,
    /// `file` or `api`.
    pub(crate) origin: String,
}

/// Reads and checks the file; every mistake is told with its line and column.
pub(crate) fn read(path: &Path) -> Result<PolicyFile> {
    let file = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {file}"))?;
    // Which registries are allowed only the server knows.
    let defaults = PolicyDefaults { allowed_registries: None, ..PolicyDefaults::default() };
    parse_file(&text, &defaults).map_err(|errors| {
        let lines = errors.iter().map(|error| {
            let field = if error.field.is_empty() { String::new() } else { format!("{}: ", error.field) };
            format!("\n  {file}:{}:{}: {field}{}", error.line, error.column, error.detail)
        });
        anyhow::anyhow!("{file} has mistakes; nothing was applied{}", lines.collect::<String>())
    })
}

/// Brings the stack's policies to what the file says.
pub(crate) async fn apply(api: &Api, file: &PolicyFile, prune: bool) -> Result<Applied> {
    let stored: Vec<Policy> = api.list(ROUTE, &[], None).await.context("the stored policies cannot be read")?;
    let mut ids: BTreeMap<&str, &Policy> = stored.iter().map(|policy| (policy.name.as_str(), policy)).collect();
    let mut applied = Applied::default();
    let mut named = BTreeSet::new();
    for raw in &file.policies {
        let name = raw.name.as_deref().unwrap_or_default();
        named.insert(name);
        let failed = || format!("the policy {name:?} was not applied");
        match ids.remove(name) {
            None => {
                create(api, raw).await.with_context(failed)?;
                applied.created.push(name.to_owned());
            }
            Some(policy) if replace(api, policy, raw).await.with_context(failed)? => {
                applied.changed.push(name.to_owned());
            }
            Some(_) => applied.unchanged.push(name.to_owned()),
        }
    }
    for policy in ids.into_values() {
        let origin = policy.origin.clone().unwrap_or_default();
        if prune && origin == FROM_FILE {
            remove(api, policy).await.with_context(|| format!("the policy {:?} was not removed", policy.name))?;
            applied.pruned.push(policy.name.clone());
        } else {
            applied.left_alone.push(LeftAlone { name: policy.name.clone(), origin });
        }
    }
    Ok(applied)
}

async fn create(api: &Api, raw: &RawPolicy) -> Result<()> {
    let call = Call::new(Method::POST, ROUTE, Caller::Operator).query("origin", Some(FROM_FILE)).json(raw);
    api.once(&call).await?;
    Ok(())
}

/// Replaces the stored policy, unless somebody else changed it since it was read; says whether that changed anything.
async fn replace(api: &Api, stored: &Policy, raw: &RawPolicy) -> Result<bool> {
    let path = format!("{ROUTE}/{}", stored.id);
    for _ in 0..TRIES {
        let answer = api.call(&Call::new(Method::GET, &*path, Caller::Operator)).await?;
        let before: Policy = answer.read()?;
        let mut call = Call::new(Method::PUT, &*path, Caller::Operator).query("origin", Some(FROM_FILE)).json(raw);
        if let Some(etag) = answer.header("etag") {
            call = call.header(IF_MATCH, etag);
        }
        match api.call(&call).await {
            Ok(answer) => {
                let after: Policy = answer.read()?;
                return Ok(after.revision != before.revision);
            }
            Err(error) if error.status() == Some(412) => {}
            Err(error) => return Err(error.into()),
        }
    }
    bail!("somebody else is changing it")
}

async fn remove(api: &Api, policy: &Policy) -> Result<()> {
    let call = Call::new(Method::DELETE, format!("{ROUTE}/{}", policy.id), Caller::Operator);
    match api.call(&call).await {
        Ok(_) => Ok(()),
        Err(error) if error.status() == Some(404) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

impl fmt::Display for Applied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, names) in [
            ("created", &self.created),
            ("changed", &self.changed),
            ("unchanged", &self.unchanged),
            ("removed", &self.pruned),
        ] {
            if !names.is_empty() {
                writeln!(f, "{what:<10} {}", names.join(", "))?;
            }
        }
        for LeftAlone { name, origin } in &self.left_alone {
            let hint = if origin == FROM_FILE { "; it came from a file: --prune removes it" } else { "" };
            writeln!(f, "left alone {name}, which the file does not name{hint}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
