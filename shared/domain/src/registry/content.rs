//! What a registry holds: manifests and indexes, by the digest that they have.

use sha2::{Digest as _, Sha256, Sha512};

use crate::image::Digest;

/// The header that names the digest.
pub const DIGEST_HEADER: &str = "docker-content-digest";

const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// What we can read. The indexes come first, since a registry that holds one then does not choose a platform for us.
pub const ACCEPTED: [&str; 4] = [OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST];

/// What a tag or a digest can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An index of an image's platforms.
    Index,
    /// The image of one platform.
    Manifest,
}

impl Kind {
    /// What this media type says, parameters and capitals aside; `None` where it says neither.
    pub fn of(media_type: &str) -> Option<Self> {
        match media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            OCI_INDEX | DOCKER_LIST => Some(Self::Index),
            OCI_MANIFEST | DOCKER_MANIFEST => Some(Self::Manifest),
            _ => None,
        }
    }
}

/// The registry's content is not what its digest says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the manifest does not have the digest that it should")]
pub struct Mismatch;

/// The digest of a body; where one is named, it must be that.
pub fn content_digest(named: Option<&str>, body: &[u8]) -> Result<Digest, Mismatch> {
    let computed = match named {
        Some(named) if named.starts_with("sha512:") => format!("sha512:{}", hex::encode(Sha512::digest(body))),
        Some(_) | None => format!("sha256:{}", hex::encode(Sha256::digest(body))),
    };
    if named.is_some_and(|named| named != computed) {
        return Err(Mismatch);
    }
    Digest::parse(&computed).map_err(|_| Mismatch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_by_media_type() {
        for (media_type, expected) in [
            (OCI_INDEX, Some(Kind::Index)),
            (DOCKER_LIST, Some(Kind::Index)),
            (DOCKER_MANIFEST, Some(Kind::Manifest)),
            ("Application/vnd.oci.image.manifest.v1+json; charset=utf-8", Some(Kind::Manifest)),
            ("application/vnd.docker.distribution.manifest.v1+prettyjws", None),
            ("text/html", None),
            ("", None),
        ] {
            assert_eq!(Kind::of(media_type), expected, "{media_type}");
        }
    }

    #[test]
    fn a_body_has_its_digest_or_none() {
        let sha256 = format!("sha256:{}", hex::encode(Sha256::digest(b"x")));
        let sha512 = format!("sha512:{}", hex::encode(Sha512::digest(b"x")));
        for (named, body, expected) in [
            (None, "x", Some(&sha256)),
            (Some(sha256.as_str()), "x", Some(&sha256)),
            (Some(sha512.as_str()), "x", Some(&sha512)),
            (Some(sha256.as_str()), "y", None),
            (Some(sha512.as_str()), "y", None),
            (Some("md5:1"), "x", None),
        ] {
            let digest = content_digest(named, body.as_bytes()).ok();
            assert_eq!(digest.as_ref().map(Digest::as_str), expected.map(String::as_str), "{named:?} of {body}");
        }
    }
}
