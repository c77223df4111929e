//! The container registry: which digest a tag means now.

use std::collections::BTreeMap;

use async_trait::async_trait;
use tidegate_domain::image::{Digest, ImageRef, Repository};

/// What a reference points to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The digest of the manifest or index itself.
    pub digest: Digest,
    /// Of an index, the platform (`linux/arm64/v8`) of each entry and its digest; empty for a single manifest.
    pub platforms: BTreeMap<String, Digest>,
}

/// Why a reference was not resolved.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// No access to this registry is configured, or it refuses us: the rollout goes unpinned.
    #[error("the registry cannot be asked: {0}")]
    NotPossible(String),
    /// The registry answered that there is no such tag.
    #[error("the registry has no such image")]
    NotFound,
    /// The registry did not answer; asking again can help.
    #[error("the registry did not answer")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Registries, by the host of the reference.
#[async_trait]
pub trait Registry: Send + Sync {
    /// Whether access to the repository's registry is configured, so that it can say what a tag means now.
    fn may_be_asked(&self, repository: &Repository) -> bool;

    /// Resolves the reference's tag (a reference with a digest is answered with it).
    async fn resolve(&self, image: &ImageRef) -> Result<Resolved, ResolveError>;
}
