//! Which registries may be asked, and as whom.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;
use serde::Deserialize;
use tidegate_domain::image::{AllowedRegistries, ImageError};

use crate::secret::Secret;

/// Access by registry host, in its normal spelling (`docker.io`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegistryCredentials(BTreeMap<String, Access>);

/// Access to one registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Access {
    login: Option<(String, Secret)>,
    plain_http: bool,
}

/// The text is no access to registries. It is never shown, since it holds passwords.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// Not the JSON that is expected.
    #[error(r#"expected JSON such as {{"ghcr.io": {{"username": "…", "password": "…"}}, "docker.io": {{}}}} (line {line}, column {column})"#)]
    Json {
        /// Where the text departs from it, from 1.
        line: usize,
        /// Where in that line, from 1.
        column: usize,
    },
    /// A key is no host.
    #[error(transparent)]
    Host(#[from] ImageError),
    /// Half of a login.
    #[error("{0}: a username and a password go together")]
    HalfLogin(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAccess {
    username: Option<String>,
    password: Option<String>,
    #[serde(default)]
    plain_http: bool,
}

impl RegistryCredentials {
    /// Reads `{"host": {"username", "password", "plain_http"?}}`; `{}` is anonymous access, `plain_http` is for
    /// registries without TLS on a trusted network.
    pub fn parse(json: &str) -> Result<Self, CredentialsError> {
        let raw: BTreeMap<String, RawAccess> = serde_json::from_str(json)
            .map_err(|error| CredentialsError::Json { line: error.line(), column: error.column() })?;
        let mut access = BTreeMap::new();
        for (host, raw) in raw {
            let login = match (raw.username, raw.password) {
                (Some(username), Some(password)) => Some((username, Secret::new(password))),
                (None, None) => None,
                (Some(_), None) | (None, Some(_)) => return Err(CredentialsError::HalfLogin(host)),
            };
            for normal in AllowedRegistries::new([&host])?.hosts() {
                access.insert(normal.clone(), Access { login: login.clone(), plain_http: raw.plain_http });
            }
        }
        Ok(Self(access))
    }

    /// Access to a host in its normal spelling; `None` where it may not be asked.
    pub(crate) fn of(&self, host: &str) -> Option<&Access> {
        self.0.get(host)
    }
}

impl Access {
    pub(crate) fn plain_http(&self) -> bool {
        self.plain_http
    }

    /// The header of a login, marked so that it is not printed.
    pub(crate) fn basic(&self) -> Option<HeaderValue> {
        let (username, password) = self.login.as_ref()?;
        let encoded = STANDARD.encode(format!("{username}:{}", password.expose()));
        sensitive(&format!("Basic {encoded}"))
    }
}

/// A header that is not printed.
pub(crate) fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_normal_and_passwords_hidden() {
        let credentials = RegistryCredentials::parse(
            r#"{"hub.docker.com": {"username": "u", "password": "hunter2"}, "ghcr.io": {}}"#,
        )
        .unwrap();
        assert!(credentials.of("docker.io").unwrap().basic().is_some());
        assert!(credentials.of("ghcr.io").unwrap().basic().is_none());
        assert_eq!(credentials.of("quay.io"), None);
        assert!(!format!("{credentials:?}").contains("hunter2"));
    }

    #[test]
    fn mistakes_are_told_without_the_text() {
        for text in [r#"{"ghcr.io": {"pasword": "hunter2"}}"#, r#"{"ghcr.io": {"password": "hunter2"}}"#, "hunter2"] {
            let error = RegistryCredentials::parse(text).unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
