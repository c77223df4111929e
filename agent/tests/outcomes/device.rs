//! A device: its files, its agent's process, its containers, and its ways to the server and to the registry.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use bollard::errors::Error;
use bollard::query_parameters::{InspectContainerOptions, ListContainersOptionsBuilder, RemoveContainerOptionsBuilder};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tidegate_rig::{Image, Pushed};
use tokio::process::{Child, Command};
use uuid::Uuid;

use super::case::Case;
use super::server::{Server, TOKEN};
use super::stage::Stage;
use super::trouble::Trouble;
use super::way::Way;

/// Lines of an agent's log that are shown.
const TAIL: usize = 12;
/// How long an agent may take to end in peace.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Device<'a> {
    pub(super) stage: &'a Stage,
    pub(super) label: &'static str,
    /// Of its containers, as Compose has it.
    pub(super) project: String,
    /// This one and the next are its own.
    pub(super) port: u16,
    pub(super) home: PathBuf,
    pub(super) server: Server,
    pub(super) to_server: Way,
    pub(super) to_registry: Way,
    /// What runs at first, as the registry has it.
    pub(super) old: Pushed,
    uuid: Uuid,
    process: Option<Child>,
}

impl<'a> Device<'a> {
    /// One with an identity, and with everything in the registry; nothing runs yet.
    pub(super) async fn make(stage: &'a Stage, case: &Case, port: u16) -> Result<Self> {
        let project = case.label.replace(' ', "-");
        let home = stage.folder.0.join(&project);
        fs::create_dir_all(home.join("hooks"))?;
        let to_registry = Way::to(stage.rig.registry.host()).await?;
        let repository = format!("team/{project}");
        // No two devices have an image in common: what one prunes, another may need.
        let image = |version| stage.rig.app.image(version).label("device", case.label);
        let old = push(stage, &repository, "v1", &(case.old)(image("v1"))).await?;
        let new = case.trouble.push(stage, &repository, &(case.new)(image("v2"))).await?;
        let here = |pushed: &Pushed| case.trouble.reference(stage, pushed, &to_registry);
        let uuid = Uuid::new_v4();
        let first = named(&format!("{}/{repository}:v1", to_registry.host()), old.digest.as_str());
        let second = named(&here(&new), case.trouble.digest(&new));
        let server = Server::start(uuid, first, second, port).await?;
        let to_server = Way::to(server.host()).await?;
        let device = Self {
            stage,
            label: case.label,
            project,
            port,
            home,
            server,
            to_server,
            to_registry,
            old,
            uuid,
            process: None,
        };
        device.configure(case.trouble.pull_settings())?;
        fs::write(device.home.join("compose.yaml"), device.compose(case.trouble))?;
        device.enrol().await?;
        Ok(device)
    }

    /// Writes what would be `/etc/tidegate/agent.toml`.
    pub(super) fn configure(&self, pull: &str) -> Result<()> {
        let at = |name: &str| json!(self.home.join(name));
        let text = format!(
            "url = \"http://{}\"\nfleet_id = \"outcomes\"\nstate_dir = {}\nruntime_dir = {}\n\
             [engine]\nsocket = {}\ncompose_file = {}\n[hooks]\ndirectory = {}\ntimeout = \"1m\"\n[pull]\n{pull}\n",
            self.to_server.host(),
            at("state"),
            at("run"),
            json!(self.stage.rig.engine.socket()),
            at("compose.yaml"),
            at("hooks"),
        );
        fs::write(self.home.join("agent.toml"), text).context("agent.toml cannot be written")
    }

    fn compose(&self, trouble: Trouble) -> String {
        let (strategy, ports) = if trouble.beside() {
            ("blue-green", format!("{}-{}", self.port, self.port + 1))
        } else {
            ("recreate", self.port.to_string())
        };
        format!(
            "name: {}\nservices:\n  web:\n    image: '{}'\n    restart: unless-stopped\n    stop_grace_period: 1s\n    \
             ports: ['127.0.0.1:{ports}:8080']\n    labels: {{tidegate.update-strategy: {strategy}}}\n",
            self.project,
            self.old_reference(),
        )
    }

    /// What runs at first, by the name that this device has for it.
    pub(super) fn old_reference(&self) -> String {
        format!("{}/team/{}:v1", self.to_registry.host(), self.project)
    }

    async fn enrol(&self) -> Result<()> {
        let token = self.home.join("token");
        fs::write(&token, TOKEN)?;
        let (uuid, file) = (self.uuid.to_string(), token.to_string_lossy());
        self.ask(&["enrol", "--uuid", &uuid, "--token-file", &file]).await.map(drop)
    }

    /// Runs a command of the agent's to its end; what it says.
    pub(super) async fn ask(&self, arguments: &[&str]) -> Result<String> {
        let output = self.command(arguments).output().await.context("the agent cannot be run")?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{arguments:?}: {}: {said}{errors}", output.status);
        Ok(said)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate-agent"));
        let config = self.home.join("agent.toml");
        command.args(arguments).arg("--config").arg(config).stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// What `tidegate-agent status --json` says of the agent.
    pub(super) async fn status(&self) -> Option<Value> {
        let said = self.ask(&["status", "--json"]).await.ok()?;
        serde_json::from_str::<Value>(&said).ok()?.get("status").cloned()
    }

    /// Starts the agent.
    pub(super) fn start(&mut self) -> Result<()> {
        let log = fs::File::options().create(true).append(true).open(self.log())?;
        let mut command = self.command(&["run"]);
        command.stdout(log.try_clone()?).stderr(log);
        self.process = Some(command.spawn().context("the agent cannot be run")?);
        Ok(())
    }

    /// Kills the agent.
    pub(super) async fn kill(&mut self) -> Result<()> {
        let mut process = self.process.take().context("no agent runs")?;
        Ok(process.kill().await?)
    }

    /// Asks the agent to end, and waits for it.
    pub(super) async fn stop(&mut self) -> Result<()> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        let pid = process.id().and_then(|id| Pid::from_raw(id.cast_signed())).context("the agent ended by itself")?;
        kill_process(pid, Signal::TERM)?;
        let ended = tokio::time::timeout(PATIENCE, process.wait()).await.context("the agent does not end")??;
        ensure!(ended.success(), "the agent ended with {ended}");
        Ok(())
    }

    /// Says so where the agent ended by itself.
    pub(super) fn is_up(&mut self) -> Result<()> {
        match self.process.as_mut().map(Child::try_wait).transpose()?.flatten() {
            Some(status) => bail!("the agent ended: {status}"),
            None => Ok(()),
        }
    }

    fn log(&self) -> PathBuf {
        self.home.join("agent.log")
    }

    /// The last of what the agent wrote.
    pub(super) fn said(&self) -> String {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(TAIL)..].join("\n")
    }

    /// Makes a hook, in one step.
    pub(super) fn hook(&self, name: &str, script: &str) -> Result<()> {
        let (made, hook) = (self.home.join("hook"), self.home.join("hooks").join(name));
        fs::write(&made, format!("#!/bin/sh\n{script}\n"))?;
        fs::set_permissions(&made, fs::Permissions::from_mode(0o755))?;
        Ok(fs::rename(&made, &hook)?)
    }

    /// Bytes of a download that are here already.
    pub(super) fn spooled(&self) -> u64 {
        bytes_in(&self.home.join("state/spool"))
    }

    /// The names of its containers, and of those that have a name of its.
    pub(super) async fn names(&self) -> Result<Vec<String>> {
        let options = ListContainersOptionsBuilder::default().all(true).build();
        let all = self.stage.docker.list_containers(Some(options)).await?;
        let names = all.into_iter().filter_map(|one| one.names?.into_iter().next());
        let names = names.map(|name| name.trim_start_matches('/').to_owned());
        let mut names: Vec<String> =
            names.filter(|name| name.starts_with(&format!("{}-web-1", self.project))).collect();
        names.sort();
        Ok(names)
    }

    /// What its service answers at the port that it has.
    pub(super) async fn version(&self) -> Option<String> {
        let name = format!("{}-web-1", self.project);
        let inspected = self.stage.docker.inspect_container(&name, None::<InspectContainerOptions>).await.ok()?;
        let ports = inspected.network_settings?.ports?.remove("8080/tcp")??;
        let url = format!("http://127.0.0.1:{}/version", ports.first()?.host_port.as_ref()?);
        let response = self.stage.http.get(url).send().await.ok()?;
        response.error_for_status().ok()?.text().await.ok()
    }

    /// Whether an image is on the device.
    pub(super) async fn has(&self, reference: &str) -> bool {
        self.stage.docker.inspect_image(reference).await.is_ok()
    }

    /// Ends the agent, and makes room for others: networks are few.
    pub(super) async fn clear(&mut self) -> Result<()> {
        self.stop().await?;
        for name in self.names().await? {
            let options = RemoveContainerOptionsBuilder::default().force(true).build();
            self.stage.docker.remove_container(&name, Some(options)).await?;
        }
        match self.stage.docker.remove_network(&format!("{}_default", self.project)).await {
            Ok(()) | Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

pub(super) async fn push(stage: &Stage, repository: &str, tag: &str, image: &Image) -> Result<Pushed> {
    Ok(stage.rig.registry.push(repository, tag, image).await?)
}

/// An image in a target.
fn named(reference: &str, digest: &str) -> Value {
    json!(BTreeMap::from([("image", reference), ("digest", digest)]))
}

/// Whether a file is there.
pub(super) fn is_there(path: &Path) -> Option<()> {
    path.exists().then_some(())
}

/// Bytes of all files in a folder.
fn bytes_in(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => bytes_in(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}
