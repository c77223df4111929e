//! Where the container engine listens.

use std::fmt;
use std::path::PathBuf;

/// The engine's address, as `DOCKER_HOST` writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EngineAddress {
    /// A socket in the file system: `unix:///run/docker.sock`, or the path alone.
    Unix(PathBuf),
    /// A host and port without TLS, such as a socket proxy's: `tcp://127.0.0.1:2375`.
    Tcp(String),
}

impl EngineAddress {
    pub fn parse(text: &str) -> Result<Self, String> {
        let path = text.strip_prefix("unix://").unwrap_or(text);
        if path.starts_with('/') {
            return Ok(Self::Unix(PathBuf::from(path)));
        }
        let authority = text.strip_prefix("tcp://").or_else(|| text.strip_prefix("http://"));
        let authority = authority.map(|rest| rest.trim_end_matches('/'));
        match authority.and_then(|authority| Some((authority, authority.rsplit_once(':')?))) {
            Some((authority, (host, port))) if !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0) => {
                Ok(Self::Tcp(authority.to_owned()))
            }
            Some(_) | None => Err(format!(
                "expected a socket such as /var/run/docker.sock, or a proxy's address such as tcp://127.0.0.1:2375, \
                 got {text:?}"
            )),
        }
    }
}

impl fmt::Display for EngineAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(authority) => write!(f, "tcp://{authority}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_docker_host_may_hold() {
        for (text, expected) in [
            ("/var/run/docker.sock", Some("unix:///var/run/docker.sock")),
            ("unix:///run/podman/podman.sock", Some("unix:///run/podman/podman.sock")),
            ("tcp://proxy:2375", Some("tcp://proxy:2375")),
            ("tcp://[::1]:2375/", Some("tcp://[::1]:2375")),
            ("http://127.0.0.1:2375", Some("tcp://127.0.0.1:2375")),
            ("docker.sock", None),
            ("unix://docker.sock", None),
            ("ssh://root@host", None),
            ("tcp://host", None),
            ("tcp://:2375", None),
            ("tcp://host:0", None),
            ("", None),
        ] {
            let read = EngineAddress::parse(text).ok().map(|address| address.to_string());
            assert_eq!(read.as_deref(), expected, "{text:?}");
        }
    }
}
