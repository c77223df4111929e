//! The programs of an engine and of a registry: from `PATH` where all of them are there, else Debian's, unpacked.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::Command;

use crate::error::RigError;

/// Fetches Debian's packages; tests/run does so by the same script, beside building.
const FETCH: &str = include_str!("../fetch.sh");
/// What an engine consists of.
const ENGINE: [&str; 6] = ["dockerd", "containerd", "containerd-shim-runc-v2", "runc", "docker-proxy", "docker-init"];
/// The registry's program.
const REGISTRY: &str = "docker-registry";
/// Folders of programs in an unpacked package; the last one is newer engines' own.
const PROGRAM_FOLDERS: [&str; 5] = ["usr/sbin", "usr/bin", "sbin", "bin", "usr/libexec/docker"];

/// Where the programs are.
#[derive(Debug, Clone)]
pub struct Tools {
    folder: PathBuf,
    path: OsString,
    libraries: Option<OsString>,
    dockerd: PathBuf,
    proxy: PathBuf,
    init: PathBuf,
    registry: PathBuf,
    busybox: PathBuf,
}

impl Tools {
    /// Whether this user can start a container engine.
    pub fn may_start_an_engine() -> Result<(), RigError> {
        if rustix::process::geteuid().is_root() {
            return Ok(());
        }
        Err(RigError::Missing("a container engine of one's own needs root; run this as root".to_owned()))
    }

    /// Finds the programs, or fetches them into this folder, which may be kept for the next time. `say` hears what
    /// happens.
    pub async fn find_or_fetch(folder: &Path, say: impl Fn(&str)) -> Result<Self, RigError> {
        std::fs::create_dir_all(folder).map_err(RigError::machine(format!("making {}", folder.display())))?;
        let folder = folder.canonicalize().map_err(RigError::machine(format!("finding {}", folder.display())))?;
        let own = std::env::var_os("PATH").unwrap_or_default();
        let busybox = unpacked(&folder, "busybox", &["busybox"], &say).await?;
        let registry = match find(REGISTRY, std::env::split_paths(&own)) {
            Some(_) => own.clone(),
            None => joined(unpacked(&folder, "registry", &[REGISTRY], &say).await?, &own)?,
        };
        let (path, libraries) = if ENGINE.iter().all(|name| find(name, std::env::split_paths(&own)).is_some()) {
            (own.clone(), None)
        } else {
            let path = joined(unpacked(&folder, "engine", &ENGINE, &say).await?, &own)?;
            let libraries = libraries(&folder, &path, &say).await?;
            (path, libraries)
        };
        let at = |name: &str, path: &OsStr| {
            find(name, std::env::split_paths(path))
                .ok_or_else(|| RigError::Missing(format!("{name} is not among the programs that were found")))
        };
        Ok(Self {
            dockerd: at("dockerd", &path)?,
            proxy: at("docker-proxy", &path)?,
            init: at("docker-init", &path)?,
            registry: at(REGISTRY, &registry)?,
            busybox: at("busybox", &joined(busybox, &OsString::new())?)?,
            folder,
            path,
            libraries,
        })
    }

    /// The tools of a test. `tmp` is the test's `CARGO_TARGET_TMPDIR`; `TIDEGATE_TEST_TOOLS` names another folder than
    /// the one beside it. Nothing where an engine cannot be had and its tests may be left out, which is said loudly.
    ///
    /// # Panics
    /// With `CI=true` or `TIDEGATE_REQUIRE_ENGINE=1`, where there is none.
    pub async fn of_tests(tmp: &str) -> Option<Self> {
        let named = std::env::var_os("TIDEGATE_TEST_TOOLS").filter(|value| !value.is_empty()).map(PathBuf::from);
        let folder = named.unwrap_or_else(|| Path::new(tmp).with_file_name("test-tools"));
        let found = match Tools::may_start_an_engine() {
            Ok(()) => Self::find_or_fetch(&folder, |line| eprintln!("{line}")).await,
            Err(error) => Err(error),
        };
        let is = |name: &str, wanted: &str| std::env::var(name).is_ok_and(|value| value == wanted);
        match found {
            Ok(tools) => Some(tools),
            Err(error) if is("TIDEGATE_REQUIRE_ENGINE", "1") || is("CI", "true") => {
                panic!("a real engine must not be left out here: {error}")
            }
            Err(error) => {
                eprintln!("SKIPPED: a test on a real engine: {error}");
                None
            }
        }
    }

    /// A static busybox.
    pub fn busybox(&self) -> &Path {
        &self.busybox
    }

    /// The folder that they are kept in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The engine's program.
    pub(crate) fn dockerd(&self) -> &Path {
        &self.dockerd
    }

    /// The program that forwards published ports.
    pub(crate) fn proxy(&self) -> &Path {
        &self.proxy
    }

    /// A small init.
    pub(crate) fn init(&self) -> &Path {
        &self.init
    }

    /// The registry's program.
    pub(crate) fn registry(&self) -> &Path {
        &self.registry
    }

    /// Where the engine finds its own programs, and their libraries.
    pub(crate) fn environment(&self) -> Vec<(&'static str, &OsStr)> {
        let libraries = self.libraries.as_deref().map(|folders| ("LD_LIBRARY_PATH", folders));
        [("PATH", self.path.as_os_str())].into_iter().chain(libraries).collect()
    }
}

/// The folders of programs of a part, fetched where it is not there.
async fn unpacked(tools: &Path, part: &str, programs: &[&str], say: impl Fn(&str)) -> Result<Vec<PathBuf>, RigError> {
    fetch(tools, part, say).await?;
    let folders: Vec<PathBuf> = PROGRAM_FOLDERS.iter().map(|inner| tools.join(part).join(inner)).collect();
    match programs.iter().find(|program| find(program, folders.iter().cloned()).is_none()) {
        None => Ok(folders),
        Some(missing) => Err(RigError::Missing(format!(
            "{missing} is not in what Debian has for the part {part}; install a container engine or that program"
        ))),
    }
}

async fn fetch(tools: &Path, part: &str, say: impl Fn(&str)) -> Result<(), RigError> {
    let mut child = Command::new("bash")
        .args(["-c", FETCH, "fetch.sh"])
        .arg(tools)
        .arg(part)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(RigError::machine("running bash"))?;
    let (out, mut errors) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
    let told = async {
        let mut lines = BufReader::new(out).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            say(&line);
        }
    };
    let mut why = String::new();
    let (status, (), _) = tokio::join!(child.wait(), told, errors.read_to_string(&mut why));
    if status.is_ok_and(|status| status.success()) { Ok(()) } else { Err(RigError::Missing(why.trim().to_owned())) }
}

/// Libraries for the unpacked programs, where the machine lacks them.
async fn libraries(tools: &Path, path: &OsStr, say: impl Fn(&str)) -> Result<Option<OsString>, RigError> {
    let mut lacks = false;
    for program in ["dockerd", "runc"] {
        let Some(program) = find(program, std::env::split_paths(path)) else { continue };
        let output = Command::new(&program).arg("--version").stdin(Stdio::null()).output().await;
        let output = output.map_err(RigError::machine(format!("running {}", program.display())))?;
        lacks |= String::from_utf8_lossy(&output.stderr).contains("error while loading shared libraries");
    }
    if !lacks {
        return Ok(None);
    }
    fetch(tools, "libraries", say).await?;
    let folder = tools.join("libraries");
    let mut folders = Vec::new();
    for parent in [folder.join("usr/lib"), folder.join("lib")] {
        let Ok(entries) = std::fs::read_dir(&parent) else { continue };
        folders.extend(entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()));
    }
    joined(folders, &OsString::new()).map(Some)
}

/// The program in the first of these folders that has it. A link to nothing is none.
fn find(name: &str, folders: impl IntoIterator<Item = PathBuf>) -> Option<PathBuf> {
    folders.into_iter().map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// These folders before those.
fn joined(folders: Vec<PathBuf>, before: &OsStr) -> Result<OsString, RigError> {
    let before = std::env::split_paths(before).filter(|path| !path.as_os_str().is_empty());
    std::env::join_paths(folders.into_iter().chain(before))
        .map_err(|error| RigError::Missing(format!("the tools' folder cannot stand in a PATH: {error}")))
}
