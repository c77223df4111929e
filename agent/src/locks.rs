//! Locks: files by which an application says that it must not be disturbed.
//!
//! Any program can make one, with `tidegate-agent lock` or with `touch`. So a file that cannot be understood locks all
//! the same: to wait is harmless, to disturb is not.

use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io::{ErrorKind, Read, Result};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::durable;

/// The name of the lock of every service.
pub const ALL: &str = "all";

/// Largest lock file that is read; a larger one locks, whatever it says.
const LARGEST: u64 = 4096;

/// Longest reason that is shown and reported.
const SHOWN: usize = 200;

/// An application must not be disturbed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// Why, in the words of who locked.
    pub reason: Option<String>,
    /// Until when, where that is known.
    pub until: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LockFile {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Until when. Without it the lock ends when the file goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The process that locked, for people: it may be in a container of its own, so nothing is concluded from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
}

pub fn directory(runtime_dir: &Path) -> PathBuf {
    runtime_dir.join("locks")
}

/// Makes the place for locks, for the agent's user and group.
pub fn prepare(runtime_dir: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o755).create(runtime_dir)?;
    let locks = directory(runtime_dir);
    match DirBuilder::new().mode(0o755).create(&locks) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        // Whatever the process's umask takes away. A directory that is there is its owner's to open or close.
        made => made.and_then(|()| std::fs::set_permissions(&locks, Permissions::from_mode(0o775))),
    }
}

/// What locks a service now: its own lock or the one of everything, whichever lasts longer.
pub fn held(locks: &Path, service: &str, now: Timestamp) -> Option<Lock> {
    let found = [ALL, service].into_iter().filter_map(|name| one(locks, name));
    let holding = found.filter(|lock| lock.until.is_none_or(|until| until > now));
    holding.max_by_key(|lock| lock.until.unwrap_or(Timestamp::MAX))
}

/// Locks a service, or [`ALL`].
pub fn take(runtime_dir: &Path, service: &str, lock: &LockFile) -> Result<PathBuf> {
    let path = file(&directory(runtime_dir), service).ok_or(ErrorKind::InvalidInput)?;
    prepare(runtime_dir)?;
    durable::replace(&path, &serde_json::to_vec(lock)?, 0o644)?;
    Ok(path)
}

/// Takes a lock away; says whether there was one.
pub fn release(runtime_dir: &Path, service: &str) -> Result<bool> {
    let path = file(&directory(runtime_dir), service).ok_or(ErrorKind::InvalidInput)?;
    match std::fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// The file of a service's lock. A name that would lead elsewhere has none.
fn file(locks: &Path, service: &str) -> Option<PathBuf> {
    let plain = !service.is_empty() && !service.starts_with('.') && !service.contains(['/', '\0']);
    plain.then(|| locks.join(service))
}

fn one(locks: &Path, name: &str) -> Option<Lock> {
    let path = file(locks, name)?;
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    // A link is not followed and a pipe not waited for: they lock, like any file that cannot be read.
    let opened = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(&path);
    let because = |why: &str| Lock { reason: Some(format!("{} {why}", path.display())), until: None };
    let file = match opened {
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        Err(_) => return Some(because("is there, but cannot be read")),
        Ok(file) => file,
    };
    let mut text = Vec::new();
    if !file.metadata().is_ok_and(|metadata| metadata.is_file())
        || file.take(LARGEST + 1).read_to_end(&mut text).is_err()
    {
        return Some(because("is there, but is no file"));
    }
    if text.len() as u64 > LARGEST {
        return Some(because("is there, but says more than a lock"));
    }
    let read: LockFile = serde_json::from_slice(&text).unwrap_or_else(|_| LockFile {
        // Plain text, such as from `echo calibrating > lock`, is the reason.
        reason: std::str::from_utf8(&text).ok().map(str::to_owned),
        ..LockFile::default()
    });
    let reason = read.reason.map(|reason| plain(&reason)).filter(|reason| !reason.is_empty());
    Some(Lock { reason, until: read.until })
}

/// One short line: it is shown and reported.
fn plain(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN).collect();
    line.trim().to_owned()
}

#[cfg(test)]
mod tests;
