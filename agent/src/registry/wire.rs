//! HTTP to registries, with what must hold for every call: TLS unless the registry is on the device itself, no endless
//! waiting, no endless answers, redirects that never lead out of TLS, and no login that follows one to another origin.

use std::error::Error;
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Method, Response, StatusCode, Url};
use tokio::time::timeout;

use crate::fault::{Fault, Reason};

/// The specification's limit of a manifest: 4 MiB. Configs and tokens are far smaller.
pub(super) const BODY_MAX_BYTES: u64 = 4 * 1024 * 1024;
/// Registries redirect a blob once, to where it is stored.
const MOST_REDIRECTS: usize = 5;
/// Longest text of a registry that is told on.
const TOLD_CHARACTERS: usize = 60;

/// How long a registry may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    pub connect: Duration,
    /// For the whole of a small answer: a token, a manifest, a config.
    pub answer: Duration,
    /// Between two pieces of a download, and for it to begin.
    pub silence: Duration,
    /// For every [`Patience::SLOWEST_BYTES`] of a download, time that the bandwidth limit costs aside.
    pub slowest: Duration,
    /// Before a download that broke off without having got further is tried again; doubled each time.
    pub pause: Duration,
}

impl Patience {
    /// What must come in each `slowest`: less is no slow network but a registry that holds us.
    pub const SLOWEST_BYTES: u64 = 4 * 1024;
}

impl Default for Patience {
    /// Of a device on a poor mobile network.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            answer: Duration::from_secs(30),
            silence: Duration::from_secs(30),
            slowest: Duration::from_mins(1),
            pause: Duration::from_secs(1),
        }
    }
}

/// Where a redirect may lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Redirects {
    /// To the same origin: for what is believed, and for what a login is shown to.
    Stay,
    /// Anywhere, without the login: for what is checked against its digest.
    Leave,
}

#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) authorization: Option<HeaderValue>,
    pub(super) body: Option<String>,
    pub(super) redirects: Redirects,
}

impl Ask {
    /// A `GET` of this, by anybody.
    pub(super) fn get(url: Url, redirects: Redirects) -> Self {
        Self { method: Method::GET, url, headers: HeaderMap::new(), authorization: None, body: None, redirects }
    }
}

/// The clients. The one with TLS is made at its first use, since it reads the system's certificates.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) patience: Patience,
    plain: Client,
    tls: OnceLock<Client>,
}

impl Wire {
    pub(super) fn new(patience: Patience) -> Result<Self, Fault> {
        // What is on the device itself is behind no proxy, and needs no certificates.
        let plain = build(&patience, Client::builder().no_proxy().tls_certs_only([]))?;
        Ok(Self { patience, plain, tls: OnceLock::new() })
    }

    /// Sends it and follows redirects; the answer's body is the caller's to bound.
    pub(super) async fn send(&self, mut ask: Ask) -> Result<Response, Fault> {
        let host = host(&ask.url);
        for _ in 0..=MOST_REDIRECTS {
            let mut request = self.client(&ask.url)?.request(ask.method.clone(), ask.url.clone());
            request = request.headers(ask.headers.clone());
            if let Some(authorization) = &ask.authorization {
                request = request.header(AUTHORIZATION, authorization.clone());
            }
            if let Some(body) = &ask.body {
                request = request.body(body.clone());
            }
            let response = match timeout(self.patience.silence, request.send()).await {
                Ok(sent) => sent.map_err(|error| broken(&host, error))?,
                Err(_) => return Err(unavailable(&host, "does not answer")),
            };
            let Some(to) = redirect(&response)? else { return Ok(response) };
            if to.scheme() != "https" && (to.scheme() != "http" || ask.url.scheme() == "https") {
                return Err(unavailable(&host, "redirects to an address without TLS"));
            }
            if to.origin() != ask.url.origin() {
                if ask.redirects == Redirects::Stay {
                    return Err(unavailable(&host, "redirects to another host where it should answer itself"));
                }
                ask.authorization = None;
            }
            ask.url = to;
        }
        Err(unavailable(&host, "redirects without end"))
    }

    /// Sends it and reads the whole of a small answer; a status that is no success is left to the caller.
    pub(super) async fn small(&self, ask: Ask) -> Result<(Response, Vec<u8>), Fault> {
        let host = host(&ask.url);
        let whole = async {
            let mut response = self.send(ask).await?;
            let mut body = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(|error| broken(&host, error))? {
                if body.len() as u64 + chunk.len() as u64 > BODY_MAX_BYTES {
                    return Err(unavailable(&host, "answers with more than the 4 MiB that a manifest may have"));
                }
                body.extend_from_slice(&chunk);
            }
            Ok((response, body))
        };
        match timeout(self.patience.answer, whole).await {
            Ok(answer) => answer,
            Err(_) => {
                let seconds = self.patience.answer.as_secs_f32();
                Err(unavailable(&host, &format!("does not come to an end of its answer in {seconds} s")))
            }
        }
    }

    fn client(&self, url: &Url) -> Result<&Client, Fault> {
        if url.scheme() == "http" {
            return Ok(&self.plain);
        }
        if let Some(client) = self.tls.get() {
            return Ok(client);
        }
        let client = build(&self.patience, Client::builder().https_only(true))?;
        Ok(self.tls.get_or_init(|| client))
    }
}

fn build(patience: &Patience, builder: ClientBuilder) -> Result<Client, Fault> {
    // Another part of this process may have chosen it already, which is as good.
    rustls::crypto::ring::default_provider().install_default().ok();
    let client = builder
        .connect_timeout(patience.connect)
        .redirect(Policy::none())
        .user_agent(concat!("tidegate-agent/", env!("CARGO_PKG_VERSION")))
        .build();
    client.map_err(|error| {
        let why = format!("no TLS to registries: {} (is the package ca-certificates installed?)", words(&error));
        Fault::new(Reason::Configuration, why)
    })
}

/// Where a redirect leads; nothing for an answer that is none.
fn redirect(response: &Response) -> Result<Option<Url>, Fault> {
    let location = match response.status() {
        StatusCode::MOVED_PERMANENTLY
        | StatusCode::FOUND
        | StatusCode::SEE_OTHER
        | StatusCode::TEMPORARY_REDIRECT
        | StatusCode::PERMANENT_REDIRECT => response.headers().get(LOCATION),
        _ => None,
    };
    let Some(location) = location else { return Ok(None) };
    let to = location.to_str().ok().and_then(|to| response.url().join(to).ok());
    to.map(Some).ok_or_else(|| unavailable(&host(response.url()), "redirects to no valid address"))
}

/// The fault that a status is; `what` names what was asked for.
pub(super) fn refused(response: &Response, what: &str) -> Fault {
    let host = host(response.url());
    let status = response.status();
    match status {
        StatusCode::NOT_FOUND => Fault::new(Reason::ImageNotFound, format!("{host} has no {what}")),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            let why = format!("{host} refuses our access to {what} ({status}), or has no such image");
            Fault::new(Reason::RegistryDenied, why)
        }
        _ => {
            let later = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(told);
            let later = later.map(|later| match later.parse::<u64>() {
                Ok(seconds) => format!("; try again in {seconds} s"),
                Err(_) => format!("; try again after {later}"),
            });
            unavailable(&host, &format!("answers with {status}{}", later.unwrap_or_default()))
        }
    }
}

/// A registry that does not do what it should, but may later.
pub(super) fn unavailable(host: &str, does: &str) -> Fault {
    Fault::new(Reason::RegistryUnavailable, format!("{host} {does}"))
}

/// A connection that came to nothing. The address is left out: those of blob stores hold signatures.
pub(super) fn broken(host: &str, error: reqwest::Error) -> Fault {
    unavailable(host, &format!("cannot be reached, or broke off: {}", words(&error.without_url())))
}

/// An error with what it comes from.
fn words(error: &(dyn Error + 'static)) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        words = format!("{words}: {error}");
        source = error.source();
    }
    words
}

/// A registry's own text, as far as it is told on.
pub(super) fn told(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(TOLD_CHARACTERS).collect()
}

pub(super) fn host(url: &Url) -> String {
    let name = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| name.to_owned(), |port| format!("{name}:{port}"))
}

/// A header that is not printed.
pub(super) fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}
