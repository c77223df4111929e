//! What the agent says about itself to people on the device: `status.json` in the runtime directory.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Result;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::durable;
use crate::image::Image;

/// The agent, as it was when it wrote this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    pub version: String,
    pub device_uuid: Option<Uuid>,
    pub url: String,
    pub at: Timestamp,
    /// When the server last answered.
    pub last_contact: Option<Timestamp>,
    /// The last thing that went wrong with the server, and not since went well.
    pub last_error: Option<LastError>,
    /// What the server thinks of the device's token.
    pub token: TokenState,
    pub services: BTreeMap<String, ServiceStatus>,
    /// Why a service does not run what it should, by service.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failing: BTreeMap<String, Failing>,
    /// What is being done.
    pub work: Option<Work>,
    /// The lock that an update waits for.
    pub lock: Option<Waiting>,
    /// Reports that the server does not have yet.
    pub outbox: usize,
}

/// A service that could not be brought to what it should run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failing {
    /// Why the last try came to nothing.
    pub why: String,
    pub tries: u32,
    /// When the next one is due.
    pub again_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastError {
    pub at: Timestamp,
    pub why: String,
}

/// What the server thinks of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenState {
    /// It was not asked yet.
    #[default]
    Unknown,
    /// It takes it.
    Ok,
    /// It does not take it any more.
    Denied,
    /// It has deleted the device.
    Deleted,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceStatus {
    #[serde(flatten)]
    pub image: Image,
    /// Such as `running`.
    pub state: String,
    /// Whether its health check holds, where there is one.
    pub healthy: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// Of which service, or services that move together.
    pub service: String,
    /// What is done: `pulling` or `swapping`.
    pub what: String,
    pub since: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    pub service: String,
    pub reason: Option<String>,
    pub until: Option<Timestamp>,
}

pub fn file(runtime_dir: &Path) -> PathBuf {
    runtime_dir.join("status.json")
}

impl Status {
    /// Keeps it for whoever asks. Holds no secret, so everybody may read it.
    pub fn write(&self, runtime_dir: &Path) -> Result<()> {
        durable::replace(&file(runtime_dir), &serde_json::to_vec(self)?, 0o644)
    }

    pub fn read(runtime_dir: &Path) -> Result<Self> {
        Ok(serde_json::from_slice(&std::fs::read(file(runtime_dir))?)?)
    }

    /// For people, as seen at this time.
    pub fn shown(&self, now: Timestamp) -> Shown<'_> {
        Shown { status: self, now }
    }
}

/// A status as people read it.
#[derive(Debug)]
pub struct Shown<'a> {
    status: &'a Status,
    now: Timestamp,
}

impl Shown<'_> {
    fn ago(&self, then: Timestamp) -> String {
        let passed = SignedDuration::from_secs(self.now.duration_since(then).as_secs());
        // A clock that was set back since.
        if passed.is_negative() { format!("in {:#}", passed.abs()) } else { format!("{passed:#} ago") }
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Status {
            version,
            device_uuid,
            url,
            last_contact,
            last_error,
            token,
            services,
            failing,
            work,
            lock,
            outbox,
            ..
        } = self.status;
        let uuid = device_uuid.map_or_else(|| "not enrolled".to_owned(), |uuid| uuid.to_string());
        writeln!(f, "agent      {version}")?;
        writeln!(f, "device     {uuid}")?;
        writeln!(f, "server     {url}")?;
        writeln!(f, "contact    {}", last_contact.map_or_else(|| "none yet".to_owned(), |at| self.ago(at)))?;
        let token = match token {
            TokenState::Unknown => "not tried yet",
            TokenState::Ok => "ok",
            TokenState::Denied => "denied by the server",
            TokenState::Deleted => "the server has deleted this device",
        };
        writeln!(f, "token      {token}")?;
        if let Some(LastError { at, why }) = last_error {
            writeln!(f, "error      {why} ({})", self.ago(*at))?;
        }
        for (service, Failing { why, tries, again_at }) in failing {
            let wait = SignedDuration::from_secs(again_at.duration_since(self.now).as_secs()).max(SignedDuration::ZERO);
            writeln!(f, "failing    {service}: {why} (tries: {tries}, the next in {wait:#})")?;
        }
        if let Some(Work { service, what, since }) = work {
            writeln!(f, "at work    {service}: {what} (began {})", self.ago(*since))?;
        }
        if let Some(Waiting { service, reason, until }) = lock {
            let reason = reason.as_deref().unwrap_or("no reason given");
            let until = until.map_or_else(|| "its file goes".to_owned(), |until| until.to_string());
            writeln!(f, "locked     {service}: {reason} (until {until})")?;
        }
        writeln!(f, "to report  {outbox}")?;
        if services.is_empty() {
            return writeln!(f, "services   none");
        }
        let longest = services.keys().map(|name| name.chars().count()).max().unwrap_or(0).max("SERVICE".len());
        writeln!(f, "\n{:longest$}  {:10}  {:9}  IMAGE", "SERVICE", "STATE", "HEALTH")?;
        for (name, service) in services {
            let health = match service.healthy {
                Some(true) => "healthy",
                Some(false) => "unhealthy",
                None => "-",
            };
            write!(f, "{name:longest$}  {:10}  {health:9}  {}", service.state, service.image.image)?;
            // Enough of a digest to tell two apart.
            let digest = service.image.digest.as_ref().map(tidegate_domain::image::Digest::as_str);
            writeln!(f, "{}", digest.and_then(|it| it.get(..19)).map(|it| format!(" {it}…")).unwrap_or_default())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
