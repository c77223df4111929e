//! The name of a repository: registry host and path, in one normal spelling.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ImageError, checked_text};

/// Docker Hub's name in references.
const DOCKER_HUB: &str = "docker.io";

/// Hosts that are Docker Hub too: its site, its API's and its legacy names
/// (<https://github.com/distribution/reference/blob/main/normalize.go> knows the second alone).
const DOCKER_HUB_ALIASES: [&str; 4] =
    ["hub.docker.com", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"];

/// Longest path, in characters (`RepositoryNameTotalLengthMax` of the reference grammar).
pub(super) const PATH_MAX: usize = 255;

/// A repository, `registry-host[:port]/path`, always with its host, in lower case: `docker.io/library/nginx`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Repository(String);

impl Repository {
    /// Parses a name without tag and digest; one without a host is Docker Hub's.
    pub fn parse(text: &str) -> Result<Self, ImageError> {
        if text.is_empty() {
            return Err(ImageError::Empty);
        }
        let (registry, path) = split_registry(text)?;
        if path.len() == 64 && registry == DOCKER_HUB && path.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(ImageError::LooksLikeId(path.to_owned()));
        }
        if path.len() > PATH_MAX {
            return Err(ImageError::TooLong { got: path.len() });
        }
        if path.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(ImageError::UpperCase(path.to_owned()));
        }
        if !path.split('/').all(is_path_part) {
            return Err(ImageError::Path(path.to_owned()));
        }
        Ok(Self(format!("{registry}/{}{path}", official_prefix(&registry, path))))
    }

    /// The registry's host, with its port if it has one.
    pub fn registry(&self) -> &str {
        self.split().0
    }

    /// The path within the registry.
    pub fn path(&self) -> &str {
        self.split().1
    }

    /// Host and path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn split(&self) -> (&str, &str) {
        self.0.split_once('/').unwrap_or((&self.0, ""))
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

checked_text!(Repository);

/// Splits the host off a name, by Docker's rule: the first part is a host when it has a dot, a colon or a capital,
/// or is `localhost`. The host comes back in its normal spelling.
pub(crate) fn split_registry(name: &str) -> Result<(String, &str), ImageError> {
    let looks_like_host = |part: &str| {
        part.contains(['.', ':', '[']) || part == "localhost" || part.bytes().any(|b| b.is_ascii_uppercase())
    };
    match name.split_once('/') {
        Some((host, path)) if looks_like_host(host) => {
            let registry = normal_registry(host).ok_or_else(|| ImageError::Registry(host.to_owned()))?;
            Ok((registry, path))
        }
        Some(_) | None => Ok((DOCKER_HUB.to_owned(), name)),
    }
}

/// `library/` where Docker Hub's official images leave it out.
pub(crate) fn official_prefix(registry: &str, path: &str) -> &'static str {
    if registry == DOCKER_HUB && !path.contains('/') { "library/" } else { "" }
}

/// The normal spelling of a registry's host: lower case, Docker Hub under its one name. `None` where it is no host.
pub(crate) fn normal_registry(host: &str) -> Option<String> {
    let host = host.to_ascii_lowercase();
    if !is_registry(&host) {
        return None;
    }
    Some(if DOCKER_HUB_ALIASES.contains(&host.as_str()) { DOCKER_HUB.to_owned() } else { host })
}

/// Whether the text is a host name, an IPv4 or a bracketed IPv6 address, with a port or without.
fn is_registry(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        Some(_) | None => (host, None),
    };
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let name_valid = match name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => name.len() <= 253 && name.split('.').all(label),
    };
    name_valid && port.is_none_or(|port| port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok())
}

/// `[a-z0-9]+` with separators `.`, `_`, `__` or any number of `-` between.
fn is_path_part(part: &str) -> bool {
    let alnum = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = part.as_bytes();
    let (Some(&first), Some(&last)) = (bytes.first(), bytes.last()) else { return false };
    alnum(first)
        && alnum(last)
        && part
            .split(|c: char| c.is_ascii() && alnum(c as u8))
            .all(|separator| matches!(separator, "" | "." | "_" | "__") || separator.bytes().all(|b| b == b'-'))
}
