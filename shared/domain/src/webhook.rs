//! From a registry's raw request to push notices: who sent it, which kind of registry it is, which images it tells of.
//!
//! A webhook is a hint and the registry is the truth, so nothing here is believed further than "look at this tag".
//! The steps, in this order: [`authenticate`] over the raw bytes, then [`read`] (content type, JSON, kind, entries).
//! Each kind of registry has one file; a new one is a variant of [`Kind`], its markers and such a file.

mod artifact;
mod authentication;
mod content;
mod delivery;
mod distribution;
mod docker_hub;
mod field;
mod ghcr;
mod kind;
mod reference;
mod request;
mod selection;

pub use authentication::{Proof, Secrets, SecretsError, Unauthorized, authenticate};
pub use content::Refusal;
pub use delivery::{Delivery, DeliveryKey, Entry, IgnoreReason, Ignored, PushNotice};
pub use kind::Kind;
pub use request::{Headers, Request};

use sha2::{Digest as _, Sha256};

use content::ContentType;

/// Reads an authenticated delivery. Whatever is well formed is a [`Delivery`], wanted or not: a 4xx would make a
/// distribution registry resend it for ever and hold back all that follows.
///
/// `configured_host` is the registry host of the source, if it has one; it wins over any host in the payload.
pub fn read(request: &Request<'_>, configured_host: Option<&str>) -> Result<Delivery, Refusal> {
    let body_sha256 = hex::encode(Sha256::digest(request.body));
    let marked = Kind::by_headers(request.headers);
    let content_type = ContentType::of(request.headers, marked)?;
    let deliver = |kind, entries| Delivery { kind, body_sha256: body_sha256.clone(), entries };

    let body = match (content::parse(request.body, content_type), marked) {
        (Ok(body), _) => body,
        // These senders resend whatever is refused, and their later events wait behind it, or switch the hook off.
        (Err(_), Some(kind @ (Kind::Distribution | Kind::Gitlab))) => {
            return Ok(deliver(kind, vec![Entry::ignored(IgnoreReason::Unreadable)]));
        }
        (Err(refusal), _) => return Err(refusal),
    };
    let kind = marked.unwrap_or_else(|| Kind::by_body(&body));
    let found = match kind {
        Kind::DockerHub => docker_hub::entries(&body, configured_host),
        Kind::Ghcr => ghcr::entries(&body, request.headers, &body_sha256, configured_host),
        Kind::Distribution => distribution::entries(&body, configured_host),
        Kind::Acr
        | Kind::Alibaba
        | Kind::ArtifactRegistry
        | Kind::Artifactory
        | Kind::CloudEvents
        | Kind::Ecr
        | Kind::Gitea
        | Kind::Gitlab
        | Kind::Harbor
        | Kind::Nexus
        | Kind::Quay
        | Kind::Unknown => vec![Entry::ignored(IgnoreReason::UnsupportedEvent)],
    };
    Ok(deliver(kind, selection::worth_telling(found)))
}
