//! Fetching images.

use std::pin::pin;
use std::time::Duration;

use bollard::auth::DockerCredentials;
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures::StreamExt;
use tidegate_domain::image::{Digest, ImageRef};

use super::faults::{Refusal, reason_of};
use super::images::{parse, wrong_platform};
use super::pulling::Pulling;
use super::{DockerRuntime, images};
use crate::fault::{Fault, Reason};
use crate::image::{Image, Pulled};
use crate::registry::Credential;

/// Docker Hub, as references name it.
const DOCKER_HUB: &str = "docker.io";

/// Longest silence in a pull. Unpacking a large layer on a slow card is silent for minutes; ten say that it hangs.
const SILENCE: Duration = Duration::from_mins(10);

impl DockerRuntime {
    /// Fetches an image from another place than its name says, such as a relay on this device that limits the bytes a
    /// second, and names it as itself. `source` is `host/path@digest` or `host/path:tag`; `image` is what it is.
    pub async fn pull_from(
        &self,
        source: &str,
        image: &Image,
        progress: &(dyn Fn(Pulled) + Send + Sync),
    ) -> Result<Digest, Fault> {
        let (source, wanted) = (parse(source)?, pinned(image)?);
        let fetched = self.stream(&source, progress).await?;
        let reference = reference(&source);
        let found = self.inspect_image(&reference).await?.ok_or_else(|| {
            Fault::new(Reason::CorruptImage, format!("pulled {reference}, but the engine does not have it"))
        })?;
        if let Some((has, needs)) = wrong_platform(&found, &self.engine_version().await?) {
            return Err(Fault::new(Reason::WrongPlatform, format!("{wanted} is for {has}, this device is {needs}")));
        }
        self.tag(&reference, &wanted).await?;
        let digest = wanted.digest.or(source.digest.clone()).or(fetched).or_else(|| images::digest_of(&found, &source));
        digest.ok_or_else(|| Fault::new(Reason::Refused, format!("the engine does not tell the digest of {reference}")))
    }

    async fn stream(
        &self,
        source: &ImageRef,
        progress: &(dyn Fn(Pulled) + Send + Sync),
    ) -> Result<Option<Digest>, Fault> {
        let chosen = match (&source.digest, &source.tag) {
            (Some(digest), _) => digest.as_str(),
            (None, Some(tag)) => tag.as_str(),
            (None, None) => "latest",
        };
        let options = CreateImageOptionsBuilder::default().from_image(source.repository.as_str()).tag(chosen).build();
        let credentials =
            login(source.repository.registry(), self.credentials.for_registry(source.repository.registry())?);
        let docker = self.connection.docker().await?.with_timeout(SILENCE);
        let doing = format!("pulling {source}");
        let mut lines = pin!(docker.create_image(Some(options), None, credentials));
        let mut pulling = Pulling::default();
        loop {
            // Leaving the loop drops the request, with which the engine ends the pull.
            let line = match tokio::time::timeout(SILENCE, lines.next()).await {
                Ok(Some(Ok(line))) => line,
                Ok(Some(Err(error))) => return Err(of_registry(Refusal::new(&doing, &error))),
                Ok(None) => return Ok(pulling.digest),
                Err(_) => {
                    let why = format!("{doing}: nothing for {} minutes", SILENCE.as_secs() / 60);
                    return Err(Fault::new(Reason::RegistryUnavailable, why));
                }
            };
            if let Some(message) = line.error_detail.as_ref().and_then(|detail| detail.message.as_deref()) {
                return Err(Fault::new(reason_of(message), format!("{doing}: {message}")));
            }
            if let Some(pulled) = pulling.read(&line) {
                progress(pulled);
            }
        }
    }
}

/// A login, as the engine is given it along with a pull.
fn login(registry: &str, credential: Option<Credential>) -> Option<DockerCredentials> {
    let Credential { username, password, identity_token } = credential?;
    let server = if registry == DOCKER_HUB { "https://index.docker.io/v1/" } else { registry };
    let given = |text: String| (!text.is_empty()).then_some(text);
    Some(DockerCredentials {
        username: given(username),
        password: given(password),
        identitytoken: identity_token,
        serveraddress: Some(server.to_owned()),
        ..DockerCredentials::default()
    })
}

/// The status tells what the registry's own words leave open.
fn of_registry(refusal: Refusal) -> Fault {
    let reason = match (refusal.fault.reason, refusal.status) {
        (Reason::Refused, Some(404)) => Reason::ImageNotFound,
        (Reason::Refused, Some(401 | 403)) => Reason::RegistryDenied,
        (reason, _) => reason,
    };
    Fault { reason, ..refusal.fault }
}

/// The reference of an image with the digest that is known of it.
pub(super) fn pinned(image: &Image) -> Result<ImageRef, Fault> {
    let parsed = parse(&image.image)?;
    Ok(match &image.digest {
        Some(digest) => parsed.pinned(digest.clone()),
        None => parsed,
    })
}

/// What the engine knows a pulled image by.
fn reference(source: &ImageRef) -> String {
    match &source.digest {
        Some(digest) => format!("{}@{digest}", source.repository),
        None => source.to_string(),
    }
}
