//! How a device becomes known to its server.
//!
//! The uuid is kept before the server is asked. So a device that lost the answer (a cut, a timeout) asks again as the
//! same one; what the server says to that depends on whether an operator allows it, and is told in words.

mod again;
mod platform;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::config::Config;
use crate::server::http::{Call, CallError, Client};
use crate::server::identity::{Identity, IdentityError, IdentityFile};
use crate::server::secret::Secret;

pub use again::Reenrolling;
pub use platform::{machine_name, platform};

const PATH: &str = "/api/v1/devices";

/// What a device tells about itself beside its configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// The image of each service, by its name.
    pub services: BTreeMap<String, String>,
    /// Such as `linux/arm64/v8`.
    pub platform: Option<String>,
    /// The machine's name, for a device that is given none.
    pub machine: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// It may work later; the server may say when.
    #[error("{why}")]
    Later { after: Option<Duration>, why: String },
    /// The server knows this uuid, and nothing proves that this is the same device.
    #[error(
        "the server knows the device {0} already, but this device has no token that the server takes (an answer may \
         have been lost, or the disk was set up anew); an operator must allow it: \
         POST /api/v1/devices/{0}/allow-reenrolment, within 24 hours before the next try"
    )]
    AlreadyEnrolled(Uuid),
    #[error("the server refuses to enrol this device: {0}")]
    Refused(String),
    /// There is no fleet to enrol into.
    #[error("expected fleet_id in the configuration: it is needed to enrol")]
    NoFleet,
    #[error(
        "expected a provisioning key to enrol with: provisioning_key_file in the configuration, or the systemd \
         credential provisioning-key"
    )]
    NoKey,
    #[error("{}: {why}", path.display())]
    Key { path: PathBuf, why: String },
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

#[derive(Serialize)]
struct Body<'a> {
    uuid: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    current_token: Option<&'a Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    fleet_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    timezone: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<&'a str>,
    tags: &'a BTreeMap<String, String>,
    services: BTreeMap<&'a str, Service<'a>>,
}

#[derive(Serialize)]
struct Service<'a> {
    image: &'a str,
}

#[derive(Deserialize)]
struct Credential {
    uuid: Uuid,
    token: Secret,
}

/// The provisioning key, from where the configuration says.
pub fn provisioning_key(config: &Config) -> Result<Secret, EnrolError> {
    let path = config.provisioning_key_file.as_ref().ok_or(EnrolError::NoKey)?;
    let wrong = |why: String| EnrolError::Key { path: path.clone(), why };
    let key = std::fs::read_to_string(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    let key = Secret::new(&key);
    if key.is_usable() { Ok(key) } else { Err(wrong("expected a provisioning key, on one line".to_owned())) }
}

/// Enrols this device, or enrols it again: one that has a token shows it and gets another.
pub async fn enrol(
    client: &Client,
    config: &Config,
    file: &IdentityFile,
    key: &Secret,
    facts: &Facts,
) -> Result<Identity, EnrolError> {
    let fleet_id = config.device.fleet_id.as_deref().ok_or(EnrolError::NoFleet)?;
    let identity = match file.load_for(&config.url)? {
        Some(identity) => identity,
        None => {
            let identity = Identity::unknown(Uuid::new_v4(), &config.url);
            file.save(&identity)?;
            identity
        }
    };
    let body = Body {
        uuid: identity.uuid,
        current_token: identity.token.as_ref(),
        name: config.device.name.as_deref().or(facts.machine.as_deref()),
        fleet_id,
        timezone: config.device.timezone.as_deref(),
        platform: facts.platform.as_deref(),
        tags: &config.device.tags,
        services: facts.services.iter().map(|(name, image)| (name.as_str(), Service { image })).collect(),
    };
    let address = format!("{}{PATH}", config.url);
    let answer = client.call(Call::new(Method::POST, &address).token(key).json(&body)).await;
    let credential: Credential =
        answer.and_then(|answer| answer.read()).map_err(|error| refusal(&error, identity.uuid))?;
    if credential.uuid != identity.uuid || !credential.token.is_usable() {
        return Err(EnrolError::Refused("its answer is for another device".to_owned()));
    }
    let known = Identity { token: Some(credential.token), ..identity };
    file.save(&known)?;
    Ok(known)
}

/// Takes an identity that was made elsewhere. One that is there is kept, unless it is the same device's.
pub fn adopt(file: &IdentityFile, url: &str, uuid: Uuid, token: Secret) -> Result<Identity, EnrolError> {
    if !matches!(uuid.get_version_num(), 4 | 7) {
        return Err(EnrolError::Refused(format!("expected a uuid of version 4 or 7, got {uuid}")));
    }
    if !token.is_usable() {
        return Err(EnrolError::Refused("expected a device token, on one line".to_owned()));
    }
    if let Some(there) = file.load()?.filter(|there| there.uuid != uuid) {
        return Err(EnrolError::Refused(format!(
            "{} is the identity of the device {}; move it away first",
            file.path().display(),
            there.uuid
        )));
    }
    let identity = Identity { uuid, token: Some(token), url: url.to_owned() };
    file.save(&identity)?;
    Ok(identity)
}

fn refusal(error: &CallError, uuid: Uuid) -> EnrolError {
    match error {
        CallError::Status { status: StatusCode::CONFLICT, kind, .. } if kind == "already_enrolled" => {
            EnrolError::AlreadyEnrolled(uuid)
        }
        CallError::Status { status, .. } if is_final(*status) => EnrolError::Refused(error.to_string()),
        CallError::Status { wait, .. } => EnrolError::Later { after: *wait, why: error.to_string() },
        CallError::Unreachable(_) | CallError::TooLarge | CallError::Unreadable(..) => {
            EnrolError::Later { after: None, why: error.to_string() }
        }
    }
}

/// Whether asking the same again is of no use.
fn is_final(status: StatusCode) -> bool {
    status.is_client_error()
        && !matches!(
            status,
            StatusCode::NOT_FOUND | StatusCode::REQUEST_TIMEOUT | StatusCode::CONFLICT | StatusCode::TOO_MANY_REQUESTS
        )
}
