//! `down`: ends what `up` started and removes what it made.

use anyhow::{Context, Result};

use super::access::Access;
use super::emulator::Emulator;
use super::project::Project;
use super::script::Scripts;
use super::{deploy, venv};
use crate::progress::Progress;

/// How to take the stack down.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct DownOptions {
    /// Keep the Python environment and the packages, so that the next `up` is quick; data and secrets go all the same.
    pub keep_tools: bool,
}

/// Ends the emulator, or removes the stack from the endpoint that it was deployed to, and removes `.tidegate/`.
/// Returns whether there was anything to remove.
pub(crate) async fn down(project: &Project, options: DownOptions, progress: &Progress) -> Result<bool> {
    if !project.state().exists() {
        return Ok(false);
    }
    let _lock = project.lock()?;
    let emulator = Emulator::recorded(project);
    let own = emulator.as_ref().map(Emulator::endpoint);
    let access = Access::read(project)?.filter(|access| !access.endpoint.is_empty());
    if let Some(access) = access.filter(|access| Some(&access.endpoint) != own.as_ref()) {
        remove_from(project, &access, progress).await?;
    }
    if let Some(emulator) = emulator {
        let step = progress.step("Ending the emulator");
        emulator.end(project).await?;
        step.done("The emulator is ended");
    }
    let entries = std::fs::read_dir(project.state()).context("the state of the local stack cannot be read")?;
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name();
        if options.keep_tools && (name == "venv" || name == "packages") {
            continue;
        }
        let path = entry.path();
        let removed = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        removed.with_context(|| format!("{} cannot be removed", path.display()))?;
    }
    if !options.keep_tools {
        std::fs::remove_dir(project.state()).context("the folder of the local stack cannot be removed")?;
    }
    Ok(true)
}

/// An endpoint of the user's own goes on running; only the stack goes. One that is gone took the stack along.
async fn remove_from(project: &Project, access: &Access, progress: &Progress) -> Result<()> {
    let client = reqwest::Client::builder().no_proxy().timeout(std::time::Duration::from_secs(5)).build()?;
    if client.get(&access.endpoint).send().await.is_err() {
        progress.say(&format!("{} does not answer: nothing to remove there.", access.endpoint));
        return Ok(());
    }
    let scripts = Scripts { project, python: venv::interpreter(project), endpoint: &access.endpoint };
    deploy::remove(&scripts, &access.stack, progress).await
}
