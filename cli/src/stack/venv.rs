//! The private Python environment of the emulator and of the scripts in `infra/`.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use super::access::token_hash;
use super::project::Project;
use crate::progress::{Progress, Step};

/// The oldest Python that everything in `infra/` runs on.
const OLDEST: (u32, u32) = (3, 11);
/// Written last, so that a half-made environment is not taken for a whole one.
const MARKER: &str = "tidegate-requirements";

/// Makes the environment if it is not there or holds other versions than `infra/requirements.txt` names. Returns its
/// interpreter.
pub(super) async fn ensure(project: &Project, progress: &Progress) -> Result<PathBuf> {
    let folder = project.state_file("venv");
    let python = interpreter(project);
    let requirements = project.infra("requirements.txt");
    let wanted = token_hash(&std::fs::read_to_string(&requirements).context("infra/requirements.txt cannot be read")?);
    let marker = folder.join(MARKER);
    if std::fs::read_to_string(&marker).is_ok_and(|text| text == wanted) && runs(&python).await {
        return Ok(python);
    }
    let step = progress.step("Installing the emulator in a private Python environment");
    let system = find_python().await?;
    let _ = std::fs::remove_file(&marker);
    if !runs(&python).await {
        let _ = std::fs::remove_dir_all(&folder);
    }
    let pip = create(&system, &folder, &python, &step).await?;
    install(pip, &requirements, &step).await?;
    std::fs::write(&marker, wanted).context("the Python environment cannot be written to")?;
    step.done("The emulator is installed");
    Ok(python)
}

/// The environment's interpreter, whether it exists or not.
pub(super) fn interpreter(project: &Project) -> PathBuf {
    project.state_file("venv/bin/python")
}

/// The first Python that is new enough, of `TIDEGATE_PYTHON`, `python3` and `python`.
async fn find_python() -> Result<PathBuf> {
    let chosen = std::env::var_os("TIDEGATE_PYTHON").map(PathBuf::from);
    let named = chosen.is_some();
    let candidates = match chosen {
        Some(path) => vec![path],
        None => {
            ["python3", "python3.14", "python3.13", "python3.12", "python3.11", "python"].map(PathBuf::from).to_vec()
        }
    };
    let mut seen = Vec::new();
    for candidate in &candidates {
        let Some(version) = version(candidate).await else {
            if named {
                seen.push(format!("{}, which TIDEGATE_PYTHON names, cannot be run", candidate.display()));
            }
            continue;
        };
        if version >= OLDEST {
            return Ok(candidate.clone());
        }
        seen.push(format!("{} is {}.{}", candidate.display(), version.0, version.1));
    }
    bail!(
        "the emulator needs Python {}.{} or newer, and {}. Install one (Debian: apt-get install python3 python3-venv), or \
         name it in TIDEGATE_PYTHON, and run this again",
        OLDEST.0,
        OLDEST.1,
        if seen.is_empty() { "there is none here".to_owned() } else { seen.join(", ") }
    )
}

async fn version(python: &Path) -> Option<(u32, u32)> {
    let script = "import sys; print(*sys.version_info[:2])";
    let output = Command::new(python).args(["-c", script]).output().await.ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (major, minor) = text.trim().split_once(' ')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

async fn runs(python: &Path) -> bool {
    version(python).await.is_some()
}

/// Makes the environment and returns a command that is its pip. Debian ships `venv` apart from Python, so there are
/// three ways: with a pip of its own, with the system's pip, with `virtualenv`.
async fn create(system: &Path, folder: &Path, python: &Path, step: &Step) -> Result<Command> {
    step.note("creating it");
    let own_pip = || {
        let mut pip = Command::new(python);
        pip.args(["-m", "pip"]);
        pip
    };
    let make = async |args: &[&str]| -> Result<Output> {
        let mut command = Command::new(system);
        command.args(args).arg(folder).env_remove("PYTHONHOME").env_remove("PYTHONPATH");
        command.output().await.with_context(|| format!("{} cannot be run", system.display()))
    };
    let first = make(&["-m", "venv"]).await?;
    if first.status.success() {
        return Ok(own_pip());
    }
    let _ = std::fs::remove_dir_all(folder);
    let pip = Command::new(system).args(["-m", "pip", "--version"]).output().await;
    if pip.is_ok_and(|output| output.status.success()) && make(&["-m", "venv", "--without-pip"]).await?.status.success()
    {
        let mut pip = Command::new(system);
        pip.args(["-m", "pip", "--python"]).arg(python);
        return Ok(pip);
    }
    let _ = std::fs::remove_dir_all(folder);
    if make(&["-m", "virtualenv"]).await?.status.success() {
        return Ok(own_pip());
    }
    let _ = std::fs::remove_dir_all(folder);
    bail!(
        "{} cannot make a virtual environment: {}\nOn Debian and Ubuntu: apt-get install python3-venv; then run this again",
        system.display(),
        last_lines(&format!("{}{}", text(&first.stdout), text(&first.stderr)), 4)
    )
}

/// Installs the pinned versions from whatever index this machine's pip is set up for.
async fn install(mut pip: Command, requirements: &Path, step: &Step) -> Result<()> {
    let mut child = pip
        .args(["install", "--no-input", "--disable-pip-version-check", "--progress-bar", "off", "-r"])
        .arg(requirements)
        .env_remove("PYTHONHOME")
        .env_remove("PYTHONPATH")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("pip cannot be run")?;
    let mut lines = BufReader::new(child.stdout.take().context("pip has no output")?).lines();
    let tell = async {
        let mut said = String::new();
        while let Ok(Some(line)) = lines.next_line().await {
            step.note(line.trim());
            said.push_str(&line);
            said.push('\n');
        }
        said
    };
    let (said, output) = tokio::join!(tell, child.wait_with_output());
    let output = output?;
    if !output.status.success() {
        let reason = last_lines(&format!("{said}{}", text(&output.stderr)), 8);
        bail!("pip could not install the emulator (is the package index reachable?):\n{reason}");
    }
    Ok(())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
