//! One agent at a time: two with one journal would undo each other's work.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use crate::config::Config;
use crate::durable;

/// The right to be the device's agent, for as long as it is held. The system takes it back however the process ends.
#[derive(Debug)]
pub struct Instance {
    _state: File,
    _running: File,
}

/// Why this process is not the device's agent.
#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    /// Another one is.
    #[error("another agent runs with {}: stop it first (systemctl stop tidegate-agent)", .0.display())]
    Taken(PathBuf),
    /// The state is another user's, who could not read what this one writes.
    #[error(
        "{} belongs to the user {owner}: do this as that user (runuser -u tidegate-agent -- tidegate-agent …)",
        path.display()
    )]
    Owner {
        path: PathBuf,
        /// Its owner's id.
        owner: u32,
    },
    /// A directory cannot be used.
    #[error("{} cannot be used: {why}", path.display())]
    Io { path: PathBuf, why: std::io::Error },
}

impl Instance {
    /// Takes the right, and makes the directories where they are missing.
    pub fn take(config: &Config) -> Result<Self, InstanceError> {
        let io = |path: &Path, why| InstanceError::Io { path: path.to_owned(), why };
        let (state_dir, runtime_dir) = (&config.state_dir, &config.runtime_dir);
        durable::private_directory(state_dir).map_err(|why| io(state_dir, why))?;
        let owner = std::fs::metadata(state_dir).map_err(|why| io(state_dir, why))?.uid();
        if owner != geteuid().as_raw() {
            return Err(InstanceError::Owner { path: state_dir.clone(), owner });
        }
        let state = hold(&state_dir.join("lock"), 0o600, state_dir)?;
        crate::locks::prepare(runtime_dir).map_err(|why| io(runtime_dir, why))?;
        let running = hold(&running(runtime_dir), 0o644, runtime_dir)?;
        Ok(Self { _state: state, _running: running })
    }
}

/// Whether an agent runs with this runtime directory. Anybody may ask.
pub fn is_running(runtime_dir: &Path) -> bool {
    let held = File::open(running(runtime_dir)).map(|file| file.try_lock_shared());
    matches!(held, Ok(Err(TryLockError::WouldBlock)))
}

fn running(runtime_dir: &Path) -> PathBuf {
    runtime_dir.join("running")
}

fn hold(path: &Path, mode: u32, directory: &Path) -> Result<File, InstanceError> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(mode).open(path);
    let file = file.map_err(|why| InstanceError::Io { path: path.to_owned(), why })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(InstanceError::Taken(directory.to_owned())),
        Err(TryLockError::Error(why)) => Err(InstanceError::Io { path: path.to_owned(), why }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Folder, config};

    #[test]
    fn there_is_one_at_a_time() {
        let folder = Folder::new();
        let config = config(&folder, "https://a.example", "");
        assert!(!is_running(&config.runtime_dir), "nothing is there");
        let held = Instance::take(&config).expect("the first one");
        assert!(is_running(&config.runtime_dir));
        assert!(matches!(Instance::take(&config), Err(InstanceError::Taken(_))));
        drop(held);
        assert!(!is_running(&config.runtime_dir));
        Instance::take(&config).expect("the next one");
    }

    #[test]
    fn another_users_state_is_left_alone() {
        let folder = Folder::new();
        let config = config(&folder, "https://a.example", "");
        let state_dir = if geteuid().is_root() {
            std::fs::create_dir(&config.state_dir).expect("made");
            std::os::unix::fs::chown(&config.state_dir, Some(12_345), None).expect("root may");
            config.state_dir.clone()
        } else {
            PathBuf::from("/")
        };
        let error = Instance::take(&Config { state_dir, ..config }).expect_err("another user's").to_string();
        assert!(error.contains("do this as that user"), "{error}");
    }

    #[test]
    fn says_which_directory_is_of_no_use() {
        let folder = Folder::new();
        std::fs::write(folder.path().join("state"), "a file").expect("written");
        let config = config(&folder, "https://a.example", "");
        let error = Instance::take(&config).expect_err("no directory").to_string();
        assert!(error.contains("/state"), "{error}");
    }
}
