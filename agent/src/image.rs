//! An image as targets, reports and the journal name it.

use serde::{Deserialize, Serialize};
use tidegate_domain::image::{Digest, ImageRef};

/// An image: its reference, and its content where that is known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Image {
    pub image: String,
    /// The content: the digest of the index or of the manifest, as the registry names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

/// How far a pull is, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pulled {
    /// Here.
    pub done: u64,
    /// To be fetched in all, so far as is known yet.
    pub total: u64,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_the_same_by_digest_or_by_name() {
        let digest = |fill: &str| Digest::parse(&format!("sha256:{}", fill.repeat(64))).ok();
        let image = |image: &str, digest| Image { image: image.to_owned(), digest };
        for (label, one, other, same) in [
            ("one digest, two tags", image("a/b:1", digest("a")), image("a/b:2", digest("a")), true),
            ("one tag, two digests", image("a/b:1", digest("a")), image("a/b:1", digest("b")), false),
            ("a digest unknown", image("a/b:1", None), image("docker.io/a/b:1", digest("b")), true),
            ("other tags", image("a/b:1", None), image("a/b:2", None), false),
        ] {
            assert_eq!(one.is_same(&other), same, "{label}");
        }
    }
}
