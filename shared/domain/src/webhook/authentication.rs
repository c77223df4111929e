//! Who may deliver. The webhook's secret proves the sender of the built-in source in one of three places: the last
//! path segment, the `Authorization` header, or as the key of the HMAC over the raw body.
//!
//! Every proof that is offered is checked and all must hold: one wrong proof beside a right one is a sender whose
//! configuration is half rotated, or somebody who tries. What is not one of the three is no proof and no fault either:
//! the SHA-1 signature that GitHub sends beside the SHA-256 one (`X-Hub-Signature`) is not read at all.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::{Kind, Request};

/// The webhook's secret: one value, or two while it is being rotated.
#[derive(Clone)]
pub struct Secrets(Vec<Secret>);

#[derive(Clone)]
struct Secret {
    value: String,
    digest: [u8; 32],
}

/// Why values cannot be the webhook's secret. A fault of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretsError {
    /// No value at all.
    #[error("the webhook secret is not set")]
    Missing,
    /// An empty or blank value would be proven by anybody.
    #[error("a webhook secret is empty")]
    Empty,
    /// Rotation needs two.
    #[error("at most two webhook secrets may be valid at a time, got {0}")]
    TooMany(usize),
}

impl Secrets {
    /// Takes one or two values, none of them empty.
    pub fn new<S: Into<String>>(values: impl IntoIterator<Item = S>) -> Result<Self, SecretsError> {
        let values: Vec<String> = values.into_iter().map(Into::into).collect();
        if values.iter().any(|value| value.trim().is_empty()) {
            return Err(SecretsError::Empty);
        }
        match values.len() {
            0 => Err(SecretsError::Missing),
            1 | 2 => Ok(Self(
                values
                    .into_iter()
                    .map(|value| Secret { digest: Sha256::digest(value.as_bytes()).into(), value })
                    .collect(),
            )),
            more => Err(SecretsError::TooMany(more)),
        }
    }

    /// Takes one value, or two divided by a comma.
    pub fn parse(list: &str) -> Result<Self, SecretsError> {
        if list.trim().is_empty() { Err(SecretsError::Missing) } else { Self::new(list.split(',').map(str::trim)) }
    }

    /// Whether any of the candidates is one of the secrets. Digests are compared, so that a length does not show.
    fn contain<'c>(&self, candidates: impl IntoIterator<Item = &'c [u8]>) -> bool {
        let mut found = Choice::from(0);
        for candidate in candidates {
            let digest: [u8; 32] = Sha256::digest(candidate).into();
            for secret in &self.0 {
                found |= secret.digest.ct_eq(&digest);
            }
        }
        found.into()
    }

    /// Whether one of the secrets signed the body.
    fn signed(&self, body: &[u8], signature: &[u8]) -> bool {
        let mut found = Choice::from(0);
        for secret in &self.0 {
            let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.value.as_bytes()) else { continue };
            mac.update(body);
            found |= mac.finalize().into_bytes().as_slice().ct_eq(signature);
        }
        found.into()
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({} hidden)", self.0.len())
    }
}

/// How the sender was proven; for logs. The strongest where several held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Proof {
    /// The secret is the last path segment.
    PathToken,
    /// The secret is the bearer token, or the whole `Authorization` value.
    Authorization,
    /// The secret is the key of an HMAC-SHA256 over the raw body.
    Signature,
}

impl Proof {
    /// The stable word for logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PathToken => "path_token",
            Self::Authorization => "authorization",
            Self::Signature => "signature",
        }
    }
}

/// No proof of the sender, or a wrong one. It never says which, so that guessing learns nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request does not prove that it comes from a registry that knows the webhook secret")]
pub struct Unauthorized;

/// Checks every proof that the request offers, in constant time per secret; all must be right and one must be there.
pub fn authenticate(request: &Request<'_>, secrets: &Secrets) -> Result<Proof, Unauthorized> {
    let mut offered: Vec<(Proof, bool)> = Vec::new();
    if let Some(token) = request.path_token {
        offered.push((Proof::PathToken, secrets.contain([token.as_bytes()])));
    }
    for value in request.headers.values("authorization") {
        offered.push((Proof::Authorization, secrets.contain(authorization_candidates(value))));
    }
    let (header, prefix) = signature_header(Kind::by_headers(request.headers));
    for value in request.headers.values(header) {
        let right = signature_bytes(value, prefix).is_some_and(|bytes| secrets.signed(request.body, &bytes));
        offered.push((Proof::Signature, right));
    }
    if offered.iter().all(|(_, right)| *right) {
        offered.into_iter().map(|(proof, _)| proof).max().ok_or(Unauthorized)
    } else {
        Err(Unauthorized)
    }
}

/// The whole value, and what follows a bearer scheme.
fn authorization_candidates(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let token = value
        .split_at_checked(7)
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"Bearer "))
        .map(|(_, token)| token.trim_ascii());
    std::iter::once(value).chain(token)
}

/// The HMAC-SHA256 header of a kind that signs, and what stands before its hexadecimal digits. Headers alone choose
/// it, never the body. Where no header names the kind, GitHub's is looked for: its own sender always signs so.
fn signature_header(marked: Option<Kind>) -> (&'static str, &'static str) {
    match marked {
        Some(Kind::Gitea) => ("x-gitea-signature", ""),
        Some(Kind::Artifactory) => ("x-jfrog-event-auth", ""),
        Some(Kind::CloudEvents) => ("x-signature", "sha256="),
        Some(
            Kind::Acr
            | Kind::Alibaba
            | Kind::ArtifactRegistry
            | Kind::Distribution
            | Kind::DockerHub
            | Kind::Ecr
            | Kind::Ghcr
            | Kind::Gitlab
            | Kind::Harbor
            | Kind::Nexus
            | Kind::Quay
            | Kind::Unknown,
        )
        | None => ("x-hub-signature-256", "sha256="),
    }
}

/// The 32 bytes of a signature; `None` where the value is empty or malformed.
fn signature_bytes(value: &[u8], prefix: &str) -> Option<[u8; 32]> {
    let digits = value.strip_prefix(prefix.as_bytes())?;
    let mut bytes = [0; 32];
    hex::decode_to_slice(digits, &mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests;
