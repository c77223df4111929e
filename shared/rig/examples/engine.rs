//! Starts a container engine and a registry of one's own and keeps them until it is interrupted:
//! `cargo run -p tidegate-rig --example engine -- FOLDER`.
//!
//! FOLDER keeps the programs that are fetched. The first lines on standard output are what a shell exports, then it stays.
//! What `TIDEGATE_TEST_ENGINE_RESTART` names restarts the engine, and returns when it answers again.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::ExitCode;

use tidegate_rig::{Engine, Registry, RigError, Settings, Tools};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1) else {
        eprintln!("usage: engine FOLDER");
        return ExitCode::from(2);
    };
    match keep(Path::new(&folder)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn keep(folder: &Path) -> Result<(), RigError> {
    let handler = |source| RigError::Machine { what: "hearing signals".to_owned(), source };
    // Before the engine is there, so that no signal leaves it behind.
    let mut interrupt = signal(SignalKind::interrupt()).map_err(handler)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(handler)?;
    let mut restart = signal(SignalKind::hangup()).map_err(handler)?;
    let tools = Tools::find_or_fetch(folder, |line| eprintln!("{line}")).await?;
    let own = tools.folder().join(format!("engine-{}", std::process::id()));
    let engine = Engine::start(&tools, &own).await?;
    let registry = Registry::start(&tools, &own.join("registry"), Settings::default()).await?;
    let (restarts, script) = (own.join("restarts"), own.join("restart"));
    let written = |what: &str, done: std::io::Result<()>| {
        done.map_err(|source| RigError::Machine { what: format!("writing {what}"), source })
    };
    written("the count of restarts", fs::write(&restarts, ""))?;
    written("the restart's script", restart_script(&script, &restarts))?;
    // At once: a shell waits for the first letter of it.
    print!(
        "export TIDEGATE_TEST_ENGINE='{}'\nexport TIDEGATE_TEST_BUSYBOX='{}'\nexport TIDEGATE_TEST_TOOLS='{}'\n\
         export TIDEGATE_TEST_REGISTRY='{}'\nexport TIDEGATE_TEST_ENGINE_RESTART='{}'\n",
        engine.socket().display(),
        tools.busybox().display(),
        tools.folder().display(),
        registry.host().rsplit_once(':').map_or_else(|| registry.host(), |(_, port)| port),
        script.display(),
    );
    let _ = std::io::stdout().flush();
    loop {
        tokio::select! {
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            _ = restart.recv() => {
                engine.restart().await?;
                let mut count = fs::read_to_string(&restarts).unwrap_or_default();
                count.push('.');
                written("the count of restarts", fs::write(&restarts, count))?;
            }
        }
    }
    drop((engine, registry));
    std::fs::remove_dir_all(&own).map_err(|source| RigError::Machine { what: "clearing up".to_owned(), source })
}

/// A program that asks this one to restart its engine and waits until that is done.
fn restart_script(script: &Path, restarts: &Path) -> std::io::Result<()> {
    let (pid, restarts) = (std::process::id(), restarts.display());
    let text = format!(
        "#!/bin/sh\nbefore=$(wc -c <'{restarts}')\nkill -s HUP {pid} || exit 1\n\
         while [ \"$(wc -c <'{restarts}')\" = \"$before\" ]; do kill -s 0 {pid} || exit 1; sleep 0.1; done\n"
    );
    fs::write(script, text)?;
    fs::set_permissions(script, fs::Permissions::from_mode(0o755))
}
