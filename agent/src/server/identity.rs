//! Who the device is: its uuid, its token, and the server that both belong to.
//!
//! The uuid is made and kept before the device first enrols, so that an answer that got lost does not make it two
//! devices. The file is the device's password: only its owner may read it, and it is never half written.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::durable;
use crate::server::secret::Secret;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Its uuid, version 4 or 7.
    pub uuid: Uuid,
    /// Its token. Without one it has not enrolled yet, or does not know that it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
    /// The server that knows it. The token is never sent to another.
    pub url: String,
}

impl Identity {
    /// A device that no server knows yet.
    pub fn unknown(uuid: Uuid, url: &str) -> Self {
        Self { uuid, token: None, url: url.to_owned() }
    }
}

/// Why there is no identity. Causes stand in the text.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("{} cannot be {doing}: {why}", path.display())]
    Io {
        path: PathBuf,
        /// `read` or `written`.
        doing: &'static str,
        why: std::io::Error,
    },
    #[error(
        "{} can be read by others than its owner (mode {mode:03o}), and it holds the device's token; \
         mend it with: chmod 600 {}", path.display(), path.display()
    )]
    Exposed { path: PathBuf, mode: u32 },
    /// It says something else than an identity.
    #[error(
        "{} is no identity of a device ({why}); put a copy of it back, or move it away and enrol anew", path.display()
    )]
    Unreadable {
        path: PathBuf,
        /// Line and column.
        why: String,
    },
    /// It belongs to another server than the configured one.
    #[error(
        "{} belongs to {theirs}, but the configuration names {ours}; where both are the same server, run \
         `tidegate-agent enrol --same-server`; to enrol at another one, move the file away and run \
         `tidegate-agent enrol`", path.display()
    )]
    Elsewhere { path: PathBuf, theirs: String, ours: String },
}

#[derive(Debug, Clone)]
pub struct IdentityFile(PathBuf);

impl IdentityFile {
    /// The one in this state directory.
    pub fn within(state_dir: &Path) -> Self {
        Self(state_dir.join("identity.json"))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn load(&self) -> Result<Option<Identity>, IdentityError> {
        let file = match std::fs::File::open(&self.0) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            other => other.map_err(|why| self.io("read", why))?,
        };
        // Asked of what was opened, so that it cannot change between the question and the reading.
        let mode = file.metadata().map_err(|why| self.io("read", why))?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(IdentityError::Exposed { path: self.0.clone(), mode });
        }
        let text = std::io::read_to_string(file).map_err(|why| self.io("read", why))?;
        // Only the place: serde's own words could quote the token.
        let unreadable = |error: serde_json::Error| format!("line {}, column {}", error.line(), error.column());
        serde_json::from_str(&text)
            .map(Some)
            .map_err(|error| IdentityError::Unreadable { path: self.0.clone(), why: unreadable(error) })
    }

    /// The identity, where there is one, provided that it belongs to this server.
    pub fn load_for(&self, url: &str) -> Result<Option<Identity>, IdentityError> {
        match self.load()? {
            Some(identity) if identity.url != url => {
                Err(IdentityError::Elsewhere { path: self.0.clone(), theirs: identity.url, ours: url.to_owned() })
            }
            found => Ok(found),
        }
    }

    /// Keeps an identity; when this returned it survives a power cut.
    pub fn save(&self, identity: &Identity) -> Result<(), IdentityError> {
        let written = || {
            if let Some(parent) = self.0.parent() {
                durable::private_directory(parent)?;
            }
            durable::replace(&self.0, &serde_json::to_vec_pretty(identity)?, 0o600)
        };
        written().map_err(|why| self.io("written", why))
    }

    fn io(&self, doing: &'static str, why: std::io::Error) -> IdentityError {
        IdentityError::Io { path: self.0.clone(), doing, why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Folder;

    const URL: &str = "https://tidegate.example.com";

    fn known() -> Identity {
        Identity { token: Some(Secret::new("tgd_hunter2")), ..Identity::unknown(Uuid::from_u128(7), URL) }
    }

    #[test]
    fn is_kept_in_a_folder_and_a_file_of_its_owner_alone() {
        let folder = Folder::new();
        let state = folder.path().join("lib/agent");
        let file = IdentityFile::within(&state);
        assert_eq!(file.load().expect("nothing is no mistake"), None);
        file.save(&known()).expect("a new one");
        assert_eq!(file.load_for(URL).expect("readable"), Some(known()));
        let mode = |path: &Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
        assert_eq!((mode(&state), mode(file.path())), (0o700, 0o600));
    }

    #[test]
    fn refuses_what_others_can_read_and_says_how_to_mend_it() {
        let folder = Folder::new();
        let file = IdentityFile::within(folder.path());
        file.save(&known()).expect("a new one");
        for (mode, refused) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true), (0o660, true)] {
            std::fs::set_permissions(file.path(), PermissionsExt::from_mode(mode)).expect("its owner may");
            let error = file.load().err().map(|error| error.to_string());
            assert_eq!(error.is_some(), refused, "{mode:o}");
            assert!(error.is_none_or(|error| error.contains("chmod 600 /")), "{mode:o}");
        }
    }

    #[test]
    fn what_is_no_identity_is_told_without_its_content() {
        let folder = Folder::new();
        let file = IdentityFile::within(folder.path());
        for (label, text) in [
            ("empty", ""),
            ("cut off", r#"{"uuid": "00000000-0000-0000-0000-000000000007", "token": "tgd_hun"#),
            ("another shape", r#"{"uuid": "tgd_hunter2", "url": "x"}"#),
        ] {
            durable::replace(file.path(), text.as_bytes(), 0o600).expect("written");
            let error = file.load().expect_err(label).to_string();
            assert!(error.contains("no identity") && !error.contains("tgd_"), "{label}: {error}");
        }
    }

    #[test]
    fn the_token_goes_to_no_other_server() {
        let folder = Folder::new();
        let file = IdentityFile::within(folder.path());
        file.save(&known()).expect("a new one");
        let error = file.load_for("https://other.example.com").expect_err("another server").to_string();
        assert!(error.contains(URL) && error.contains("other.example.com") && error.contains("--same-server"));
        assert!(!format!("{:?}", known()).contains("hunter2"));
    }
}
