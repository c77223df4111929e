//! Starts a container engine of one's own and keeps it until it is interrupted:
//! `cargo run -p tidegate-rig --example engine -- FOLDER`.
//!
//! FOLDER keeps the programs that are fetched. The first lines on standard output are what a shell exports, then it stays.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use tidegate_rig::{Engine, RigError, Tools};
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
    let tools = Tools::find_or_fetch(folder, |line| eprintln!("{line}")).await?;
    let own = tools.folder().join(format!("engine-{}", std::process::id()));
    let engine = Engine::start(&tools, &own).await?;
    // At once: a shell waits for the first letter of it.
    print!(
        "export TIDEGATE_TEST_ENGINE='{}'\nexport TIDEGATE_TEST_BUSYBOX='{}'\nexport TIDEGATE_TEST_TOOLS='{}'\n",
        engine.socket().display(),
        tools.busybox().display(),
        tools.folder().display(),
    );
    let _ = std::io::stdout().flush();
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    drop(engine);
    std::fs::remove_dir_all(&own).map_err(|source| RigError::Machine { what: "clearing up".to_owned(), source })
}
