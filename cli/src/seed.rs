//! What a fresh local stack is filled with: the checkout's policies.yaml.

use anyhow::Result;

use crate::api::{Api, Connection};
use crate::policies_apply::{self, Options};
use crate::progress::Progress;
use crate::stack::{Access, Project};

/// Applies policies.yaml of the checkout, where there is one. Policies made through the API stay.
pub(crate) async fn policies(project: &Project, access: &Access, progress: &Progress) -> Result<()> {
    let path = project.root().join("policies.yaml");
    if !path.is_file() {
        return Ok(());
    }
    let step = progress.step("Applying policies.yaml");
    let api = Api::new(Connection::from(access))?;
    let applied = policies_apply::apply(Ok(api), &policies_apply::read(&path)?, Options::default()).await?;
    let (created, changed, unchanged) = (applied.created.len(), applied.changed.len(), applied.unchanged.len());
    step.done(&format!("policies.yaml is applied: {created} created, {changed} changed, {unchanged} as they were"));
    Ok(())
}
