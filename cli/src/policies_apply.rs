//! policies.yaml onto a stack: all of it is checked first, by this program and by the server, and then changes at once.
//!
//! The server says what differs: only it knows the configured values of what a file leaves out. A policy that the file
//! does not name is never touched, unless it came from a file and `prune` is asked for.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tidegate_domain::fields::FieldError;
use tidegate_domain::policy::PolicyDefaults;
use tidegate_domain::policy::file::{FileError, PolicyDocument, in_order};

use crate::api::{Api, ApiError, Call, Caller};
use crate::policies_delete::{Rollouts, Touched};
use crate::{confirm, stderr};

/// The route that takes a whole set.
const ROUTE: &str = "/api/v1/image-policies/apply";
/// How the server marks what came from a file.
const FROM_FILE: &str = "file";

/// A file that is YAML, whatever else is wrong in it.
#[derive(Debug)]
pub(crate) struct File {
    path: PathBuf,
    document: PolicyDocument,
}

/// How a file is applied.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command, by itself")]
pub(crate) struct Options {
    /// Policies that came from a file and are not in this one are removed.
    pub(crate) prune: bool,
    /// Nobody is asked before that.
    pub(crate) yes: bool,
    /// Only said, and not done.
    pub(crate) dry_run: bool,
    /// More policies than one transaction holds may change, some after others.
    pub(crate) in_parts: bool,
}

/// What became of each policy, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub(crate) struct Applied {
    /// Whether nothing was done.
    pub(crate) dry_run: bool,
    /// New on the stack, or created again.
    pub(crate) created: Vec<String>,
    /// Replaced.
    pub(crate) changed: Vec<String>,
    /// As they were.
    pub(crate) unchanged: Vec<String>,
    /// Removed: they came from a file that names them no more.
    pub(crate) pruned: Vec<String>,
    /// On the stack, and not in the file.
    pub(crate) left_alone: Vec<LeftAlone>,
    /// Rollouts under way of those that are removed.
    pub(crate) rollouts: Vec<Touched>,
}

/// A policy that the file does not name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct LeftAlone {
    /// Its name.
    pub(crate) name: String,
    /// `file` or `api`.
    pub(crate) origin: String,
}

/// The server's answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answer {
    dry_run: bool,
    plan: String,
    parts: usize,
    policies: Vec<AnsweredPolicy>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AnsweredPolicy {
    name: String,
    change: String,
    origin: String,
    rollouts: Vec<Touched>,
}

/// Reads the file; what makes it no YAML is told with its line and column.
pub(crate) fn read(path: &Path) -> Result<File> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let document = PolicyDocument::read(&text).map_err(|error| mistakes(path, &[error]))?;
    Ok(File { path: path.to_owned(), document })
}

/// Brings the stack's policies to what the file says. Every mistake is told where it stands, whoever finds it.
pub(crate) async fn apply(api: Result<Api>, file: &File, options: Options) -> Result<Applied> {
    // Which registries are allowed only the server knows, and its own values.
    let unknown = PolicyDefaults { allowed_registries: None, ..PolicyDefaults::default() };
    let ours = file.document.mistakes(&unknown);
    if !ours.is_empty() {
        // The server sees others. Where it cannot be asked, ours are enough.
        let theirs = match &api {
            Ok(api) => post(api, file, options, true, None).await.err().map_or_else(Vec::new, |e| file.found(&e)),
            Err(_) => Vec::new(),
        };
        // Of a place and field that both find wrong ours is told: it knows the lines of the others.
        let told = |error: &FileError| ours.iter().any(|our| place_of(our) == place_of(error));
        let theirs: Vec<FileError> = theirs.into_iter().filter(|error| !told(error)).collect();
        return Err(mistakes(&file.path, &in_order(ours.into_iter().chain(theirs).collect())));
    }
    let api = api?;
    let look = post(&api, file, options, true, None).await.map_err(|error| file.told(error))?;
    if look.parts > 1 && !options.in_parts {
        bail!(
            "more policies would change than can at once, and nothing was done; --in-parts makes it {} transactions, \
             one after another",
            look.parts
        );
    }
    if options.dry_run || look.parts == 0 {
        return Ok(look.into_applied(options.dry_run));
    }
    let removed: Vec<&str> = look.of("removed").map(|policy| policy.name.as_str()).collect();
    if !removed.is_empty() {
        let touched: Vec<Touched> = look.policies.iter().flat_map(|policy| policy.rollouts.clone()).collect();
        if !options.yes && !touched.is_empty() {
            stderr::line(Rollouts(&touched));
        }
        let what = if removed.len() == 1 { "policy" } else { "policies" };
        if !confirm::ask(&format!("Remove the {what} {}?", removed.join(", ")), options.yes)? {
            bail!("nothing was done");
        }
    }
    let done = post(&api, file, options, false, Some(look.plan)).await.map_err(|error| file.told(error))?;
    Ok(done.into_applied(false))
}

async fn post(
    api: &Api,
    file: &File,
    options: Options,
    dry_run: bool,
    plan: Option<String>,
) -> Result<Answer, ApiError> {
    let on = |flag: bool| flag.then_some(true);
    let call = Call::new(Method::POST, ROUTE, Caller::Operator)
        .query("dry_run", on(dry_run))
        .query("prune", on(options.prune))
        .query("in_parts", on(options.in_parts))
        .query("plan", plan)
        .json(&json!({ "policies": file.document.bodies() }));
    // It can be made again: what was done is found done.
    if dry_run { api.call(&call).await?.read() } else { api.once(&call).await?.read() }
}

/// Where a mistake is, whatever is said of it.
fn place_of(error: &FileError) -> (u64, u64, &str) {
    (error.line, error.column, &error.field)
}

impl File {
    /// What the server found, where the file says it.
    fn found(&self, error: &ApiError) -> Vec<FileError> {
        let all = error.problem().map(|problem| problem.errors.as_slice()).unwrap_or_default();
        let found = all.iter().filter_map(|(pointer, detail)| {
            let rest = pointer.strip_prefix("/policies/")?;
            let (index, pointer) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            Some(self.document.mistake(index.parse().ok()?, FieldError::new(pointer, detail)))
        });
        found.collect()
    }

    fn told(&self, error: ApiError) -> anyhow::Error {
        let found = in_order(self.found(&error));
        if found.is_empty() { error.into() } else { mistakes(&self.path, &found) }
    }
}

/// All mistakes, a line each, as compilers tell them.
fn mistakes(path: &Path, errors: &[FileError]) -> anyhow::Error {
    let file = path.display();
    let lines = errors.iter().map(|error| {
        let field = if error.field.is_empty() { String::new() } else { format!("{}: ", error.field) };
        format!("\n  {file}:{}:{}: {field}{}", error.line, error.column, error.detail)
    });
    anyhow::anyhow!("{file} has mistakes; nothing was applied{}", lines.collect::<String>())
}

impl Answer {
    fn of<'a>(&'a self, change: &'a str) -> impl Iterator<Item = &'a AnsweredPolicy> {
        self.policies.iter().filter(move |policy| policy.change == change)
    }

    fn into_applied(self, dry_run: bool) -> Applied {
        let names = |change: &str| self.of(change).map(|policy| policy.name.clone()).collect();
        let left = |policy: &AnsweredPolicy| LeftAlone { name: policy.name.clone(), origin: policy.origin.clone() };
        Applied {
            dry_run: dry_run && self.dry_run,
            created: names("created"),
            changed: names("changed"),
            unchanged: names("unchanged"),
            pruned: names("removed"),
            left_alone: self.of("left_alone").map(left).collect(),
            rollouts: self.policies.iter().flat_map(|policy| policy.rollouts.clone()).collect(),
        }
    }
}

impl fmt::Display for Applied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.dry_run {
            writeln!(f, "nothing was done; this would be:")?;
        }
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
        Rollouts(&self.rollouts).fmt(f)
    }
}

#[cfg(test)]
mod tests;
