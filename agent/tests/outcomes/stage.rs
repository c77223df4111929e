//! What all devices share: the engine, the registries, and a folder.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::Docker;
use tidegate_rig::{Login, Registry, Rig, Settings, Tools};

/// The engine and the registries.
pub(super) struct Stage {
    pub(super) docker: Docker,
    pub(super) http: reqwest::Client,
    /// A registry that wants a login, which no device has.
    pub(super) closed: Registry,
    pub(super) rig: Rig,
    // After what works in it.
    pub(super) folder: Folder,
}

/// A folder of this test's own, gone with it.
pub(super) struct Folder(pub(super) PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // The agents' logs help where something went wrong.
        if std::thread::panicking() {
            eprintln!("kept: {}", self.0.display());
        } else if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("{} was not cleared away: {error}", self.0.display());
        }
    }
}

impl Stage {
    /// `None`, said aloud, where no engine can be had.
    pub(super) async fn set() -> Option<Self> {
        let tools = Tools::of_tests(env!("CARGO_TARGET_TMPDIR")).await?;
        // Of the HTTP client that the agent and the rig share; another test may have done so.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("outcomes-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        let folder = Folder(path);
        let rig = Rig::with(tools, &folder.0, Settings::default(), |line| eprintln!("{line}")).await;
        let rig = rig.unwrap_or_else(|error| panic!("the rig does not come up: {error}"));
        let settings = Settings { login: Some(Login::TESTER), ..Settings::default() };
        let closed = Registry::start(&rig.tools, &folder.0.join("closed"), settings).await.expect("a second registry");
        let docker = rig.engine.client().await.expect("a client");
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build().expect("a client");
        Some(Self { docker, http, closed, rig, folder })
    }
}

/// So many pairs of free ports, each this one and the next: below those that the system gives to anybody.
pub(super) fn pairs_of_ports(count: usize) -> Vec<u16> {
    let first = 16_000 + u16::try_from(std::process::id() % 8_000).expect("a small number") * 2;
    let free =
        |port: &u16| [*port, port + 1].iter().all(|&port| std::net::TcpListener::bind(("0.0.0.0", port)).is_ok());
    let ports: Vec<u16> = (first..32_700).chain(2_000..first).step_by(2).filter(free).take(count).collect();
    assert_eq!(ports.len(), count, "there are no free ports");
    ports
}
