//! The container engine and its disk.

use std::path::Path;

use anyhow::{Context, anyhow};
use bollard::{API_DEFAULT_VERSION, Docker};

use super::{Check, Found};
use crate::config::{Config, EngineAddress};

/// Longest time for one call, in seconds.
const TIMEOUT: u64 = 10;
/// Oldest API that has everything the agent asks for: Docker 20.10, and Podman 4.
const OLDEST: (u32, u32) = (1, 41);

/// A connection to the engine; nothing is asked of it yet.
pub(in crate::cli) fn connect(address: &EngineAddress) -> anyhow::Result<Docker> {
    let connected = match address {
        EngineAddress::Unix(path) => {
            let path = path.to_str().ok_or_else(|| anyhow!("expected a path of plain text"))?;
            Docker::connect_with_unix(path, TIMEOUT, API_DEFAULT_VERSION)
        }
        EngineAddress::Tcp(_) => Docker::connect_with_http(&address.to_string(), TIMEOUT, API_DEFAULT_VERSION),
    };
    connected.with_context(|| format!("{address} cannot be used"))
}

/// Looks at the engine.
pub(super) async fn checks(config: &Config) -> Vec<Check> {
    let address = &config.engine.address;
    let runtime = match ask(address).await {
        Ok(runtime) => runtime,
        Err(error) => return vec![Found::fail(format!("{error:#}"), way(address)).of("engine")],
    };
    let (docker, seen, api) = runtime;
    let mut checks = vec![version(&seen, &api).of("engine")];
    // A socket proxy need not let this through.
    if let Some(root) = docker.info().await.ok().and_then(|info| info.docker_root_dir) {
        checks.push(room(Path::new(&root), config.pull.keep_free).of("images' disk"));
    }
    checks
}

async fn ask(address: &EngineAddress) -> anyhow::Result<(Docker, String, String)> {
    let docker = connect(address)?.negotiate_version().await.with_context(|| format!("{address} does not answer"))?;
    let told = docker.version().await.with_context(|| format!("{address} does not tell its version"))?;
    let name = told.platform.map(|platform| platform.name).filter(|name| !name.is_empty());
    let version = told.version.unwrap_or_default();
    let api = told.api_version.unwrap_or_default();
    Ok((docker, format!("{} {version} at {address}, API {api}", name.as_deref().unwrap_or("engine")), api))
}

fn version(seen: &str, api: &str) -> Found {
    let number = |text: &str| {
        let (major, minor) = text.split_once('.')?;
        Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?))
    };
    match number(api) {
        Some(api) if api >= OLDEST => Found::ok(seen),
        Some(_) => Found::fail(seen, "the agent needs API 1.41: Docker 20.10 or Podman 4, or newer"),
        None => Found::warn(seen, "expected a version of the API such as 1.41"),
    }
}

fn way(address: &EngineAddress) -> String {
    match address {
        EngineAddress::Unix(path) => format!(
            "start the engine (systemctl start docker), and let the agent's user use its socket (usermod --append \
             --groups docker tidegate-agent, as `ls -l {}` says)",
            path.display()
        ),
        EngineAddress::Tcp(_) => {
            "start the socket proxy, and see docs/agent.md for what it must let through".to_owned()
        }
    }
}

/// Room on the disk of a directory.
pub(super) fn room(directory: &Path, keep_free: u64) -> Found {
    match rustix::fs::statvfs(directory) {
        Err(error) => Found::warn(
            format!("{} cannot be looked at from here ({error})", directory.display()),
            "nothing to mend where the agent runs in a container, or the engine elsewhere",
        ),
        Ok(told) => {
            let free = told.f_bavail.saturating_mul(told.f_frsize);
            let seen = format!("{} MB free at {}", free / 1_000_000, directory.display());
            if free > keep_free {
                Found::ok(seen)
            } else {
                let kept = keep_free / 1_000_000;
                Found::fail(seen, format!("make room: a pull must leave {kept} MB (pull.keep_free)"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_numbers() {
        for (api, good) in [("1.41", true), ("1.9", false), ("1.40", false), ("2.0", true), ("", false), ("x.y", false)]
        {
            assert_eq!(matches!(version("seen", api), Found::Ok { .. }), good, "{api:?}");
        }
    }

    #[test]
    fn room_is_measured() {
        let here = std::env::temp_dir();
        assert!(matches!(room(&here, 0), Found::Ok { .. }));
        assert!(matches!(room(&here, u64::MAX), Found::Fail { .. }));
        assert!(matches!(room(Path::new("/nowhere"), 0), Found::Warn { .. }));
    }
}
