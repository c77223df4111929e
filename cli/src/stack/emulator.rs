//! The emulator as a background process: adopted when it runs, started when it does not, ended by `down`.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use tokio::process::{Child, Command};

use super::access::token_hash;
use super::process;
use super::project::{Project, write_private};
use super::script::{aws_environment, interpreter};
use crate::progress::{Progress, Step};

/// LocalStack's edge port, which tools look at first.
const DEFAULT_PORT: u16 = 4566;
/// Tried in turn when that one is taken.
const OTHER_PORTS: std::ops::RangeInclusive<u16> = 4567..=4599;
/// It starts in a second or two; with saved state on a busy machine in a few more.
const START_SECONDS: u64 = 60;
/// Ending includes saving its state.
const END_PATIENCE: Duration = Duration::from_secs(20);

const SCRIPT: &str = "emulator.py";
const RECORD: &str = "emulator.json";
const LOG: &str = "emulator.log";
const SAVED_STATE: &str = "emulator-state";

/// What the emulator is to be like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// Its port; by default LocalStack's, or a free one near it.
    pub(super) port: Option<u16>,
    /// Whether it evaluates the functions' roles; by default as it did before, at first not.
    pub(super) enforce_permissions: Option<bool>,
}

/// What is recorded of the running emulator.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Emulator {
    /// Its process, which leads a process group of its own.
    pub(super) pid: u32,
    /// Its port on the loopback address.
    pub(super) port: u16,
    /// Hash of what it was started from: the pinned versions, the script, the settings.
    made_of: String,
    /// Whether it evaluates the functions' roles.
    #[serde(default)]
    enforce_permissions: bool,
}

impl Emulator {
    /// Where it is reached.
    pub(super) fn endpoint(&self) -> String {
        format!("http://{}:{}", Ipv4Addr::LOCALHOST, self.port)
    }

    /// The recorded emulator, running or not.
    pub(super) fn recorded(project: &Project) -> Option<Self> {
        serde_json::from_str(&std::fs::read_to_string(project.state_file(RECORD)).ok()?).ok()
    }

    /// Whether its process is there and is the recorded one.
    pub(super) async fn is_running(&self, project: &Project) -> bool {
        process::is_ours(self.pid, &project.infra(SCRIPT), &project.state()).await
    }

    /// Whether it answers.
    pub(super) async fn is_healthy(&self) -> bool {
        let Ok(client) = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build() else {
            return false;
        };
        let answer = client.get(format!("{}/_ministack/health", self.endpoint())).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// Ends it in an orderly way: it saves its state for the next one.
    pub(super) async fn end(&self, project: &Project) -> Result<()> {
        if self.is_running(project).await {
            process::end(self.pid, END_PATIENCE).await?;
        }
        let _ = std::fs::remove_file(project.state_file(RECORD));
        Ok(())
    }
}

/// An emulator that answers: the running one of this checkout if it is as wanted, else a new one.
pub(super) async fn ensure(project: &Project, python: &Path, wanted: Wanted, progress: &Progress) -> Result<Emulator> {
    let Wanted { port, enforce_permissions } = wanted;
    let before = Emulator::recorded(project);
    let enforce_permissions =
        enforce_permissions.or(before.as_ref().map(|before| before.enforce_permissions)).unwrap_or_default();
    let made_of = fingerprint(project, enforce_permissions)?;
    if let Some(emulator) = &before {
        match (emulator.is_running(project).await, emulator.is_healthy().await) {
            (true, true) if port.is_some_and(|port| port != emulator.port) => {
                bail!(
                    "the emulator runs on port {} already; `tidegate down` first, to have it elsewhere",
                    emulator.port
                )
            }
            (true, true) if emulator.made_of == made_of => return Ok(emulator.clone()),
            (true, true) => {
                progress.say("The emulator is started anew with other versions or settings; its data is kept.");
            }
            (true, false) => progress.say("The emulator does not answer any more; it is ended and started again."),
            (false, _) => say_how_it_ended(project, progress),
        }
        emulator.end(project).await?;
    }
    let step = progress.step("Starting the emulator");
    let port = choose_port(port, before.as_ref().map(|emulator| emulator.port), progress)?;
    if before.as_ref().is_some_and(|emulator| emulator.port != port) {
        // Addresses in the saved state carry the port.
        let _ = std::fs::remove_dir_all(project.state_file(SAVED_STATE));
    }
    let (emulator, child) = start(project, python, port, enforce_permissions, made_of)?;
    wait_until_healthy(project, &emulator, child, &step).await?;
    step.done(&format!("The emulator of AWS (MiniStack) runs at {}", emulator.endpoint()));
    Ok(emulator)
}

fn say_how_it_ended(project: &Project, progress: &Progress) {
    let saved = std::fs::read_dir(project.state_file(SAVED_STATE)).is_ok_and(|files| {
        files.filter_map(Result::ok).any(|file| file.path().extension().is_some_and(|extension| extension == "json"))
    });
    if saved {
        progress.say("The emulator was stopped; it starts again with the data that it saved.");
    } else {
        progress.say(&format!(
            "The emulator was killed. It keeps its data in memory, so that is gone: a new one starts, empty. The \
             tokens in {} stay the same.",
            project.shown("local.env")
        ));
    }
}

fn fingerprint(project: &Project, enforce_permissions: bool) -> Result<String> {
    let mut parts = format!("{enforce_permissions}\n");
    for file in ["requirements.txt", SCRIPT] {
        parts +=
            &std::fs::read_to_string(project.infra(file)).with_context(|| format!("infra/{file} cannot be read"))?;
    }
    Ok(token_hash(&parts))
}

fn choose_port(asked: Option<u16>, before: Option<u16>, progress: &Progress) -> Result<u16> {
    if let Some(port) = asked {
        if is_free(port) {
            return Ok(port);
        }
        bail!("port {port} is taken by another program; leave --port away to have a free one chosen");
    }
    let first = before.unwrap_or(DEFAULT_PORT);
    let mut candidates = [first, DEFAULT_PORT].into_iter().chain(OTHER_PORTS);
    let port = candidates.find(|port| is_free(*port)).with_context(|| {
        format!("every port from {DEFAULT_PORT} to {} is taken; name a free one with --port", OTHER_PORTS.end())
    })?;
    if port != first {
        progress.say(&format!("Port {first} is taken by another program; the emulator uses {port}."));
    }
    Ok(port)
}

/// Nobody answers on it, and it can be listened on.
fn is_free(port: u16) -> bool {
    let address = (Ipv4Addr::LOCALHOST, port);
    TcpStream::connect(address).is_err() && TcpListener::bind(address).is_ok()
}

fn start(
    project: &Project,
    python: &Path,
    port: u16,
    enforce_permissions: bool,
    made_of: String,
) -> Result<(Emulator, Child)> {
    let state = project.state();
    let temporary = project.state_file("tmp");
    // Code of functions that an ended emulator unpacked.
    let _ = std::fs::remove_dir_all(&temporary);
    std::fs::create_dir_all(&temporary).context("the folder of temporary files cannot be created")?;
    let log = File::create(project.state_file(LOG)).context("the emulator's log cannot be written")?;
    let endpoint = format!("http://{}:{port}", Ipv4Addr::LOCALHOST);
    // Functions inherit this environment, so it holds only what they may see.
    let mut command = interpreter(python);
    command.env_clear();
    for name in ["PATH", "LANG", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTPS_PROXY", "https_proxy"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    let mut command: Command = aws_environment(command, &endpoint);
    let child = command
        .arg(project.infra(SCRIPT))
        .arg(&state)
        .env("HOME", &state)
        .env("TMPDIR", &temporary)
        .env("BIND_HOST", Ipv4Addr::LOCALHOST.to_string())
        .env("GATEWAY_PORT", port.to_string())
        .env("PERSIST_STATE", "1")
        .env("STATE_DIR", project.state_file(SAVED_STATE))
        .env("S3_DATA_DIR", project.state_file("emulator-s3"))
        .env("IOT_MTLS_ENABLED", "0")
        .env("SFTP_ENABLED", "0")
        .env("AUTH", enforce_permissions.to_string())
        .env("LAMBDA_EXECUTOR", "local")
        .env("LOG_LEVEL", "INFO")
        .stdin(Stdio::null())
        .stdout(log.try_clone().context("the emulator's log cannot be shared")?)
        .stderr(log)
        .process_group(0)
        .spawn()
        .with_context(|| format!("{} cannot be run", python.display()))?;
    let pid = child.id().context("the emulator ended at once")?;
    let emulator = Emulator { pid, port, made_of, enforce_permissions };
    write_private(&project.state_file(RECORD), &serde_json::to_string(&emulator)?)?;
    Ok((emulator, child))
}

async fn wait_until_healthy(project: &Project, emulator: &Emulator, mut child: Child, step: &Step) -> Result<()> {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(START_SECONDS);
    step.note("waiting for its first answer");
    loop {
        if emulator.is_healthy().await {
            return Ok(());
        }
        if let Some(ended) = child.try_wait()? {
            let _ = std::fs::remove_file(project.state_file(RECORD));
            bail!("the emulator ended at once ({ended}):\n{}", log_tail(project));
        }
        if tokio::time::Instant::now() > deadline {
            emulator.end(project).await?;
            bail!("the emulator did not answer within {START_SECONDS} s:\n{}", log_tail(project));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The last lines of its log.
pub(super) fn log_tail(project: &Project) -> String {
    let bytes = std::fs::read(project.state_file(LOG)).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_somebody_listens_on_is_not_free() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let port = listener.local_addr().expect("bound").port();
        assert!(!is_free(port));
        assert!(choose_port(Some(port), None, &Progress::new()).is_err());
        assert_ne!(choose_port(None, Some(port), &Progress::new()).expect("another one"), port);
    }
}
