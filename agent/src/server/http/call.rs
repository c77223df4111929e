//! One call to a server.

use std::sync::Once;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, IF_NONE_MATCH};
use reqwest::redirect::Policy;
use reqwest::{Method, StatusCode};

use super::answer::{Answer, root};
use crate::server::secret::Secret;

/// Time for the connection, TLS included.
const CONNECT: Duration = Duration::from_secs(20);
/// Time for all of a call. A slow mobile link takes its time for 256 KB of reports.
const TOTAL: Duration = Duration::from_mins(1);

/// Why a call came to nothing. Never says a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// No answer.
    #[error("the server cannot be reached: {0}")]
    Unreachable(String),
    /// An answer longer than any of Tidegate's.
    #[error("the server's answer is larger than 1 MiB; is the address Tidegate's?")]
    TooLarge,
    /// An answer that this program does not understand: line and column.
    #[error("the server's answer cannot be read (line {0}, column {1}); is the address Tidegate's?")]
    Unreadable(usize, usize),
    /// An answer that is no success.
    #[error("{text} ({})", status.as_u16())]
    Status {
        status: StatusCode,
        /// The problem's stable word, or nothing.
        kind: String,
        text: String,
        /// How long the server asks to wait.
        wait: Option<Duration>,
    },
}

impl CallError {
    /// The status, where there was an answer.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Status { status, .. } => Some(*status),
            Self::Unreachable(_) | Self::TooLarge | Self::Unreadable(..) => None,
        }
    }

    /// How long the server asks to wait.
    pub fn wait(&self) -> Option<Duration> {
        match self {
            Self::Status { wait, .. } => *wait,
            Self::Unreachable(_) | Self::TooLarge | Self::Unreadable(..) => None,
        }
    }
}

#[derive(Debug)]
pub struct Call<'a> {
    method: Method,
    address: &'a str,
    token: Option<&'a Secret>,
    known: Option<HeaderValue>,
    body: Option<Vec<u8>>,
}

impl<'a> Call<'a> {
    pub fn new(method: Method, address: &'a str) -> Self {
        Self { method, address, token: None, known: None, body: None }
    }

    #[must_use]
    pub fn token(mut self, token: &'a Secret) -> Self {
        self.token = Some(token);
        self
    }

    /// Only what is new. A value that cannot stand in a header is left out.
    #[must_use]
    pub fn if_none_match(mut self, known: &str) -> Self {
        self.known = known.parse().ok();
        self
    }

    #[must_use]
    pub fn json(mut self, body: &impl serde::Serialize) -> Self {
        self.body = serde_json::to_vec(body).ok();
        self
    }
}

/// Makes calls. Copies share their connections.
#[derive(Debug, Clone)]
pub struct Client(reqwest::Client);

impl Client {
    /// A client of this server, which trusts the device's certificates and obeys its proxy variables.
    pub fn new(url: &str) -> Result<Self, CallError> {
        // One connection serves a device; kept open past a poll's usual interval it saves handshakes.
        Self::keeping(1, url)
    }

    /// A client that keeps so many connections open, for as many devices in one process.
    pub fn keeping(connections: usize, url: &str) -> Result<Self, CallError> {
        static PROVIDER: Once = Once::new();
        // One that is installed already serves as well.
        PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("tidegate-agent/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .timeout(TOTAL)
            .pool_max_idle_per_host(connections)
            // A token follows no redirect.
            .redirect(Policy::none());
        if is_local(url) {
            // A proxy knows nothing of this machine's loopback address.
            builder = builder.no_proxy();
        }
        builder.build().map(Self).map_err(|error| CallError::Unreachable(root(&error)))
    }

    pub async fn call(&self, call: Call<'_>) -> Result<Answer, CallError> {
        let mut request = self.0.request(call.method, call.address);
        if let Some(token) = call.token {
            let header = HeaderValue::from_str(&format!("Bearer {}", token.reveal()));
            let mut header = header.map_err(|_| CallError::Unreachable("the token cannot stand in a header".into()))?;
            header.set_sensitive(true);
            request = request.header(AUTHORIZATION, header);
        }
        if let Some(known) = call.known {
            request = request.header(IF_NONE_MATCH, known);
        }
        if let Some(body) = call.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        let response = request.send().await.map_err(|error| CallError::Unreachable(root(&error)))?;
        Answer::of(response).await
    }
}

/// Whether the address is this machine's own.
pub fn is_local(url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url) else { return false };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
