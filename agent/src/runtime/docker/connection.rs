//! The connection to the engine's API: made when it is first needed, made anew when the engine went away.

use std::future::Future;
use std::time::Duration;

use bollard::errors::Error;
use bollard::{API_DEFAULT_VERSION, Docker};
use tokio::sync::Mutex;

use super::faults::Refusal;

/// Longest time for a call that does no work of unknown length. A busy SD card makes an engine slow, not hung.
pub(super) const CALL: Duration = Duration::from_mins(2);

/// Longest wait for the engine to say who it is.
const GREETING: Duration = Duration::from_secs(10);

/// The engine's address, and the connection where there is one.
#[derive(Debug)]
pub(super) struct Connection {
    address: String,
    docker: Mutex<Option<Docker>>,
}

impl Connection {
    pub(super) fn new(address: &str) -> Self {
        Self { address: address.to_owned(), docker: Mutex::new(None) }
    }

    /// The client, speaking the newest version of the API that both sides know.
    pub(super) async fn docker(&self) -> Result<Docker, Refusal> {
        let mut known = self.docker.lock().await;
        if let Some(docker) = &*known {
            return Ok(docker.clone());
        }
        let doing = "connecting";
        let docker = self.client().map_err(|error| Refusal::new(doing, &error))?;
        let docker = match tokio::time::timeout(GREETING, docker.negotiate_version()).await {
            Ok(Ok(docker)) => docker,
            Ok(Err(error)) => return Err(Refusal::new(&format!("{doing} to {}", self.address), &error)),
            Err(_) => return Err(Refusal::unavailable(doing, &format!("no answer at {}", self.address))),
        };
        *known = Some(docker.clone());
        Ok(docker)
    }

    fn client(&self) -> Result<Docker, Error> {
        let seconds = CALL.as_secs();
        if self.address.starts_with("tcp://") || self.address.starts_with("http://") {
            return Docker::connect_with_http(&self.address, seconds, API_DEFAULT_VERSION);
        }
        Docker::connect_with_unix(&self.address, seconds, API_DEFAULT_VERSION)
    }

    /// Waits for an answer of the engine, but not for ever.
    pub(super) async fn ask<T>(
        &self,
        doing: &str,
        limit: Duration,
        answer: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Refusal> {
        let refusal = match tokio::time::timeout(limit, answer).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => Refusal::new(doing, &error),
            Err(_) => Refusal::unavailable(doing, &format!("no answer within {} s", limit.as_secs())),
        };
        if refusal.fault.reason == crate::fault::Reason::EngineUnavailable {
            // Another version may answer next time.
            *self.docker.lock().await = None;
        }
        Err(refusal)
    }
}
