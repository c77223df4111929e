//! What the engine says goes wrong, as the stable words of reports.
//!
//! Docker and Podman give a status and a sentence; the sentences below are theirs (moby's `daemon`, `distribution`,
//! `libnetwork` and `pkg/archive`, containerd's `remotes/docker`, runc, Podman's `libpod` and containers/image).

use bollard::errors::Error;

use crate::fault::{Fault, Reason};

/// What was asked of the engine came to nothing.
#[derive(Debug)]
pub(super) struct Refusal {
    /// The status of its answer, where it answered.
    pub(super) status: Option<u16>,
    pub(super) fault: Fault,
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        refusal.fault
    }
}

impl Refusal {
    /// Reads an error; `doing` is what was asked.
    pub(super) fn new(doing: &str, error: &Error) -> Self {
        match error {
            Error::DockerResponseServerError { status_code, message } => Self {
                status: Some(*status_code),
                fault: Fault::new(reason_of(message), format!("{doing}: {}", message.trim())),
            },
            Error::DockerStreamError { error } => {
                Self { status: None, fault: Fault::new(reason_of(error), format!("{doing}: {}", error.trim())) }
            }
            Error::RequestTimeoutError => Self::unavailable(doing, "no answer in time"),
            Error::SocketNotFoundError(path) => Self::unavailable(doing, &format!("there is no socket {path}")),
            Error::HyperLegacyError { .. } | Error::HyperResponseError { .. } | Error::IOError { .. } => {
                Self::unavailable(doing, &chain(error))
            }
            other => Self { status: None, fault: Fault::new(Reason::Refused, format!("{doing}: {other}")) },
        }
    }

    /// The engine did not answer.
    pub(super) fn unavailable(doing: &str, why: &str) -> Self {
        Self { status: None, fault: Fault::new(Reason::EngineUnavailable, format!("{doing}: the engine: {why}")) }
    }
}

/// Answers as options and idempotent calls have them.
pub(super) trait Answer<T>: Sized {
    /// The answer, or nothing where there is no such thing.
    fn found(self) -> Result<Option<T>, Fault>;
}

impl<T> Answer<T> for Result<T, Refusal> {
    fn found(self) -> Result<Option<T>, Fault> {
        match self {
            Ok(answer) => Ok(Some(answer)),
            Err(refusal) if refusal.status == Some(404) => Ok(None),
            Err(refusal) => Err(refusal.fault),
        }
    }
}

/// An error with its sources: hyper's own texts leave out what happened.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        source = inner.source();
    }
    text
}

/// Parts of messages, lower case, the more telling first.
const TELLING: &[(&str, Reason)] = &[
    ("no space left on device", Reason::DiskFull),
    ("disk quota exceeded", Reason::DiskFull),
    ("no matching manifest for", Reason::WrongPlatform),
    ("no image found in manifest list for", Reason::WrongPlatform),
    ("no image found in image index for", Reason::WrongPlatform),
    ("does not match the specified platform", Reason::WrongPlatform),
    ("exec format error", Reason::WrongPlatform),
    ("layer verification failed", Reason::CorruptImage),
    ("failed size validation", Reason::CorruptImage),
    ("failed commit on ref", Reason::CorruptImage),
    ("digest did not match", Reason::CorruptImage),
    ("does not match the specified digest", Reason::CorruptImage),
    ("manifest verification failed", Reason::CorruptImage),
    ("unexpected commit digest", Reason::CorruptImage),
    ("wrong diff id calculated", Reason::CorruptImage),
    ("error processing tar file", Reason::CorruptImage),
    ("don't match image configuration", Reason::CorruptImage),
    ("gzip: invalid", Reason::CorruptImage),
    ("port is already allocated", Reason::PortTaken),
    ("address already in use", Reason::PortTaken),
    ("ports are not available", Reason::PortTaken),
    ("all ports are allocated", Reason::PortTaken),
    ("is already in use by container", Reason::NameTaken),
    ("is already in use", Reason::NameTaken),
    ("executable file not found", Reason::ExitsAtOnce),
    ("no such file or directory: unknown", Reason::ExitsAtOnce),
    ("permission denied: unknown", Reason::ExitsAtOnce),
    ("oci runtime create failed", Reason::ExitsAtOnce),
    ("failed to create shim task", Reason::ExitsAtOnce),
    ("oci runtime error", Reason::ExitsAtOnce),
    ("toomanyrequests", Reason::RegistryUnavailable),
    ("too many requests", Reason::RegistryUnavailable),
    ("pull access denied", Reason::RegistryDenied),
    ("unauthorized", Reason::RegistryDenied),
    ("authentication required", Reason::RegistryDenied),
    ("no basic auth credentials", Reason::RegistryDenied),
    ("access to the resource is denied", Reason::RegistryDenied),
    ("403 forbidden", Reason::RegistryDenied),
    ("denied:", Reason::RegistryDenied),
    ("manifest unknown", Reason::ImageNotFound),
    ("name unknown", Reason::ImageNotFound),
    ("repository name not known", Reason::ImageNotFound),
    ("no such image", Reason::ImageNotFound),
    ("image not known", Reason::ImageNotFound),
    ("connection refused", Reason::RegistryUnavailable),
    ("connection reset", Reason::RegistryUnavailable),
    ("connection timed out", Reason::RegistryUnavailable),
    ("server closed idle connection", Reason::RegistryUnavailable),
    ("no such host", Reason::RegistryUnavailable),
    ("network is unreachable", Reason::RegistryUnavailable),
    ("no route to host", Reason::RegistryUnavailable),
    ("i/o timeout", Reason::RegistryUnavailable),
    ("tls handshake timeout", Reason::RegistryUnavailable),
    ("deadline exceeded", Reason::RegistryUnavailable),
    ("request canceled", Reason::RegistryUnavailable),
    ("unexpected eof", Reason::RegistryUnavailable),
    ("received unexpected http status: 5", Reason::RegistryUnavailable),
    ("unexpected status code", Reason::RegistryUnavailable),
    (": eof", Reason::RegistryUnavailable),
    ("not found: manifest", Reason::ImageNotFound),
    (": not found", Reason::ImageNotFound),
    ("failed to resolve reference", Reason::RegistryUnavailable),
];

/// The reason that a message of the engine speaks of.
pub(super) fn reason_of(message: &str) -> Reason {
    let message = message.trim().to_lowercase();
    TELLING.iter().find(|(part, _)| message.contains(part)).map_or(Reason::Refused, |&(_, reason)| reason)
}

#[cfg(test)]
mod tests;
