//! A device: the agent's program with its files, its containers, its server.

use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use bollard::query_parameters::ListContainersOptionsBuilder;
use serde_json::{Value, json};
use tidegate_agent::image::Image;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::server::Server;
use super::world::World;

const PROGRAM: &str = env!("CARGO_BIN_EXE_tidegate-agent");

/// Longest wait for anything that is to come.
const PATIENCE: Duration = Duration::from_mins(2);

/// What is special about a device.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Special<'a> {
    /// Lines of the service in its Compose file.
    pub(super) compose: &'a str,
    /// Lines of its configuration.
    pub(super) config: &'a str,
    /// Its hook before an update: a shell script.
    pub(super) hook: &'a str,
    /// The new one stands beside the old one, at the next port.
    pub(super) blue_green: bool,
}

pub(super) struct Device<'a> {
    world: &'a World,
    pub(super) name: String,
    /// This one and the next.
    pub(super) port: u16,
    folder: PathBuf,
    pub(super) server: Server,
    agent: Option<Child>,
}

/// Pairs of free ports, below those that the system gives to anybody; no two tests of this process get the same.
fn free_port() -> u16 {
    static NEXT: Mutex<u16> = Mutex::new(0);
    let mut next = NEXT.lock().expect("no test panics in between");
    let first = 2_000 + u16::try_from(std::process::id() % 6_000).expect("a small number") * 2;
    let free =
        |port: &u16| [*port, port + 1].iter().all(|&port| std::net::TcpListener::bind(("0.0.0.0", port)).is_ok());
    let port = (first.max(*next)..32_000).step_by(2).find(free).expect("a free port");
    *next = port + 2;
    port
}

impl<'a> Device<'a> {
    /// It runs `old`, as its server wants.
    pub(super) async fn up(world: &'a World, name: &str, old: &Image, special: Special<'_>) -> Self {
        let device = Self::new(world, name, old, special).await;
        device.until("the old image to run", device.server.runs(old)).await;
        device
    }

    /// Its agent has just begun.
    pub(super) async fn new(world: &'a World, name: &str, old: &Image, special: Special<'_>) -> Self {
        let (port, folder) = (free_port(), world.folder.0.join(name));
        std::fs::create_dir_all(folder.join("hooks")).expect("a folder");
        let server = Server::start(old.clone(), port).await;
        let mut device = Self { world, name: name.to_owned(), port, folder, server, agent: None };
        device.write("compose.yaml", &device.compose(old, special));
        device.write("agent.toml", &device.config(special));
        device.write("token", "a-token-of-a-test-that-nobody-else-takes");
        if !special.hook.is_empty() {
            device.write("hooks/pre-update", &format!("#!/bin/sh\n{}\n", special.hook));
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(device.folder.join("hooks/pre-update"), mode).expect("executable");
        }
        let uuid = "00000000-0000-4000-8000-000000000001";
        let token = device.folder.join("token");
        let enrolled = device.call(&["enrol", "--uuid", uuid, "--token-file", &token.to_string_lossy()]).await;
        assert!(enrolled.status.success(), "{name}: {}", String::from_utf8_lossy(&enrolled.stderr));
        device.starts();
        device
    }

    fn compose(&self, old: &Image, special: Special<'_>) -> String {
        let (ports, strategy) = if special.blue_green {
            (format!("{}-{}", self.port, self.port + 1), "blue-green")
        } else {
            (self.port.to_string(), "recreate")
        };
        format!(
            "name: {}\nservices:\n  web:\n    image: '{}'\n    restart: unless-stopped\n    \
             ports: ['127.0.0.1:{ports}:8080']\n    labels: {{tidegate.update-strategy: {strategy}}}\n{}",
            self.name, old.image, special.compose
        )
    }

    fn config(&self, special: Special<'_>) -> String {
        let path = |name: &str| json!(self.folder.join(name));
        format!(
            "url = {}\nfleet_id = \"test\"\nstate_dir = {}\nruntime_dir = {}\n[engine]\nsocket = {}\n\
             compose_file = {}\n[hooks]\ndirectory = {}\n{}\n",
            json!(self.server.url),
            path("state"),
            path("run"),
            json!(self.world.rig.engine.socket()),
            path("compose.yaml"),
            path("hooks"),
            special.config
        )
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.folder.join(name);
        std::fs::write(&path, text).expect("written");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&path, mode).expect("its owner may");
    }

    fn command(&self) -> Command {
        let mut command = Command::new(PROGRAM);
        command.arg("--config").arg(self.folder.join("agent.toml")).stdin(Stdio::null());
        command
    }

    /// Starts the agent, over what an earlier one left.
    pub(super) fn starts(&mut self) {
        let log = std::fs::File::options().create(true).append(true).open(self.folder.join("log")).expect("a log");
        let mut command = self.command();
        command.arg("run").env("TIDEGATE_AGENT_LOG", "debug").kill_on_drop(true);
        command.stdout(log.try_clone().expect("shared")).stderr(log);
        self.agent = Some(command.spawn().expect("the agent runs"));
    }

    /// Kills the agent where it stands.
    pub(super) async fn dies(&mut self) {
        let mut agent = self.agent.take().expect("it lives");
        agent.kill().await.expect("killed");
    }

    /// One of the program's other commands.
    pub(super) async fn call(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().await.expect("the program runs")
    }

    /// What `status --json` says.
    pub(super) async fn status(&self) -> Value {
        let output = self.call(&["status", "--json"]).await;
        let said: Value = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        said["status"].clone()
    }

    /// Waits until an image is being pulled.
    pub(super) async fn pulls(&self) {
        loop {
            if self.status().await["work"]["what"].as_str().is_some_and(|what| what.contains("pull")) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits for something, and says what it waited for when it does not come.
    pub(super) async fn until<T>(&self, what: &str, comes: impl Future<Output = T>) -> T {
        eprintln!("{}: waiting for {what}", self.name);
        match timeout(PATIENCE, comes).await {
            Ok(came) => came,
            Err(elapsed) => panic!(
                "{}: {what} did not come ({elapsed}); told: {:?}; status: {}; log: {}",
                self.name,
                self.server.told(),
                self.status().await,
                self.log()
            ),
        }
    }

    /// Waits until this version answers.
    pub(super) async fn serves(&self, version: &str) {
        let began = Instant::now();
        loop {
            let serving = self.version().await;
            if serving.as_deref() == Some(version) {
                return;
            }
            let log = || self.log();
            assert!(began.elapsed() < PATIENCE, "{}: {serving:?} instead of {version}: {}", self.name, log());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// What answers, at whichever of its ports.
    pub(super) async fn version(&self) -> Option<String> {
        for port in [self.port, self.port + 1] {
            if let Ok(answer) = get(port).await
                && answer.starts_with("HTTP/1.1 200 ")
            {
                return answer.rsplit("\r\n").next().map(ToOwned::to_owned);
            }
        }
        None
    }

    /// Its containers, running or not: name and whether it runs.
    pub(super) async fn containers(&self) -> Vec<(String, bool)> {
        let options = ListContainersOptionsBuilder::default().all(true).build();
        let docker = self.world.rig.engine.client().await.expect("a client");
        let all = docker.list_containers(Some(options)).await.expect("listed");
        let named = all.into_iter().filter_map(|one| {
            let name = one.names?.into_iter().next()?.trim_start_matches('/').to_owned();
            let runs = one.state.is_some_and(|state| state.to_string() == "running");
            Some((name, runs)).filter(|(name, _)| name.starts_with(&format!("{}-", self.name)))
        });
        named.collect()
    }

    /// Waits until one container is left: it runs, in the service's name.
    pub(super) async fn is_tidy(&self) {
        let began = Instant::now();
        loop {
            let containers = self.containers().await;
            if containers == [(format!("{}-web-1", self.name), true)] {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{}: {containers:?}: {}", self.name, self.log());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The end of the agent's log.
    pub(super) fn log(&self) -> String {
        let text = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

async fn get(port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(b"GET /version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
