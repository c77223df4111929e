//! Registries over HTTP, by the OCI distribution specification
//! (<https://github.com/opencontainers/distribution-spec/blob/main/spec.md>).
//!
//! Its own hundred lines and not a client library: one `GET` of one manifest is all that is asked of a registry, and
//! it must have a deadline for the whole call, a limit of the body, and no redirect that leaves the host. `oci-client`
//! has none of the three (its client sets timeouts per read only), asks `/v2/` before every token, and brings a
//! second set of date, pattern and hash libraries into every function.

mod manifest;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, Response, StatusCode, Url};
use tidegate_domain::image::{ImageRef, Repository};
use tidegate_domain::registry::{ACCEPTED, BadRealm, Challenge, DIGEST_HEADER, Mismatch, api_host, issued_token};
use tidegate_engine::ports::{Registry, ResolveError, Resolved};

use crate::registry_credentials::{Access, RegistryCredentials, sensitive};
use crate::secrets::Secrets;
use crate::{clock, tls};

/// The whole of one HTTP call.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// The specification's limit of a manifest: 4 MB. Tokens are far smaller.
const BODY_MAX_BYTES: usize = 4 * 1024 * 1024;

/// Asks the registries that access is configured for, and no others.
#[derive(Debug, Clone)]
pub struct HttpRegistry {
    client: OnceLock<Client>,
    credentials: Credentials,
}

/// Where access comes from.
#[derive(Debug, Clone)]
enum Credentials {
    Given(RegistryCredentials),
    Kept(Arc<Secrets>),
}

impl HttpRegistry {
    /// With the hosts that may be asked.
    pub fn new(credentials: RegistryCredentials) -> Self {
        Self { client: OnceLock::new(), credentials: Credentials::Given(credentials) }
    }

    /// With the hosts that the stack's secrets name when a registry is asked; without secrets, with none.
    pub fn of_secrets(secrets: Option<Arc<Secrets>>) -> Self {
        let credentials = secrets.map_or_else(|| Credentials::Given(RegistryCredentials::default()), Credentials::Kept);
        Self { client: OnceLock::new(), credentials }
    }

    async fn access(&self, host: &str) -> Result<Option<Access>, ResolveError> {
        match &self.credentials {
            Credentials::Given(credentials) => Ok(credentials.of(host).cloned()),
            Credentials::Kept(secrets) => {
                let values = secrets.current(clock::now()).await.map_err(unavailable)?;
                Ok(values.registries.of(host).cloned())
            }
        }
    }

    /// Made when it is first used: most invocations ask no registry.
    fn client(&self) -> Result<&Client, ResolveError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = Client::builder()
            .tls_backend_preconfigured(tls::config())
            .timeout(CALL_TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(Policy::custom(same_origin))
            .user_agent(concat!("tidegate/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(unavailable)?;
        Ok(self.client.get_or_init(|| client))
    }

    async fn manifest(&self, url: &str, path: &str, access: &Access) -> Result<Response, ResolveError> {
        let first = self.get_manifest(url, None).await?;
        if first.status() != StatusCode::UNAUTHORIZED {
            return Ok(first);
        }
        let challenge = challenge(first.headers()).ok_or_else(|| not_possible("it asks for no known credentials"))?;
        let authorization = match challenge {
            Challenge::Basic => access.basic().ok_or_else(|| not_possible("it wants a user name and a password"))?,
            Challenge::Bearer(bearer) => {
                let realm = bearer.realm(access.plain_http()).map_err(|error| not_possible(&error.to_string()))?;
                let url = Url::parse_with_params(realm, bearer.query(path))
                    .map_err(|_| not_possible(&BadRealm::Address.to_string()))?;
                let mut request = self.client()?.get(url);
                if let Some(basic) = access.basic() {
                    request = request.header(AUTHORIZATION, basic);
                }
                let response = request.send().await.map_err(unavailable)?;
                let body = body(checked(response)?).await?;
                issued_token(&body)
                    .and_then(|token| sensitive(&format!("Bearer {token}")))
                    .ok_or_else(|| not_possible("its token cannot be read"))?
            }
        };
        self.get_manifest(url, Some(authorization)).await
    }

    async fn get_manifest(&self, url: &str, authorization: Option<HeaderValue>) -> Result<Response, ResolveError> {
        let mut request = self.client()?.get(url).header(ACCEPT, ACCEPTED.join(", "));
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        request.send().await.map_err(unavailable)
    }
}

#[async_trait]
impl Registry for HttpRegistry {
    fn may_be_asked(&self, repository: &Repository) -> bool {
        let host = repository.registry();
        match &self.credentials {
            Credentials::Given(credentials) => credentials.of(host).is_some(),
            // Whoever may be asked is asked with what the secret then says.
            Credentials::Kept(secrets) => secrets.last().is_some_and(|values| values.registries.of(host).is_some()),
        }
    }

    async fn resolve(&self, image: &ImageRef) -> Result<Resolved, ResolveError> {
        let host = image.repository.registry();
        let Some(access) = self.access(host).await? else {
            return match &image.digest {
                Some(digest) => Ok(Resolved { digest: digest.clone(), platforms: [].into() }),
                None => Err(not_possible(&format!("no access to {host} is configured"))),
            };
        };
        let reference = match (&image.digest, &image.tag) {
            (Some(digest), _) => digest.as_str(),
            (None, Some(tag)) => tag.as_str(),
            (None, None) => return Err(not_possible("the reference has neither tag nor digest")),
        };
        let scheme = if access.plain_http() { "http" } else { "https" };
        let address = api_host(host);
        let path = image.repository.path();
        let url = format!("{scheme}://{address}/v2/{path}/manifests/{reference}");
        let response = checked(self.manifest(&url, path, &access).await?)?;
        let headers = response.headers().clone();
        let body = body(response).await?;
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let resolved = manifest::read(text(CONTENT_TYPE.as_str()), text(DIGEST_HEADER), &body)?;
        match &image.digest {
            Some(digest) if *digest != resolved.digest => Err(unavailable(Mismatch)),
            Some(_) | None => Ok(resolved),
        }
    }
}

/// Credentials stay with the host they are for: a redirect is followed only on the same origin.
fn same_origin(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let stays = attempt.previous().last().is_some_and(|from| from.origin() == attempt.url().origin());
    if stays && attempt.previous().len() <= 3 { attempt.follow() } else { attempt.stop() }
}

fn challenge(headers: &HeaderMap) -> Option<Challenge> {
    headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok()).find_map(Challenge::parse)
}

/// A status that is no success, as the port has it.
fn checked(response: Response) -> Result<Response, ResolveError> {
    let status = response.status();
    match status {
        status if status.is_success() => Ok(response),
        StatusCode::NOT_FOUND => Err(ResolveError::NotFound),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(not_possible("it refuses our access")),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => Err(unavailable(Status(status))),
        status if status.is_server_error() => Err(unavailable(Status(status))),
        status => Err(not_possible(&format!("it answers with {status}"))),
    }
}

async fn body(mut response: Response) -> Result<Vec<u8>, ResolveError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unavailable)? {
        if body.len() + chunk.len() > BODY_MAX_BYTES {
            return Err(not_possible("its answer is larger than 4 MB"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

#[derive(Debug, thiserror::Error)]
#[error("the registry answers with {0}")]
struct Status(StatusCode);

fn not_possible(reason: &str) -> ResolveError {
    ResolveError::NotPossible(reason.to_owned())
}

fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> ResolveError {
    ResolveError::Unavailable(Box::new(error))
}
