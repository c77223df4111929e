//! An image as targets, reports and the journal name it.

use serde::{Deserialize, Serialize};
use tidegate_domain::image::{Digest, ImageRef};

/// An image: its reference, and its content where that is known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Image {
    /// The reference.
    pub image: String,
    /// The content: the digest of the index or of the manifest, as the registry names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

impl Image {
    /// Whether both mean the same content, so far as can be said: by digest where both are known, else by reference.
    pub fn is_same(&self, other: &Self) -> bool {
        match (&self.digest, &other.digest) {
            (Some(one), Some(other)) => one == other,
            _ => normal(&self.image) == normal(&other.image),
        }
    }
}

/// A reference without its digest, in its one spelling.
fn normal(reference: &str) -> String {
    match ImageRef::parse(reference) {
        Ok(parsed) => {
            let tag = parsed.tag.as_ref().map_or("latest", |tag| tag.as_str());
            format!("{}/{}:{tag}", parsed.repository.registry(), parsed.repository.path())
        }
        Err(_) => reference.to_owned(),
    }
}
