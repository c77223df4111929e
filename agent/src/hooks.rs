//! Hooks: the device owner's programs, before and after an update.

mod output;

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, getuid, kill_process_group};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::fault::{Fault, Reason};
use crate::image::Image;
use output::{last_line, tail};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before the old container is touched.
    BeforeUpdate,
    /// After the new container started, before its health check.
    AfterUpdate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HookCall<'a> {
    pub moment: Moment,
    pub service: &'a str,
    /// The image to come, or that came.
    pub image: &'a Image,
    pub previous: Option<&'a Image>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookAnswer {
    GoOn,
    /// Not now: the update waits as with a lock. Exit code 75, as sysexits.h has it.
    NotNow(String),
}

/// Not now: `EX_TEMPFAIL` of sysexits.h.
const NOT_NOW: i32 = 75;
/// Where a hook finds its programs: nothing of the agent's own environment gets there.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Time for the last words of a hook that ended but left something running that holds its output.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// Tries to start a hook that somebody is just writing.
const BUSY_TRIES: u32 = 20;
const BUSY_WAIT: Duration = Duration::from_millis(50);

/// Runs the hooks of this moment: the one for every service, then the service's own. The first that does not say go on
/// decides.
pub(super) async fn run(directory: &Path, longest: Duration, call: HookCall<'_>) -> Result<HookAnswer, Fault> {
    let moment = match call.moment {
        Moment::BeforeUpdate => "pre-update",
        Moment::AfterUpdate => "post-update",
    };
    // A service's name that would lead elsewhere has no hook of its own.
    let own = (!call.service.contains('/')).then(|| format!("{}.{moment}", call.service));
    for name in [Some(moment.to_owned()), own].into_iter().flatten() {
        let path = directory.join(name);
        let there = match std::fs::symlink_metadata(&path) {
            Err(error) => error.kind() != ErrorKind::NotFound,
            Ok(_) => true,
        };
        if there {
            match one(&path, longest, call).await? {
                HookAnswer::GoOn => {}
                HookAnswer::NotNow(why) => return Ok(HookAnswer::NotNow(why)),
            }
        }
    }
    Ok(HookAnswer::GoOn)
}

async fn one(path: &Path, longest: Duration, call: HookCall<'_>) -> Result<HookAnswer, Fault> {
    let failed = |why: String| Fault::new(Reason::HookFailed, format!("the hook {} {why}", path.display()));
    if let Some(why) = unsafe_to_run(path) {
        return Err(failed(why));
    }
    let mut child = spawn(path, call).await.map_err(|error| failed(format!("cannot be run: {error}")))?;
    let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    // Read while it runs: a full pipe would stop it.
    let mut said = [
        child.stdout.take().map(|pipe| tokio::spawn(tail(pipe))),
        child.stderr.take().map(|pipe| tokio::spawn(tail(pipe))),
    ];
    let ended = timeout(longest, child.wait()).await;
    if ended.is_err() {
        // With everything it started; it is not reaped yet, so its group cannot be another's.
        if let Some(group) = group {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = child.wait().await;
    }
    let mut last = None;
    for reading in said.iter_mut().flatten() {
        match timeout(LAST_WORDS, &mut *reading).await {
            // What it says to standard error goes before what it says elsewhere.
            Ok(kept) => last = kept.ok().and_then(|kept| last_line(&kept)).or(last),
            Err(_) => reading.abort(),
        }
    }
    match ended {
        Err(_) => Err(failed(format!("was not done after {} s and was killed", longest.as_secs()))),
        Ok(Err(error)) => Err(failed(format!("is lost: {error}"))),
        Ok(Ok(status)) => verdict(status, last, path).map_err(failed),
    }
}

fn verdict(status: ExitStatus, last: Option<String>, path: &Path) -> Result<HookAnswer, String> {
    match status.code() {
        Some(0) => Ok(HookAnswer::GoOn),
        Some(NOT_NOW) => {
            Ok(HookAnswer::NotNow(last.unwrap_or_else(|| format!("the hook {} says not now", path.display()))))
        }
        _ => Err(format!("says no ({status}){}", last.map(|last| format!(": {last}")).unwrap_or_default())),
    }
}

async fn spawn(path: &Path, call: HookCall<'_>) -> std::io::Result<Child> {
    let mut command = Command::new(path);
    command
        .env_clear()
        .env("PATH", PATH)
        .env("TIDEGATE_SERVICE", call.service)
        .env("TIDEGATE_IMAGE", &call.image.image)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    let digests = [("TIDEGATE_DIGEST", Some(call.image)), ("TIDEGATE_PREVIOUS_DIGEST", call.previous)];
    for (name, image) in digests {
        if let Some(digest) = image.and_then(|image| image.digest.as_ref()) {
            command.env(name, digest.as_str());
        }
    }
    if let Some(previous) = call.previous {
        command.env("TIDEGATE_PREVIOUS_IMAGE", &previous.image);
    }
    for _ in 1..BUSY_TRIES {
        match command.spawn() {
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => tokio::time::sleep(BUSY_WAIT).await,
            done => return done,
        }
    }
    command.spawn()
}

/// Why a hook must not be run, if so: somebody else than root or the agent's user can decide what it does. Whoever can
/// write a hook has the agent's rights, and the agent's are the engine's.
pub fn unsafe_to_run(path: &Path) -> Option<String> {
    let mend = |mode: &str, path: &Path| format!("mend it with: chmod {mode} {}", path.display());
    let metadata = match std::fs::metadata(path) {
        Err(error) => return Some(format!("cannot be read: {error}")),
        Ok(metadata) => metadata,
    };
    if !metadata.is_file() {
        return Some("is no file".to_owned());
    }
    if metadata.mode() & 0o111 == 0 {
        return Some(format!("is not executable; {}", mend("+x", path)));
    }
    // Of a link both folders count: its own and that of what it leads to.
    let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut places: Vec<PathBuf> = vec![real.clone()];
    places.extend([path, &real].into_iter().filter_map(Path::parent).map(Path::to_owned));
    for place in places {
        let Ok(metadata) = std::fs::metadata(&place) else { continue };
        if metadata.mode() & 0o002 != 0 {
            return Some(format!("can be changed by anybody; {}", mend("o-w", &place)));
        }
        if ![0, getuid().as_raw()].contains(&metadata.uid()) {
            let uid = metadata.uid();
            return Some(format!("can be changed by the user {uid}; mend it with: chown root {}", place.display()));
        }
    }
    None
}
