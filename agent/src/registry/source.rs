//! One repository of a registry, with the access that it asks for.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, RANGE, WWW_AUTHENTICATE};
use reqwest::{Method, Response, StatusCode, Url};
use tidegate_domain::image::{Digest, Repository};
use tidegate_domain::registry::{ACCEPTED, BadRealm, Bearer, Challenge, api_host, issued_token};

use super::credentials::{Credential, Credentials};
use super::wire::{Ask, Redirects, Wire, host, refused, sensitive, told, unavailable};
use crate::fault::{Fault, Reason};

/// How this program names itself to issuers of tokens.
const CLIENT_ID: &str = "tidegate-agent";

/// A repository, and what was last shown to be let in.
#[derive(Debug)]
pub(super) struct Source {
    wire: Arc<Wire>,
    credentials: Arc<Credentials>,
    repository: Repository,
    base: Url,
    authorization: Mutex<Option<HeaderValue>>,
}

impl Source {
    pub(super) fn new(wire: Arc<Wire>, credentials: Arc<Credentials>, repository: Repository) -> Result<Self, Fault> {
        let registry = repository.registry();
        let scheme = if is_on_this_device(registry) { "http" } else { "https" };
        let base = format!("{scheme}://{}/v2/{}/", api_host(registry), repository.path());
        let base = Url::parse(&base)
            .map_err(|error| Fault::new(Reason::Configuration, format!("{registry} is no address: {error}")))?;
        Ok(Self { wire, credentials, repository, base, authorization: Mutex::new(None) })
    }

    pub(super) fn repository(&self) -> &Repository {
        &self.repository
    }

    pub(super) fn wire(&self) -> &Wire {
        &self.wire
    }

    /// A manifest or an index, by tag or digest: its media type, its digest as the registry names it, its bytes.
    pub(super) async fn manifest(&self, reference: &str) -> Result<(HeaderMap, Vec<u8>), Fault> {
        let mut ask = self.ask("manifests", reference, Redirects::Stay)?;
        ask.headers.insert(ACCEPT, header(&ACCEPTED.join(", "))?);
        self.whole(ask, &format!("image {}:{}", self.repository.path(), told(reference))).await
    }

    /// A blob that is small: a config.
    pub(super) async fn small_blob(&self, digest: &Digest) -> Result<Vec<u8>, Fault> {
        let ask = self.ask("blobs", digest.as_str(), Redirects::Leave)?;
        Ok(self.whole(ask, &format!("config {digest} in {}", self.repository.path())).await?.1)
    }

    /// A blob's bytes from here on, as they come. The registry may begin at the start nevertheless.
    pub(super) async fn blob(&self, digest: &Digest, from: u64) -> Result<Response, Fault> {
        let mut ask = self.ask("blobs", digest.as_str(), Redirects::Leave)?;
        if from > 0 {
            ask.headers.insert(RANGE, header(&format!("bytes={from}-"))?);
        }
        let response = self.wire.send(self.shown(ask.clone())).await?;
        let response = match self.wanted(&response)? {
            Some(challenge) => {
                self.authorize(challenge).await?;
                self.wire.send(self.shown(ask)).await?
            }
            None => response,
        };
        match response.status() {
            status if status.is_success() => Ok(response),
            StatusCode::RANGE_NOT_SATISFIABLE if from > 0 => Ok(response),
            _ => Err(refused(&response, &format!("layer {digest} in {}", self.repository.path()))),
        }
    }

    async fn whole(&self, ask: Ask, what: &str) -> Result<(HeaderMap, Vec<u8>), Fault> {
        let (mut response, mut body) = self.wire.small(self.shown(ask.clone())).await?;
        if let Some(challenge) = self.wanted(&response)? {
            self.authorize(challenge).await?;
            (response, body) = self.wire.small(self.shown(ask)).await?;
        }
        if !response.status().is_success() {
            return Err(refused(&response, what));
        }
        Ok((response.headers().clone(), body))
    }

    fn ask(&self, kind: &str, reference: &str, redirects: Redirects) -> Result<Ask, Fault> {
        let url = self.base.join(&format!("{kind}/{reference}"));
        let url = url.map_err(|error| Fault::new(Reason::Configuration, format!("{reference}: {error}")))?;
        Ok(Ask::get(url, redirects))
    }

    /// The request with what let us in before.
    fn shown(&self, mut ask: Ask) -> Ask {
        ask.authorization.clone_from(&self.authorization.lock().unwrap_or_else(PoisonError::into_inner));
        ask
    }

    /// What the registry itself asks for before it lets us in; where a redirect led, nobody gets a login.
    fn wanted(&self, response: &Response) -> Result<Option<Challenge>, Fault> {
        if response.status() != StatusCode::UNAUTHORIZED || response.url().origin() != self.base.origin() {
            return Ok(None);
        }
        let headers = response.headers().get_all(WWW_AUTHENTICATE);
        let challenge = headers.iter().filter_map(|value| value.to_str().ok()).find_map(Challenge::parse);
        challenge.map(Some).ok_or_else(|| self.denied("asks for access of an unknown kind"))
    }

    async fn authorize(&self, challenge: Challenge) -> Result<(), Fault> {
        let login = self.credentials.for_registry(self.repository.registry())?;
        let authorization = match challenge {
            Challenge::Basic => login.as_ref().and_then(basic).ok_or_else(|| {
                self.denied(&format!("wants a user name and a password; {} has none for it", self.credentials.place()))
            })?,
            Challenge::Bearer(bearer) => self.token(&bearer, login.as_ref()).await?,
        };
        *self.authorization.lock().unwrap_or_else(PoisonError::into_inner) = Some(authorization);
        Ok(())
    }

    async fn token(&self, bearer: &Bearer, login: Option<&Credential>) -> Result<HeaderValue, Fault> {
        let realm = bearer.realm(self.base.scheme() == "http").map_err(|error| self.denied(&error.to_string()))?;
        let query = bearer.query(self.repository.path());
        let parsed = Url::parse(realm).map_err(|_| self.denied(&BadRealm::Address.to_string()))?;
        let mut ask = Ask::get(parsed, Redirects::Stay);
        match login.and_then(|login| login.identity_token.as_ref()) {
            // As <https://distribution.github.io/distribution/spec/auth/oauth/> has it.
            Some(identity_token) => {
                let mut form = ask.url.clone();
                form.set_query(None);
                form.query_pairs_mut()
                    .extend_pairs([("grant_type", "refresh_token"), ("client_id", CLIENT_ID)])
                    .extend_pairs(query)
                    .append_pair("refresh_token", identity_token);
                ask.method = Method::POST;
                ask.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
                ask.body = form.query().map(ToOwned::to_owned);
            }
            None => {
                ask.url.query_pairs_mut().extend_pairs(query);
                ask.authorization = login.and_then(basic);
            }
        }
        let (response, body) = self.wire.small(ask).await?;
        if !response.status().is_success() {
            return Err(refused(&response, &format!("token for {}", self.repository)));
        }
        let token = issued_token(&body).and_then(|token| sensitive(&format!("Bearer {token}")));
        token.ok_or_else(|| unavailable(&host(response.url()), "issues no token that can be read"))
    }

    fn denied(&self, why: &str) -> Fault {
        Fault::new(Reason::RegistryDenied, format!("{} {why}", self.repository.registry()))
    }
}

fn basic(login: &Credential) -> Option<HeaderValue> {
    if login.username.is_empty() {
        return None;
    }
    sensitive(&format!("Basic {}", STANDARD.encode(format!("{}:{}", login.username, login.password))))
}

fn header(text: &str) -> Result<HeaderValue, Fault> {
    HeaderValue::from_str(text).map_err(|error| Fault::new(Reason::Configuration, error.to_string()))
}

/// Whether a registry is on this device, where it needs no TLS: by Docker's own rule.
fn is_on_this_device(registry: &str) -> bool {
    let name = match registry.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => registry,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_on_the_device_needs_no_tls() {
        for (registry, expected) in [
            ("localhost", true),
            ("localhost:5000", true),
            ("127.0.0.1:5000", true),
            ("127.1.2.3", true),
            ("[::1]:5000", true),
            ("docker.io", false),
            ("localhost.evil.example:5000", false),
            ("128.0.0.1:5000", false),
            ("192.168.1.4:5000", false),
            ("127.0.0.1.nip.example", false),
        ] {
            assert_eq!(is_on_this_device(registry), expected, "{registry}");
        }
    }
}
