//! A Docker Engine of one's own: its own data, sockets, mounts and processes. Nothing of it outlives its owner.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use bollard::{API_DEFAULT_VERSION, Docker};
use serde_json::json;

use crate::error::RigError;
use crate::keeper::{self, Keeper, Word};
use crate::slot::Slot;
use crate::tools::Tools;

/// What stands before the keeper's script.
const SCRIPT: &str = include_str!("engine.sh");
/// The longest time until it answers; usually it is two seconds.
const READY: Duration = Duration::from_mins(1);
/// The longest folder in which its sockets have names that the kernel takes (107 bytes).
const LONGEST: usize = 55;
/// Seconds that a call of its API may take: pulls are long.
const CALL_SECONDS: u64 = 120;

/// The engine.
pub struct Engine {
    keeper: Keeper,
    folder: PathBuf,
    sockets: PathBuf,
    log: PathBuf,
    bridge: String,
    pool: String,
    // After the keeper, which needs the slot until its end.
    _slot: Slot,
}

impl Engine {
    /// Starts one in a folder, which it has to itself, and waits until it answers.
    pub async fn start(tools: &Tools, folder: &Path) -> Result<Self, RigError> {
        Tools::may_start_an_engine()?;
        let slot = Slot::take(&std::env::temp_dir())?;
        std::fs::create_dir_all(folder).map_err(RigError::machine(format!("making {}", folder.display())))?;
        let folder = folder.canonicalize().map_err(RigError::machine(format!("finding {}", folder.display())))?;
        let sockets = sockets(&folder)?;
        let log = folder.join("engine.log");
        let mut command = command(tools, &folder, &sockets, &log, &slot);
        let outside = std::fs::read_link("/proc/self/ns/pid");
        command.env("outside", outside.map_err(RigError::machine("asking which namespace of processes this is"))?);
        let keeper = Keeper::start(command, log.clone()).await?;
        let (bridge, pool) = (slot.bridge(), slot.pool());
        let engine = Self { keeper, folder, sockets, log, bridge, pool, _slot: slot };
        engine.restart().await?;
        Ok(engine)
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        self.sockets.join("docker.sock")
    }

    /// What it wrote.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The name of its bridge among the machine's network links.
    pub fn bridge(&self) -> &str {
        &self.bridge
    }

    /// A client that speaks its version of the API.
    pub async fn client(&self) -> Result<Docker, RigError> {
        let socket = self.socket();
        let client = Docker::connect_with_unix(&socket.to_string_lossy(), CALL_SECONDS, API_DEFAULT_VERSION)?;
        Ok(client.negotiate_version().await?)
    }

    /// Ends it in peace, and its containers with it. They are not forgotten.
    pub async fn stop(&self) -> Result<(), RigError> {
        self.keeper.say(Word::Stop).await.map(drop)
    }

    /// Kills it, and it alone: its containers run on, as after a crash.
    pub async fn kill(&self) -> Result<(), RigError> {
        self.keeper.say(Word::Kill).await.map(drop)
    }

    /// Starts it again, after an end of either kind, and waits until it answers. One that runs ends in peace first.
    pub async fn restart(&self) -> Result<(), RigError> {
        self.stop().await?;
        self.configure()?;
        self.keeper.say(Word::Start).await?;
        let began = Instant::now();
        loop {
            if let Ok(client) = self.client().await
                && client.ping().await.is_ok()
            {
                return Ok(());
            }
            if !self.keeper.say(Word::Look).await? {
                return Err(RigError::program("the engine ended as soon as it was started", &self.log));
            }
            if began.elapsed() > READY {
                let what = format!("the engine does not answer within {} s", READY.as_secs());
                return Err(RigError::program(what, &self.log));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Networks that are made in it get addresses that no other engine gives. Only in its first life: where an engine
    /// with pools finds its old bridge network, it removes the link `docker0`, which is the machine's own engine's.
    fn configure(&self) -> Result<(), RigError> {
        let config = if networks(&self.folder).exists() {
            json!({})
        } else {
            json!({ "default-address-pools": [{ "base": format!("{}.0/24", self.pool), "size": 28 }] })
        };
        let path = configuration(&self.folder);
        std::fs::write(&path, config.to_string()).map_err(RigError::machine(format!("writing {}", path.display())))
    }
}

/// What it is configured by, beside its arguments.
fn configuration(folder: &Path) -> PathBuf {
    folder.join("daemon.json")
}

/// Where it keeps its networks.
fn networks(folder: &Path) -> PathBuf {
    folder.join("root/network/files/local-kv.db")
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.keeper.end();
        // Images and containers take room; the log stays.
        for left in [self.folder.join("root"), self.sockets.join("exec")] {
            if let Err(error) = std::fs::remove_dir_all(&left)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                eprintln!("{} was not cleared away: {error}", left.display());
            }
        }
        let _ = std::fs::remove_file(self.socket());
        if self.sockets != self.folder {
            let _ = std::fs::remove_dir_all(&self.sockets);
        }
    }
}

/// A folder whose sockets have names that are short enough: the given one, or one of its own.
fn sockets(folder: &Path) -> Result<PathBuf, RigError> {
    if folder.as_os_str().len() <= LONGEST {
        return Ok(folder.to_path_buf());
    }
    let short = std::env::temp_dir().join(format!("tidegate-{:012x}", rand::random::<u64>() & 0xffff_ffff_ffff));
    std::fs::create_dir_all(&short).map_err(RigError::machine(format!("making {}", short.display())))?;
    Ok(short)
}

fn command(tools: &Tools, folder: &Path, sockets: &Path, log: &Path, slot: &Slot) -> Command {
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"])
        .arg(tools.init())
        .args(["--", "sh", "-c", &format!("{SCRIPT}{}", keeper::SCRIPT), "engine"])
        .arg(log)
        .arg(tools.dockerd())
        .arg("--data-root")
        .arg(folder.join("root"))
        .arg("--exec-root")
        .arg(sockets.join("exec"))
        .arg("--pidfile")
        .arg(sockets.join("pid"))
        .args(["--host", &format!("unix://{}", sockets.join("docker.sock").display())])
        .arg("--userland-proxy-path")
        .arg(tools.proxy())
        // Without the machine's filters and routes: published ports go through a program.
        .args(["--iptables=false", "--ip-masq=false", "--ip-forward=false"])
        .args(["--bridge", &slot.bridge()])
        .arg("--config-file")
        .arg(configuration(folder))
        // No systemd in here.
        .args(["--exec-opt", "native.cgroupdriver=cgroupfs"])
        .args(["--cgroup-parent", &format!("/{}", slot.group())])
        .args(["--shutdown-timeout", "2"])
        .env("busybox", tools.busybox())
        .env("bridge", slot.bridge())
        .env("address", slot.address())
        .env("pool", slot.pool())
        .env("networks", networks(folder))
        .env("group", slot.group());
    for (name, value) in tools.environment() {
        command.env(name, value);
    }
    command
}
