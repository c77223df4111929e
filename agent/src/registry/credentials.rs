//! Logins to registries, from a Docker `config.json` as `docker login` writes it.

use std::collections::BTreeMap;
use std::fmt;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use tidegate_domain::image::AllowedRegistries;

use crate::fault::{Fault, Reason};

/// A login to one registry.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// Who. Empty where only an identity token is known.
    pub username: String,
    /// A password or an access token. Empty where only an identity token is known.
    pub password: String,
    /// A refresh token, which the registry's issuer of tokens takes instead.
    pub identity_token: Option<String>,
}

impl fmt::Debug for Credential {
    /// Says that there is one, never which.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(…)")
    }
}

/// The logins of a `config.json`, read again whenever that changes.
#[derive(Debug)]
pub struct Credentials {
    path: Option<PathBuf>,
    known: Mutex<Option<(Stamp, Known)>>,
}

/// What of a file changes when it is written.
type Stamp = (Option<SystemTime>, u64, u64);

#[derive(Debug, Clone, Default)]
struct Known {
    logins: BTreeMap<String, Credential>,
    /// Registries whose logins are in a helper program's keeping.
    elsewhere: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawConfig {
    #[serde(default)]
    auths: BTreeMap<String, RawAuth>,
    #[serde(default)]
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Deserialize)]
struct RawAuth {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

impl Credentials {
    /// The logins in this file, which need not exist (yet); without one every registry is asked anonymously.
    pub fn new(path: Option<PathBuf>) -> Self {
        Self { path, known: Mutex::new(None) }
    }

    /// The login to a registry, by its host (and port) in any spelling; `docker.io` is Docker Hub.
    pub fn for_registry(&self, host: &str) -> Result<Option<Credential>, Fault> {
        let Some(path) = &self.path else { return Ok(None) };
        let metadata = match std::fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unusable(path, &error.to_string())),
        };
        let stamp = (metadata.modified().ok(), metadata.len(), metadata.ino());
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_ref().is_none_or(|(of, _)| *of != stamp) {
            let text = std::fs::read(path).map_err(|error| unusable(path, &error.to_string()))?;
            *known = Some((stamp, parse(&text).map_err(|why| unusable(path, &why))?));
        }
        let Some((_, known)) = &*known else { return Ok(None) };
        let host = normal(host).unwrap_or_else(|| host.to_owned());
        match known.logins.get(&host) {
            Some(login) => Ok(Some(login.clone())),
            None if known.elsewhere.contains(&host) => Err(unusable(
                path,
                &format!(
                    "the login to {host} is kept by a credential helper; log in without `credsStore` and `credHelpers`"
                ),
            )),
            None => Ok(None),
        }
    }

    /// Names the file for people, such as in what to do about a refusal.
    pub(super) fn place(&self) -> String {
        self.path.as_ref().map_or_else(|| "no file (none is configured)".to_owned(), |path| path.display().to_string())
    }
}

fn unusable(path: &Path, why: &str) -> Fault {
    Fault::new(Reason::Configuration, format!("the registry logins in {} cannot be used: {why}", path.display()))
}

fn parse(text: &[u8]) -> Result<Known, String> {
    // The text is not shown: it holds passwords.
    let raw: RawConfig = serde_json::from_slice(text).map_err(|error| {
        format!(
            "expected JSON such as {{\"auths\": {{\"ghcr.io\": {{\"auth\": \"…\"}}}}}} (line {}, column {})",
            error.line(),
            error.column()
        )
    })?;
    let mut known = Known::default();
    // A registry may be named by host, and by URL for parts of it; the host's own login goes first.
    let mut entries: Vec<(bool, String, String, RawAuth)> = Vec::new();
    for (key, auth) in raw.auths {
        let (host, path) = split(&key);
        if let Some(host) = normal(host) {
            entries.push((!matches!(path, "" | "v1" | "v2"), host, key, auth));
        }
    }
    entries.sort_by_key(|(partly, ..)| *partly);
    for (_, host, key, auth) in entries {
        match login(auth).map_err(|why| format!("auths, {key}: {why}"))? {
            Some(login) => {
                known.logins.entry(host).or_insert(login);
            }
            None if raw.creds_store.is_some() => known.elsewhere.push(host),
            None => {}
        }
    }
    known.elsewhere.extend(raw.cred_helpers.keys().filter_map(|key| normal(split(key).0)));
    Ok(known)
}

/// Host and path of a key: `https://index.docker.io/v1/` as well as `ghcr.io`.
fn split(key: &str) -> (&str, &str) {
    let rest = key.split_once("://").map_or(key, |(_, rest)| rest);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    (host, path.trim_end_matches('/'))
}

/// A host in its one spelling; `None` where it is none.
fn normal(host: &str) -> Option<String> {
    AllowedRegistries::new([host]).ok()?.hosts().first().cloned()
}

fn login(raw: RawAuth) -> Result<Option<Credential>, String> {
    let some = |text: Option<String>| text.filter(|text| !text.is_empty());
    let identity_token = some(raw.identitytoken);
    let (username, password) = match some(raw.auth) {
        Some(auth) => decode(&auth).ok_or("expected `auth` to be `username:password` in Base64")?,
        None => (some(raw.username).unwrap_or_default(), some(raw.password).unwrap_or_default()),
    };
    if identity_token.is_none() && (username.is_empty() || password.is_empty()) {
        return if username.is_empty() && password.is_empty() {
            Ok(None)
        } else {
            Err("a username and a password go together".to_owned())
        };
    }
    Ok(Some(Credential { username, password, identity_token }))
}

fn decode(auth: &str) -> Option<(String, String)> {
    let text = String::from_utf8(STANDARD.decode(auth).ok()?).ok()?;
    let (username, password) = text.split_once(':')?;
    // Docker pads with zeroes, and cuts them off.
    Some((username.to_owned(), password.trim_end_matches('\0').to_owned()))
}

#[cfg(test)]
#[path = "credentials/tests.rs"]
mod tests;
