//! What the functions take as programs: their size, their start, and a settled device's poll. They run as on Lambda,
//! against a stub of its Runtime API; their tables are a DynamoDB in this process, without TLS.

mod function;
mod polls;
mod runtime;
mod world;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Serialize;
use tokio::process::Command;

use self::function::Function;
use self::world::World;
use crate::stack::Project;

/// The function that devices poll.
const POLLED: &str = "device-state";

/// How often each function is started.
const STARTS: usize = 15;

/// What one function takes.
#[derive(Debug, Serialize)]
pub(crate) struct Taken {
    /// Which.
    pub(crate) function: &'static str,
    /// Bytes of its zip.
    pub(crate) zip_bytes: u64,
    /// Bytes of its program.
    pub(crate) program_bytes: u64,
    /// Processor time until it asks for its first event, in milliseconds: the median of its starts.
    pub(crate) init_ms: f64,
    /// The most memory that it has had by then.
    pub(crate) memory_kib: u64,
}

/// What all of them take.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    /// Each function.
    pub(crate) functions: Vec<Taken>,
    /// Processor time of 1,000 polls of settled devices, in seconds; none where `device-state` is not measured.
    pub(crate) settled_polls_s_per_1000: Option<f64>,
    /// Polls that this was measured over.
    pub(crate) polls: u32,
}

/// Measures these functions, whose programs are in a folder.
pub(crate) async fn functions(
    project: &Project,
    programs: &Path,
    names: &[&'static str],
    polls: u32,
    say: impl Fn(&str),
) -> Result<Figures> {
    let world = World::start().await?;
    let mut functions = Vec::new();
    for &name in names {
        say(name);
        let program = programs.join(name);
        let zip_bytes = zip_bytes(project, &program).await?;
        let program_bytes = std::fs::metadata(&program)?.len();
        let mut inits = Vec::with_capacity(STARTS);
        let mut memory_kib = 0;
        for _ in 0..STARTS {
            let function = Function::start(&program, &world).await.with_context(|| format!("starting {name}"))?;
            inits.push(function.processor_ms()?);
            memory_kib = function.memory_kib()?;
        }
        inits.sort_by(f64::total_cmp);
        functions.push(Taken { function: name, zip_bytes, program_bytes, init_ms: inits[STARTS / 2], memory_kib });
    }
    let mut settled_polls_s_per_1000 = None;
    if names.contains(&POLLED) {
        say("polls of a settled device");
        settled_polls_s_per_1000 = Some(polls::settled(&programs.join(POLLED), &world, polls).await?);
    }
    Ok(Figures { functions, settled_polls_s_per_1000, polls })
}

/// Builds these functions as they go to AWS; answers where they are.
pub(crate) async fn build(project: &Project, names: &[&str]) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let packages = names.iter().flat_map(|name| ["-p".to_owned(), format!("tidegate-fn-{name}")]);
    let version = Command::new("rustc").arg("-vV").current_dir(project.root()).output().await?;
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc does not name its host")?;
    let mut command = Command::new(cargo);
    // A named target keeps the functions' flags from what runs while they are built.
    command.args(["build", "--config", "infra/lambda.toml", "--profile", "lambda", "--target", host]);
    if !command.args(packages).current_dir(project.root()).status().await?.success() {
        bail!("the functions could not be built");
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| project.root().join("target"), PathBuf::from);
    Ok(target.join(host).join("lambda"))
}

async fn zip_bytes(project: &Project, program: &Path) -> Result<u64> {
    let output = Command::new("python3").arg(project.infra("zip_size.py")).arg(program).output().await?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())
}
