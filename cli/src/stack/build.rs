//! Building the functions and the agent with cargo: the development profile, in the target folder that this program came from.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::Command;

use super::project::Project;
use crate::progress::{Progress, Step};

/// The functions, by the names of their binaries.
pub(crate) const FUNCTIONS: [&str; 9] = [
    "public",
    "webhooks",
    "policies",
    "rollouts",
    "device-state",
    "rollout-step",
    "batch-worker",
    "recorder",
    "event-publisher",
];

/// A line of cargo's JSON output, as far as it matters here.
#[derive(Deserialize)]
struct Message {
    reason: String,
    executable: Option<PathBuf>,
    target: Option<Target>,
    #[serde(default)]
    fresh: bool,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

/// The device agent's package and binary.
const AGENT: &str = "tidegate-agent";

/// Builds every function; returns each one's binary.
pub(super) async fn functions(project: &Project, progress: &Progress) -> Result<BTreeMap<String, PathBuf>> {
    // With this program among them, as in `cargo run`: other packages would mean other features, and every shared crate
    // once more.
    let packages = FUNCTIONS.map(|name| format!("tidegate-fn-{name}"));
    let packages = ["tidegate-cli"].into_iter().chain(packages.iter().map(String::as_str));
    let binaries = cargo(project, packages, ("functions", "are"), progress).await?;
    if let Some(missing) = FUNCTIONS.iter().find(|name| !binaries.contains_key(**name)) {
        bail!("cargo built no binary for the function {missing}");
    }
    Ok(binaries)
}

/// Builds the device agent; returns its binary.
pub(crate) async fn agent(project: &Project, progress: &Progress) -> Result<PathBuf> {
    let mut binaries = cargo(project, [AGENT], ("device agent", "is"), progress).await?;
    binaries.remove(AGENT).with_context(|| format!("cargo built no binary {AGENT}"))
}

/// Builds packages; returns their binaries by name.
async fn cargo<'a>(
    project: &Project,
    packages: impl IntoIterator<Item = &'a str>,
    (what, are): (&str, &str),
    progress: &Progress,
) -> Result<BTreeMap<String, PathBuf>> {
    let step = progress.step(format!("Building the {what}"));
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(&cargo);
    command.args(["build", "--message-format=json-render-diagnostics", "--color", "never"]);
    command.args(packages.into_iter().flat_map(|package| ["-p", package]));
    let mut child = command
        .current_dir(project.root())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("{} cannot be run; the {what} {are} built with Rust's cargo", cargo.display()))?;
    let artifacts = collect(child.stdout.take().context("cargo has no output")?);
    let said = follow(child.stderr.take().context("cargo has no error output")?, &step);
    let ((binaries, compiled), said, status) = tokio::join!(artifacts, said, child.wait());
    if !status?.success() {
        bail!("the {what} could not be built:\n{}", said.join("\n"));
    }
    step.done(&match compiled {
        0 => format!("The {what} {are} built already"),
        count => format!("The {what} {are} built ({count} crates compiled)"),
    });
    Ok(binaries)
}

/// The binaries, and how many crates were compiled anew.
async fn collect(output: impl AsyncRead + Unpin) -> (BTreeMap<String, PathBuf>, usize) {
    let mut lines = BufReader::new(output).lines();
    let (mut binaries, mut compiled) = (BTreeMap::new(), 0);
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(message) = serde_json::from_str::<Message>(&line) else { continue };
        if message.reason != "compiler-artifact" {
            continue;
        }
        compiled += usize::from(!message.fresh);
        if let (Some(target), Some(executable)) = (message.target, message.executable) {
            binaries.insert(target.name, executable);
        }
    }
    (binaries, compiled)
}

/// Shows what is compiled, and keeps the rest: compiler errors.
async fn follow(output: impl AsyncRead + Unpin, step: &Step) -> Vec<String> {
    let mut lines = BufReader::new(output).lines();
    let (mut kept, mut compiling) = (Vec::new(), 0_usize);
    while let Ok(Some(line)) = lines.next_line().await {
        match line.trim_start().split_once(' ') {
            Some(("Compiling", what)) => {
                compiling += 1;
                let name = what.split(" (").next().unwrap_or(what);
                step.note(&format!("compiling crate {compiling}: {name}"));
            }
            Some(("Downloading" | "Downloaded" | "Updating" | "Locking" | "Blocking", _)) => step.note(line.trim()),
            Some(("Finished" | "Fresh", _)) => {}
            _ => kept.push(line),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn binaries_and_compiled_crates_are_read_from_cargo() {
        let output = concat!(
            r#"{"reason":"compiler-artifact","target":{"name":"serde"},"executable":null,"fresh":true}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"name":"webhooks"},"executable":"/t/webhooks","fresh":false}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
            "\n",
        );
        let (binaries, compiled) = collect(output.as_bytes()).await;
        assert_eq!(binaries, BTreeMap::from([("webhooks".to_owned(), PathBuf::from("/t/webhooks"))]));
        assert_eq!(compiled, 1);
    }

    #[tokio::test]
    async fn compiler_errors_are_kept() {
        let output = "   Compiling a v1.0.0\nerror: oh\n  --> x.rs\n    Finished `dev`\n";
        let step = Progress::new().step("test");
        assert_eq!(follow(output.as_bytes(), &step).await, ["error: oh", "  --> x.rs"]);
    }
}
