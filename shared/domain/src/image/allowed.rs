//! The registries that images may come from.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ImageError, Repository, normal_registry};

/// After a host: whatever its port, or none.
const ANY_PORT: &str = ":*";

/// The hosts of the registries that images may come from; anything else is refused. `localhost:*` is that host with any
/// port, for registries on a developer's machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct AllowedRegistries(Vec<String>);

/// An image's registry is not on the list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("images from {registry} are not allowed here; allowed registries: {allowed}")]
pub struct NotAllowed {
    /// The image's registry.
    pub registry: String,
    /// The list.
    pub allowed: AllowedRegistries,
}

impl AllowedRegistries {
    /// Hosts (`ghcr.io`, `registry.example.com:5000`), in any spelling; Docker Hub's names are all the same.
    pub fn new<S: AsRef<str>>(hosts: impl IntoIterator<Item = S>) -> Result<Self, ImageError> {
        let mut list = Vec::new();
        for host in hosts {
            let host = host.as_ref().trim();
            let (name, any_port) = host.strip_suffix(ANY_PORT).map_or((host, ""), |name| (name, ANY_PORT));
            let normal = normal_registry(name).ok_or_else(|| ImageError::Registry(host.to_owned()))?;
            let host = format!("{normal}{any_port}");
            if !list.contains(&host) {
                list.push(host);
            }
        }
        Ok(Self(list))
    }

    /// A list divided by commas; empty entries are passed over.
    pub fn parse(text: &str) -> Result<Self, ImageError> {
        Self::new(text.split(',').map(str::trim).filter(|host| !host.is_empty()))
    }

    /// Whether images of this repository may be used.
    pub fn allows(&self, repository: &Repository) -> Result<(), NotAllowed> {
        self.allows_registry(repository.registry())
    }

    /// Whether images of this registry (in its normal spelling) may be used.
    pub fn allows_registry(&self, registry: &str) -> Result<(), NotAllowed> {
        let name = registry.split_once(':').map_or(registry, |(name, _)| name);
        let allows = |host: &str| host == registry || host.strip_suffix(ANY_PORT) == Some(name);
        if self.0.iter().any(|host| allows(host)) {
            Ok(())
        } else {
            Err(NotAllowed { registry: registry.to_owned(), allowed: self.clone() })
        }
    }

    /// The hosts in their normal spelling.
    pub fn hosts(&self) -> &[String] {
        &self.0
    }
}

impl Default for AllowedRegistries {
    /// Docker Hub and GHCR.
    fn default() -> Self {
        Self(vec!["docker.io".to_owned(), "ghcr.io".to_owned()])
    }
}

impl fmt::Display for AllowedRegistries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.write_str("none") } else { f.write_str(&self.0.join(", ")) }
    }
}

impl TryFrom<Vec<String>> for AllowedRegistries {
    type Error = ImageError;

    fn try_from(hosts: Vec<String>) -> Result<Self, ImageError> {
        Self::new(hosts)
    }
}

impl From<AllowedRegistries> for Vec<String> {
    fn from(list: AllowedRegistries) -> Self {
        list.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_port_is_a_host_with_or_without_one() {
        let local = AllowedRegistries::parse("docker.io, localhost:*,127.0.0.1:*").unwrap();
        for (registry, allowed) in [
            ("localhost:5000", true),
            ("localhost", true),
            ("127.0.0.1:5901", true),
            ("docker.io", true),
            ("docker.io:5000", false),
            ("localhost.evil.example:5000", false),
            ("127.0.0.11:5000", false),
        ] {
            assert_eq!(local.allows_registry(registry).is_ok(), allowed, "{registry}");
        }
        assert_eq!(local.to_string(), "docker.io, localhost:*, 127.0.0.1:*");
        assert!(AllowedRegistries::parse("*:*").is_err());
    }
}
