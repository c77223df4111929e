//! `tidegate policies delete`: says what is under way under the policy, asks, and removes it.

use std::fmt;

use anyhow::{Result, bail};
use reqwest::Method;
use reqwest::header::IF_MATCH;
use serde::{Deserialize, Serialize};

use crate::api::{Api, Call, Caller, Connection, Policy};
use crate::{confirm, stderr, stdout};

/// The route of all policies.
const ROUTE: &str = "/api/v1/image-policies";

/// Which policy to remove.
#[derive(Debug, clap::Args)]
pub(crate) struct DeleteArgs {
    /// Its name, or its id
    name: String,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Only say what is under way under it
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// A policy that is removed, or would be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Removal {
    pub(crate) dry_run: bool,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) revision: u64,
    pub(crate) rollouts: Vec<Touched>,
}

/// A rollout that is under way under a policy that is removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Touched {
    pub(crate) rollout_id: String,
    pub(crate) image_name: String,
    pub(crate) new_tag: Option<String>,
    pub(crate) status: String,
    pub(crate) policy: String,
}

/// Runs the command.
pub(crate) async fn run(args: &DeleteArgs) -> Result<()> {
    let api = Api::new(Connection::find()?)?;
    let found: Vec<Policy> = api.list(ROUTE, &[], None).await?;
    let Some(policy) = found.iter().find(|policy| policy.name == args.name || policy.id == args.name) else {
        bail!("there is no policy {:?}; tidegate policies list lists them", args.name);
    };
    let before = remove(&api, &policy.id, None).await?;
    if args.dry_run {
        return if args.json { stdout::json(&before) } else { stdout::print(&before) };
    }
    if !before.rollouts.is_empty() && !args.yes {
        stderr::line(Rollouts(&before.rollouts));
    }
    if !confirm::ask(&format!("Remove the policy {}?", before.name), args.yes)? {
        bail!("nothing was done");
    }
    let removed = remove(&api, &policy.id, Some(before.revision)).await?;
    if args.json { stdout::json(&removed) } else { stdout::print(&removed) }
}

/// Removes the policy at this revision; without one, says what would be touched.
async fn remove(api: &Api, id: &str, revision: Option<u64>) -> Result<Removal> {
    let call = Call::new(Method::DELETE, format!("{ROUTE}/{id}"), Caller::Operator);
    let call = match revision {
        Some(revision) => call.header(IF_MATCH, &format!("\"{revision}\"")),
        None => call.query("dry_run", Some(true)),
    };
    Ok(api.once(&call).await?.read()?)
}

/// Rollouts that a removal touches, as lines for people; none where there are none.
pub(crate) struct Rollouts<'a>(pub(crate) &'a [Touched]);

impl fmt::Display for Rollouts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        writeln!(f, "under way, by the copy of the policy that each of them has:")?;
        for touched in self.0 {
            let Touched { rollout_id, image_name, new_tag, status, policy } = touched;
            let tag = new_tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
            writeln!(f, "  {rollout_id}  {image_name}{tag}  {}  ({policy})", status.replace('_', " "))?;
        }
        Ok(())
    }
}

impl fmt::Display for Removal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { dry_run, name, .. } = self;
        writeln!(f, "{} {name}", if *dry_run { "would remove" } else { "removed" })?;
        Rollouts(&self.rollouts).fmt(f)?;
        writeln!(f, "Created again under this name, it is the same policy: what is bad or proven stays known.")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::routes_in_memory::host;

    #[tokio::test]
    async fn a_removal_says_what_it_touches_and_holds_to_what_was_seen() {
        let api = host().await;
        let policy = json!({ "name": "a", "image_pattern": "docker.io/x/a:*" });
        let id = api.post(ROUTE, &policy).await.expect("stored")["id"].as_str().expect("an id").to_owned();
        let before = remove(&api, &id, None).await.expect("told");
        assert_eq!((before.dry_run, before.name.as_str(), before.revision), (true, "a", 1));
        assert!(before.to_string().starts_with("would remove a\nCreated again"), "{before}");
        remove(&api, &id, Some(9)).await.expect_err("another revision");
        assert!(!remove(&api, &id, Some(1)).await.expect("removed").dry_run);
        remove(&api, &id, None).await.expect_err("it is gone");
    }

    #[test]
    fn rollouts_are_told_a_line_each() {
        let touched = Touched {
            rollout_id: "01R".to_owned(),
            image_name: "docker.io/x/a".to_owned(),
            new_tag: Some("v2".to_owned()),
            status: "awaiting_approval".to_owned(),
            policy: "a".to_owned(),
        };
        let text = Rollouts(&[touched]).to_string();
        assert_eq!(text.lines().nth(1), Some("  01R  docker.io/x/a:v2  awaiting approval  (a)"));
        assert_eq!(Rollouts(&[]).to_string(), "");
    }
}
