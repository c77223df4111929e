//! What a delivery tells.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Kind;
use crate::image::{Digest, ImageRef, Repository, Tag};

/// One delivery, read. It has at least one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Who sent it.
    pub kind: Kind,
    /// SHA-256 of the raw body, in hexadecimal digits.
    pub body_sha256: String,
    /// Every push and everything else worth telling; where there is no push, one ignored entry.
    pub entries: Vec<Entry>,
}

/// One thing of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A tag may have a new image.
    Push(PushNotice),
    /// Nothing to act on.
    Ignored(Ignored),
}

impl Entry {
    /// An entry that names nothing but its reason.
    pub(super) fn ignored(reason: IgnoreReason) -> Self {
        Self::Ignored(Ignored { image: None, tag: None, digest: None, reason, keys: Vec::new() })
    }
}

/// A push, in the same words whichever registry told of it. A hint: the registry is the truth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushNotice {
    /// The repository, with its registry.
    pub repository: Repository,
    /// The tag that was pushed.
    pub tag: Tag,
    /// The manifest's or index's digest, where the sender tells it.
    pub digest: Option<Digest>,
    /// Media type of the manifest, as sent.
    pub media_type: Option<String>,
    /// When the push happened by the sender's clock. Nobody signs it: take one that lies ahead of the clock for now,
    /// or it would make every later push `stale`.
    pub event_time: Option<Timestamp>,
    /// The host that the payload names, where another one counts; to be logged, never followed.
    pub noted_host: Option<String>,
    /// This notice was delivered before if *any* of these is known for the source. Empty where the sender gives
    /// nothing to tell two pushes apart.
    pub keys: Vec<DeliveryKey>,
    /// The keys tell the second of a push and no more: another push within it has the same.
    #[serde(default)]
    pub by_second: bool,
}

impl PushNotice {
    /// The image by name, with its digest if that is known.
    pub fn image(&self) -> ImageRef {
        ImageRef { repository: self.repository.clone(), tag: Some(self.tag.clone()), digest: self.digest.clone() }
    }
}

/// Something that was told and is not acted on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ignored {
    /// The repository, in its normal spelling where it has one, else as sent (cut to 300 characters).
    pub image: Option<String>,
    /// The tag as sent (cut).
    pub tag: Option<String>,
    /// The digest as sent (cut).
    pub digest: Option<String>,
    /// Why nothing is done.
    pub reason: IgnoreReason,
    /// As in [`PushNotice::keys`].
    pub keys: Vec<DeliveryKey>,
}

impl Ignored {
    /// Takes what the sender wrote, cut to a length that an answer and a log can bear.
    pub(super) fn new(
        reason: IgnoreReason,
        image: Option<&str>,
        tag: Option<&str>,
        digest: Option<&str>,
        keys: Vec<DeliveryKey>,
    ) -> Self {
        let cut = |text: &str| text.chars().take(300).collect();
        Self { image: image.map(cut), tag: tag.map(cut), digest: digest.map(cut), reason, keys }
    }
}

/// Why an entry is not acted on. The words are part of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IgnoreReason {
    /// A pull, a deletion, a mount.
    NotAPush,
    /// A manifest by digest alone: a platform of an index, or a referrer.
    Untagged,
    /// A blob, a chart, a signature, an attestation, an SBOM, another ecosystem's package.
    NotAnImage,
    /// The registry says that the push failed.
    FailedResult,
    /// An event, or a sender, that is not read.
    UnsupportedEvent,
    /// The source or the allowed registries do not have this repository.
    RepositoryNotAllowed,
    /// Repository, tag or digest break the grammar, or no repository is named.
    InvalidReference,
    /// A pull through a proxy cache looks like a push.
    CachedPull,
    /// Older than the last accepted push of the same tag.
    Stale,
    /// It was acted on behind the queue, and a newer one was taken since.
    Overtaken,
    /// The body, or the entry, is not what this sender writes.
    Unreadable,
    /// A test of the connection.
    Ping,
}

impl IgnoreReason {
    /// The stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotAPush => "not_a_push",
            Self::Untagged => "untagged",
            Self::NotAnImage => "not_an_image",
            Self::FailedResult => "failed_result",
            Self::UnsupportedEvent => "unsupported_event",
            Self::RepositoryNotAllowed => "repository_not_allowed",
            Self::InvalidReference => "invalid_reference",
            Self::CachedPull => "cached_pull",
            Self::Stale => "stale",
            Self::Overtaken => "overtaken",
            Self::Unreadable => "unreadable",
            Self::Ping => "ping",
        }
    }
}

/// What tells one push from another, and a repeat of it from a new one; unique within a source, at most 600
/// characters, and free of blanks and `#`, so that it can be part of a table's key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeliveryKey(String);

impl DeliveryKey {
    /// `kind/what/id`; an id that is long or has other characters than ids have is replaced by its SHA-256.
    pub(super) fn new(kind: Kind, what: &str, id: &str) -> Self {
        let plain = id.len() <= 512 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:/@+[]".contains(&b));
        if plain {
            Self(format!("{}/{what}/{id}", kind.as_str()))
        } else {
            Self(format!("{}/{what}-sha256/{}", kind.as_str(), hex::encode(Sha256::digest(id))))
        }
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_bounded_and_clean() {
        let key = |id: &str| DeliveryKey::new(Kind::Ghcr, "id", id).as_str().to_owned();
        assert_eq!(key("45c9331b-ae56-4fca"), "ghcr/id/45c9331b-ae56-4fca");
        for odd in ["a#b", "a b", "ä", "a\nb", &"x".repeat(10_000)] {
            let key = key(odd);
            assert!(key.starts_with("ghcr/id-sha256/") && key.len() == 79, "{odd:?}: {key}");
        }
    }

    #[test]
    fn what_is_echoed_is_cut() {
        let long = "ä".repeat(5_000);
        let ignored = Ignored::new(IgnoreReason::InvalidReference, Some(&long), None, None, Vec::new());
        assert_eq!(ignored.image.unwrap().chars().count(), 300);
    }

    #[test]
    fn serde_writes_the_stable_words() {
        for reason in [IgnoreReason::NotAPush, IgnoreReason::RepositoryNotAllowed, IgnoreReason::Ping] {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
        }
    }
}
