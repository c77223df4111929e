//! The registries' credentials, from a file as `docker login` writes it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bollard::auth::DockerCredentials;
use serde::Deserialize;

/// Docker Hub, as references name it.
const DOCKER_HUB: &str = "docker.io";

/// Credentials by registry. `Debug` shows the registries only.
#[derive(Clone, Default)]
pub struct Credentials {
    by_registry: BTreeMap<String, Login>,
}

#[derive(Clone)]
enum Login {
    Password { user: String, password: String },
    Token(String),
}

/// Why a file of credentials cannot be used. Shows nothing of what is in it.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The file cannot be read.
    #[error("{}: {source}", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not what `docker login` writes.
    #[error("{}: line {line}, column {column}: expected JSON such as {{\"auths\": {{\"ghcr.io\": {{\"auth\": …}}}}}}", .file.display())]
    NotJson {
        /// The file.
        file: PathBuf,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// An entry has no credentials, or unreadable ones.
    #[error("{}: auths.{registry}: expected `auth` as base64 of user:password, or `identitytoken`", .file.display())]
    Entry {
        /// The file.
        file: PathBuf,
        /// The entry.
        registry: String,
    },
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

impl Credentials {
    /// None at all: registries are asked anonymously.
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads a `config.json` of Docker or an `auth.json` of Podman.
    pub fn read(file: &Path) -> Result<Self, CredentialsError> {
        let text = fs::read_to_string(file)
            .map_err(|source| CredentialsError::Unreadable { file: file.to_owned(), source })?;
        Self::parse(file, &text)
    }

    fn parse(file: &Path, text: &str) -> Result<Self, CredentialsError> {
        // The error's own text could quote a password.
        let parsed: File = serde_json::from_str(text).map_err(|error| CredentialsError::NotJson {
            file: file.to_owned(),
            line: error.line(),
            column: error.column(),
        })?;
        let mut by_registry = BTreeMap::new();
        for (registry, entry) in parsed.auths {
            let Some(login) = entry.login() else {
                return Err(CredentialsError::Entry { file: file.to_owned(), registry });
            };
            by_registry.insert(host(&registry).to_owned(), login);
        }
        Ok(Self { by_registry })
    }

    /// User and password for a registry, as a client of its own has to send them.
    pub fn password_for(&self, registry: &str) -> Option<(&str, &str)> {
        match self.by_registry.get(host(registry))? {
            Login::Password { user, password } => Some((user, password)),
            Login::Token(_) => None,
        }
    }

    /// What the engine is given along with a pull.
    pub(super) fn for_engine(&self, registry: &str) -> Option<DockerCredentials> {
        let login = self.by_registry.get(host(registry))?;
        let server = if registry == DOCKER_HUB { "https://index.docker.io/v1/" } else { registry };
        let serveraddress = Some(server.to_owned());
        Some(match login.clone() {
            Login::Password { user, password } => DockerCredentials {
                username: Some(user),
                password: Some(password),
                serveraddress,
                ..DockerCredentials::default()
            },
            Login::Token(token) => {
                DockerCredentials { identitytoken: Some(token), serveraddress, ..DockerCredentials::default() }
            }
        })
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.by_registry.keys()).finish()
    }
}

impl Entry {
    fn login(self) -> Option<Login> {
        if let Some(token) = self.identitytoken.filter(|token| !token.is_empty()) {
            return Some(Login::Token(token));
        }
        if let (Some(user), Some(password)) = (self.username, self.password) {
            return Some(Login::Password { user, password });
        }
        let decoded = String::from_utf8(STANDARD.decode(self.auth?.trim()).ok()?).ok()?;
        let (user, password) = decoded.split_once(':')?;
        Some(Login::Password { user: user.to_owned(), password: password.trim_end_matches('\0').to_owned() })
    }
}

/// The registry of an entry's key: older ones are URLs, and Docker Hub's always is.
fn host(key: &str) -> &str {
    let plain = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    match plain.split('/').next().unwrap_or(plain) {
        "index.docker.io" | "registry-1.docker.io" => DOCKER_HUB,
        host => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Credentials, CredentialsError> {
        Credentials::parse(Path::new("/etc/tidegate/registries.json"), text)
    }

    #[test]
    fn as_docker_login_writes_it() {
        let auth = STANDARD.encode("robot:pass:word");
        let text = format!(
            r#"{{"auths": {{"https://index.docker.io/v1/": {{"auth": "{auth}"}}, "ghcr.io": {{"auth": "{auth}"}},
                "r.example:5000": {{"identitytoken": "t0ken"}}}}, "credsStore": "x"}}"#
        );
        let credentials = parse(&text).expect("it is well formed");
        for registry in ["docker.io", "ghcr.io"] {
            assert_eq!(credentials.password_for(registry), Some(("robot", "pass:word")), "{registry}");
        }
        let token = credentials.for_engine("r.example:5000").and_then(|given| given.identitytoken);
        assert_eq!(token.as_deref(), Some("t0ken"));
        assert_eq!(credentials.password_for("quay.io"), None);
        let shown = format!("{credentials:?}");
        assert!(!shown.contains("pass") && shown.contains("ghcr.io"), "{shown}");
    }

    #[test]
    fn mistakes_show_no_secret() {
        let cases = [
            ("no JSON", r#"{"auths": {"ghcr.io": {"auth": "c2VjcmV0"#, "line 1"),
            ("another type", r#"{"auths": {"ghcr.io": "c2VjcmV0"}}"#, "line 1"),
            ("no colon", r#"{"auths": {"ghcr.io": {"auth": "c2VjcmV0"}}}"#, "auths.ghcr.io"),
            ("nothing", r#"{"auths": {"ghcr.io": {}}}"#, "auths.ghcr.io"),
        ];
        for (label, text, expected) in cases {
            let error = parse(text).expect_err(label).to_string();
            assert!(error.contains(expected) && error.contains("registries.json"), "{label}: {error}");
            assert!(!error.contains("c2VjcmV0") && !error.contains("secret"), "{label}: {error}");
        }
    }
}
