//! An image of the small service, and how its containers behave.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use rand::RngCore as _;
use serde_json::{Value, json};
use tidegate_domain::image::Digest;

use crate::error::RigError;

/// The image's own health check: the service asks itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check {
    /// Between two tries.
    pub interval: Duration,
    /// Tries in a row that fail until it is unhealthy.
    pub retries: u32,
}

/// An image, before it is pushed. It serves `/health` and `/version` and ends at once when it is told to.
#[derive(Debug, Clone)]
pub struct Image {
    program: PathBuf,
    environment: BTreeMap<String, String>,
    labels: BTreeMap<String, String>,
    command: Vec<String>,
    check: Option<Check>,
    hangs: bool,
    extra: usize,
    mismatched: bool,
    platform: String,
}

impl Image {
    pub(crate) fn new(program: PathBuf, version: &str) -> Self {
        Self {
            program,
            environment: [("VERSION".to_owned(), version.to_owned())].into(),
            labels: BTreeMap::new(),
            command: vec!["/app".to_owned()],
            check: None,
            hangs: false,
            extra: 0,
            mismatched: false,
            platform: here(),
        }
    }

    /// With a variable of the environment. The service knows `PORT` (8080), `HEALTH` (`ok`, `bad`, `bad-after:N`,
    /// `ok-after:N`, `slow:N`; N seconds) and `EXIT` (ends at once with this code).
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// With a label.
    #[must_use]
    pub fn label(mut self, name: &str, value: &str) -> Self {
        self.labels.insert(name.to_owned(), value.to_owned());
        self
    }

    /// With another command.
    #[must_use]
    pub fn command(mut self, command: &[&str]) -> Self {
        self.command = command.iter().map(|part| (*part).to_owned()).collect();
        self
    }

    /// With a health check of its own.
    #[must_use]
    pub fn check(mut self, check: Check) -> Self {
        self.check = Some(check);
        self
    }

    /// It does not end when it is told to, and must be killed.
    #[must_use]
    pub fn hangs_on_stop(mut self) -> Self {
        self.hangs = true;
        self
    }

    /// With so many more random bytes, in a layer of their own: a longer pull.
    #[must_use]
    pub fn extra(mut self, bytes: usize) -> Self {
        self.extra = bytes;
        self
    }

    /// Its layers are not those that its configuration says.
    #[must_use]
    pub fn mismatched(mut self) -> Self {
        self.mismatched = true;
        self
    }

    /// For another platform than this machine's, by what it says of itself.
    #[must_use]
    pub fn on(mut self, platform: &str) -> Self {
        platform.clone_into(&mut self.platform);
        self
    }

    /// Its platform.
    pub fn platform(&self) -> &str {
        &self.platform
    }

    /// Its layers: tar archives.
    pub(crate) fn layers(&self) -> Result<Vec<Vec<u8>>, RigError> {
        let program = std::fs::read(&self.program);
        let program = program.map_err(RigError::machine(format!("reading {}", self.program.display())))?;
        let mut layers = vec![archive("app", 0o755, &program)?];
        if self.extra > 0 {
            let mut bytes = vec![0; self.extra];
            rand::rng().fill_bytes(&mut bytes);
            layers.push(archive("extra", 0o644, &bytes)?);
        }
        Ok(layers)
    }

    /// Its configuration, with these layers.
    pub(crate) fn config(&self, layers: &[Digest]) -> Value {
        let mut parts = self.platform.split('/');
        let (os, architecture) = (parts.next(), parts.next());
        let environment: Vec<String> = self.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut config = json!({
            "Cmd": self.command,
            "Env": environment,
            "Labels": self.labels,
            // The first process of a container hears no SIGTERM that it does not ask for, and this one asks for none.
            "StopSignal": if self.hangs { "SIGTERM" } else { "SIGKILL" },
        });
        if let Some(check) = self.check {
            let interval = check.interval.as_nanos() as u64;
            config["Healthcheck"] = json!({ "Test": ["CMD", "/app", "check"], "Interval": interval,
                "Timeout": 2_000_000_000_u64, "Retries": check.retries });
        }
        let wrong = format!("sha256:{}", "0".repeat(64));
        let diff_ids: Vec<&str> =
            layers.iter().map(|layer| if self.mismatched { &wrong } else { layer.as_str() }).collect();
        let mut image = json!({ "os": os, "architecture": architecture, "config": config,
            "rootfs": { "type": "layers", "diff_ids": diff_ids } });
        if let Some(variant) = parts.next() {
            image["variant"] = variant.into();
        }
        image
    }
}

fn here() -> String {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("linux/{architecture}")
}

fn archive(name: &str, mode: u32, bytes: &[u8]) -> Result<Vec<u8>, RigError> {
    let mut header = tar::Header::new_ustar();
    header.set_mode(mode);
    header.set_size(bytes.len() as u64);
    header.set_mtime(0);
    let mut archive = tar::Builder::new(Vec::new());
    let whole = archive.append_data(&mut header, name, bytes).and_then(|()| archive.into_inner());
    whole.map_err(RigError::machine(format!("archiving {name}")))
}
