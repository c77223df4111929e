//! What tests stand on: a folder of their own, gone when they end, and a server that says what they want.

mod server;

use std::path::{Path, PathBuf};

pub(crate) use server::Server;

use crate::server::identity::{Identity, IdentityFile};
use crate::server::secret::Secret;

pub(crate) struct Folder(PathBuf);

impl Folder {
    /// A new one, under the system's folder for such.
    pub(crate) fn new() -> Self {
        let path = std::env::temp_dir().join(format!("tidegate-agent-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(&path).expect("a temporary folder can be made");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// What is in it, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).expect("it is there");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort_unstable();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A configuration whose directories are in this folder, with these further lines.
pub(crate) fn config(folder: &Folder, url: &str, further: &str) -> crate::config::Config {
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (state, run, hooks) = (at("state"), at("run"), at("hooks"));
    let text = format!(
        "url = '{url}'\nfleet_id = 'production'\nstate_dir = '{state}'\nruntime_dir = '{run}'\n{further}\n\
         [hooks]\ndirectory = '{hooks}'"
    );
    let read = crate::config::Config::read(&folder.path().join("agent.toml"), &text, &|_| None);
    read.unwrap_or_else(|error| panic!("the test's configuration is right: {error}"))
}

/// A device that is enrolled with this token.
pub(crate) fn enrolled(config: &crate::config::Config, token: &str) -> Identity {
    let token = Some(Secret::new(token));
    let identity = Identity { token, ..Identity::unknown(uuid::Uuid::new_v4(), &config.url) };
    IdentityFile::within(&config.state_dir).save(&identity).expect("written");
    identity
}
