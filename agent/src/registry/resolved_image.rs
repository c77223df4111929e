//! What a registry has under a reference, for one platform.

use std::collections::BTreeSet;

use hyper::body::Bytes;
use tidegate_domain::image::Digest;

use super::manifest::Descriptor;

/// An image as a registry has it, checked against its digests.
#[derive(Debug, Clone)]
pub struct ResolvedImage {
    /// The content of what was asked: of the index, or of the manifest where there is no index.
    pub digest: Digest,
    /// The content of this platform's manifest.
    pub manifest: Digest,
    /// The image's configuration. Engines that do not keep manifests know an image by this digest.
    pub config: Descriptor,
    /// The image's files, bottom first.
    pub layers: Vec<Descriptor>,
    /// Configuration and layers, compressed; what occurs twice is counted once.
    pub total_bytes: u64,
    /// The index and the manifest, to be shown to an engine.
    pub(super) documents: Vec<Document>,
    /// The configuration, where it was read.
    pub(super) config_bytes: Option<Bytes>,
}

/// A manifest or an index.
#[derive(Debug, Clone)]
pub(super) struct Document {
    pub(super) digest: Digest,
    pub(super) media_type: String,
    pub(super) bytes: Bytes,
}

impl ResolvedImage {
    /// Every blob that is still to be fetched, once.
    pub(super) fn blobs(&self) -> Vec<Descriptor> {
        let mut blobs = distinct(&self.config, &self.layers);
        blobs.retain(|blob| self.config_bytes.is_none() || blob.digest != self.config.digest);
        blobs
    }

    /// Bytes that were fetched to look it up, and need not be again.
    pub(super) fn known_bytes(&self) -> u64 {
        self.config_bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)
    }
}

/// Every blob, once.
pub(super) fn distinct(config: &Descriptor, layers: &[Descriptor]) -> Vec<Descriptor> {
    let mut seen = BTreeSet::new();
    std::iter::once(config).chain(layers).filter(|blob| seen.insert(&blob.digest)).cloned().collect()
}
