//! The agents: one process per device, each with its own configuration, identity and containers.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;
use tidegate_rig::Rig;
use tokio::process::{Child, Command};

use super::FIRST;
use crate::demo::scene::Scene;
use crate::stack::{Access, write_private};

/// How long an agent may take to end in peace.
const PATIENCE: Duration = Duration::from_secs(10);
/// Lines of an agent's log that are shown.
const TAIL: usize = 8;

/// All of them. They end with this.
pub(super) struct Agents(Vec<Agent>);

/// One device.
pub(super) struct Agent {
    /// Of its containers, as Compose has it; also the device's name.
    pub(super) project: String,
    /// Where its service answers on this machine.
    pub(super) port: u16,
    log: PathBuf,
    process: Child,
}

impl Agents {
    /// Starts so many.
    pub(super) fn start(
        program: &Path,
        folder: &Path,
        devices: usize,
        access: &Access,
        rig: &Rig,
        scene: &Scene,
    ) -> Result<Self> {
        // All at once, so that no two get the same.
        let free: Vec<TcpListener> = (0..devices)
            .map(|_| TcpListener::bind("127.0.0.1:0"))
            .collect::<Result<_, _>>()
            .context("no port is free")?;
        let ports: Vec<u16> =
            free.iter().map(|port| Ok(port.local_addr()?.port())).collect::<Result<_>>().context("no port is free")?;
        drop(free);
        let agents = ports.into_iter().enumerate().map(|(n, port)| {
            // A service of its own too: all agents see all containers of their one engine.
            let (project, service) = (format!("{}-device-{}", scene.name, n + 1), format!("app-{}", n + 1));
            let home = folder.join(&project);
            Agent::start(program, &home, (project, service, port), access, &rig.engine.socket(), scene)
        });
        Ok(Self(agents.collect::<Result<_>>()?))
    }

    /// Every one of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Agent> {
        self.0.iter()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// What the first one that ended by itself said last.
    pub(super) fn ended(&mut self) -> Option<String> {
        self.0.iter_mut().find_map(|agent| {
            let status = agent.process.try_wait().ok()??;
            Some(format!("the agent of {} ended ({status}):\n{}", agent.project, agent.said()))
        })
    }

    /// Asks all to end and waits for that.
    pub(super) async fn end(&mut self) {
        for pid in self.0.iter().filter_map(|agent| agent.process.id()) {
            let asked = Command::new("sh").args(["-c", &format!("kill -s TERM {pid}")]).status().await;
            if let Err(error) = asked {
                crate::stderr::line(format_args!("an agent cannot be asked to end: {error}"));
            }
        }
        for agent in &mut self.0 {
            if tokio::time::timeout(PATIENCE, agent.process.wait()).await.is_err() {
                crate::stderr::line(format_args!(
                    "the agent of {} did not end in {} s and is killed",
                    agent.project,
                    PATIENCE.as_secs()
                ));
                let _ = agent.process.kill().await;
            }
        }
    }
}

impl Agent {
    fn start(
        program: &Path,
        home: &Path,
        (project, service, port): (String, String, u16),
        access: &Access,
        socket: &Path,
        scene: &Scene,
    ) -> Result<Self> {
        let files = Files::of(home);
        fs::create_dir_all(home).with_context(|| format!("{} cannot be made", home.display()))?;
        let image = format!("{}:{FIRST}", scene.repository);
        fs::write(&files.compose, compose(&project, &service, &image, port))
            .with_context(|| format!("{} cannot be written", files.compose.display()))?;
        write_private(&files.key, &access.provisioning_key)?;
        write_private(&files.config, &config(&files, &project, &access.url, &scene.name, socket))?;
        let log = File::create(&files.log).with_context(|| format!("{} cannot be made", files.log.display()))?;
        let process = command(program, &files.config)
            .stdin(Stdio::null())
            .stdout(log.try_clone().context("a log cannot be shared")?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} cannot be run", program.display()))?;
        Ok(Self { project, port, log: files.log, process })
    }

    fn said(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(TAIL)..].join("\n")
    }
}

/// An agent's files.
struct Files {
    config: PathBuf,
    compose: PathBuf,
    key: PathBuf,
    state: PathBuf,
    runtime: PathBuf,
    log: PathBuf,
}

impl Files {
    fn of(home: &Path) -> Self {
        Self {
            config: home.join("agent.toml"),
            compose: home.join("compose.yaml"),
            key: home.join("provisioning-key"),
            state: home.join("state"),
            runtime: home.join("run"),
            log: home.join("agent.log"),
        }
    }
}

/// How the agent is called.
fn command(program: &Path, config: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg("run").arg("--config").arg(config);
    command
}

/// What would be `/etc/tidegate/agent.toml`.
fn config(files: &Files, name: &str, url: &str, fleet: &str, socket: &Path) -> String {
    // A JSON string is a TOML string too.
    let [url, name, fleet] = [url, name, fleet].map(|text| json!(text));
    let [key, state, runtime, compose] =
        [&files.key, &files.state, &files.runtime, &files.compose].map(|path| json!(path));
    let socket = json!(socket);
    format!(
        "url = {url}\n\
         name = {name}\n\
         fleet_id = {fleet}\n\
         provisioning_key_file = {key}\n\
         state_dir = {state}\n\
         runtime_dir = {runtime}\n\
         \n\
         [tags]\n\
         demo = \"real\"\n\
         \n\
         [engine]\n\
         socket = {socket}\n\
         compose_file = {compose}\n"
    )
}

/// The device's Compose file.
fn compose(project: &str, service: &str, image: &str, port: u16) -> String {
    format!(
        "name: {project}\n\
         services:\n  \
           {service}:\n    \
             image: {image}\n    \
             restart: unless-stopped\n    \
             stop_grace_period: 5s\n    \
             ports:\n      \
               - \"127.0.0.1:{port}:8080\"\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compose_file_is_what_compose_reads() {
        let text = compose("demo-device-1", "app-1", "127.0.0.1:5000/tidegate/demo:v1", 18_081);
        assert_eq!(
            text,
            "name: demo-device-1\n\
             services:\n\
             \x20 app-1:\n\
             \x20   image: 127.0.0.1:5000/tidegate/demo:v1\n\
             \x20   restart: unless-stopped\n\
             \x20   stop_grace_period: 5s\n\
             \x20   ports:\n\
             \x20     - \"127.0.0.1:18081:8080\"\n"
        );
    }

    #[test]
    fn the_configuration_holds_no_secret_and_quotes_what_it_says() {
        let files = Files::of(Path::new("/x/a \"b\""));
        let text = config(&files, "demo-device-1", "http://127.0.0.1:4566/stage", "demo", Path::new("/x/docker.sock"));
        assert!(text.contains("provisioning_key_file = \"/x/a \\\"b\\\"/provisioning-key\"\n"), "{text}");
        assert!(text.contains("\n[engine]\nsocket = \"/x/docker.sock\"\n"), "{text}");
    }
}
