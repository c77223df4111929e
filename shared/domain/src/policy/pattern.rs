//! Which pushed references a policy is about.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::image::{ImageError, ImageRef, Repository, Tag, official_prefix, split_registry, split_tag};

/// A reference in which `*` stands for any run of characters: in the tag, and within one part of the repository's path.
///
/// It is normalised as references are: without a host it is Docker Hub's. Without a tag it is about any tag, unlike a
/// reference, where none means `latest`: who writes `ghcr.io/owner/app` means the app.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImagePattern {
    registry: String,
    path: String,
    tag: String,
}

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// A digest says which content, a pattern says which names.
    #[error("expected a name and a tag such as `docker.io/owner/app:*`, without a digest; got {0:?}")]
    HasDigest(String),
    /// The registry is a wildcard, or everything is.
    #[error("the registry and its owner must be written out, such as `docker.io/owner/*`; got {0:?}")]
    WildRegistry(String),
    /// It is no reference even with its wildcards filled in.
    #[error(transparent)]
    Reference(#[from] ImageError),
}

impl ImagePattern {
    /// Reads and normalises a pattern.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if text.contains('@') {
            return Err(PatternError::HasDigest(text.to_owned()));
        }
        if text.contains("://") {
            return Err(ImageError::Scheme(text.to_owned()).into());
        }
        let (name, tag) = split_tag(text);
        if name.split('/').next().is_none_or(|first| first.contains('*')) {
            return Err(PatternError::WildRegistry(text.to_owned()));
        }
        let (registry, path) = split_registry(name)?;
        let prefix = official_prefix(&registry, path);
        if path.contains('*') && !prefix.is_empty() {
            return Err(PatternError::WildRegistry(text.to_owned()));
        }
        let pattern = Self { path: format!("{prefix}{path}"), registry, tag: tag.unwrap_or("*").to_owned() };
        pattern.check()?;
        Ok(pattern)
    }

    /// Whether it is a reference once each `*` is a letter.
    fn check(&self) -> Result<(), ImageError> {
        let filled = |text: &str| text.replace('*', "x");
        Repository::parse(&format!("{}/{}", self.registry, filled(&self.path)))?;
        Tag::parse(&filled(&self.tag)).map(|_| ()).map_err(|_| ImageError::Tag(self.tag.clone()))
    }

    /// Whether the reference is one of those meant. One without a tag is where any tag is.
    pub fn matches(&self, image: &ImageRef) -> bool {
        let tag = image.tag.as_ref().map_or("", Tag::as_str);
        self.matches_repository(&image.repository) && glob(&self.tag, tag)
    }

    /// Whether some reference of the repository is one of those meant.
    pub fn matches_repository(&self, repository: &Repository) -> bool {
        let (mut wanted, mut parts) = (self.path.split('/'), repository.path().split('/'));
        self.registry == repository.registry()
            && wanted.by_ref().zip(parts.by_ref()).all(|(pattern, part)| glob(pattern, part))
            && self.path.matches('/').count() == repository.path().matches('/').count()
    }

    /// Whether it means one reference alone.
    pub fn is_exact(&self) -> bool {
        !self.path.contains('*') && !self.tag.contains('*')
    }

    /// The registry's host, in its normal spelling.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The repository, where it is a single one.
    pub fn repository(&self) -> Option<Repository> {
        if self.path.contains('*') {
            return None;
        }
        Repository::parse(&format!("{}/{}", self.registry, self.path)).ok()
    }
}

/// Whether `text` is `pattern` with each `*` replaced by some run of characters, an empty one included.
fn glob(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut left) = text.strip_prefix(head) else { return false };
    let (middle, tail) = rest.rsplit_once('*').unwrap_or(("", rest));
    for piece in middle.split('*') {
        let Some(at) = left.find(piece) else { return false };
        left = &left[at + piece.len()..];
    }
    left.ends_with(tail)
}

impl fmt::Display for ImagePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}:{}", self.registry, self.path, self.tag)
    }
}

impl TryFrom<String> for ImagePattern {
    type Error = PatternError;

    fn try_from(text: String) -> Result<Self, PatternError> {
        Self::parse(&text)
    }
}

impl From<ImagePattern> for String {
    fn from(pattern: ImagePattern) -> Self {
        pattern.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern(text: &str) -> ImagePattern {
        ImagePattern::parse(text).unwrap()
    }

    fn image(text: &str) -> ImageRef {
        ImageRef::parse(text).unwrap()
    }

    #[test]
    fn patterns_match_what_they_say() {
        let cases = [
            ("any tag", "iotistic/app:*", "docker.io/iotistic/app:v2", true),
            ("another repository", "iotistic/app:*", "iotistic/app2:v2", false),
            ("another registry", "iotistic/app:*", "ghcr.io/iotistic/app:v2", false),
            ("an exact tag", "ghcr.io/o/app:1", "ghcr.io/o/app:1", true),
            ("another tag", "ghcr.io/o/app:1", "ghcr.io/o/app:1.0", false),
            ("no tag is any tag", "ghcr.io/o/app", "ghcr.io/o/app:nightly", true),
            ("an official image", "nginx:1.*", "docker.io/library/nginx:1.27", true),
            ("the hub by another name", "hub.docker.com/iotistic/app:*", "iotistic/app:1", true),
            ("stars in the middle", "o/app:v*-*-arm", "o/app:v1-rc-2-arm", true),
            ("a star may be nothing", "o/app:v1*", "o/app:v1", true),
            ("head and tail do not overlap", "o/app:aba*aba", "o/app:aba", false),
            ("a star in the path", "ghcr.io/o/app-*:1", "ghcr.io/o/app-web:1", true),
            ("a whole part", "ghcr.io/o/*:1", "ghcr.io/o/app:1", true),
            ("a star stays within its part", "ghcr.io/o/*:1", "ghcr.io/o/team/app:1", false),
            ("fewer parts", "ghcr.io/o/team/*", "ghcr.io/o/team:1", false),
            ("a host with a port", "localhost:5000/app", "localhost:5000/app:1", true),
            ("tags have case", "o/app:V*", "o/app:v1", false),
        ];
        for (label, text, reference, expected) in cases {
            assert_eq!(pattern(text).matches(&image(reference)), expected, "{label}");
        }
    }

    #[test]
    fn a_reference_by_digest_alone_is_where_any_tag_is() {
        let pinned = image(&format!("o/app@sha256:{}", "0".repeat(64)));
        assert!(pattern("o/app").matches(&pinned));
        assert!(!pattern("o/app:v*").matches(&pinned));
    }

    #[test]
    fn patterns_are_normalised() {
        for (text, expected, exact) in [
            ("nginx", "docker.io/library/nginx:*", false),
            ("nginx:1", "docker.io/library/nginx:1", true),
            ("GHCR.io/o/*", "ghcr.io/o/*:*", false),
            ("o/app-*:1", "docker.io/o/app-*:1", false),
        ] {
            assert_eq!(pattern(text).to_string(), expected);
            assert_eq!(pattern(text).is_exact(), exact, "{text}");
        }
        assert_eq!(pattern("o/app:*").repository().unwrap().as_str(), "docker.io/o/app");
        assert_eq!(pattern("o/*").repository(), None);
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        let digest = format!("o/app@sha256:{}", "0".repeat(64));
        let cases = [
            ("everything", "*", "written out"),
            ("any registry", "*.io/o/app", "written out"),
            ("any owner", "*/app", "written out"),
            ("any official image", "docker.io/*", "written out"),
            ("a digest", digest.as_str(), "without a digest"),
            ("a URL", "https://ghcr.io/o/app", "without a scheme"),
            ("capitals", "o/App:*", "lower case"),
            ("a bad tag", "o/app:a b*", "expected a tag"),
            ("an empty tag", "o/app:", "expected a tag"),
            ("nothing", "", "repository path"),
        ];
        for (label, text, expected) in cases {
            let error = ImagePattern::parse(text).expect_err(label).to_string();
            assert!(error.contains(expected), "{label}: {error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(text in "([a-z]{1,4}\\.io/)?[a-z]{1,4}(/[a-z*]{1,3}){1,2}(:[a-zA-Z0-9*]{1,5})?") {
            let pattern = pattern(&text);
            prop_assert_eq!(ImagePattern::parse(&pattern.to_string()).unwrap(), pattern);
        }

        #[test]
        fn a_glob_matches_what_it_was_made_from(pieces in prop::collection::vec("[ab]{0,3}", 1..5), fill in "[abc]{0,3}") {
            prop_assert!(glob(&pieces.join("*"), &pieces.join(&fill)) || pieces.len() == 1 && glob(&pieces[0], &pieces[0]));
        }
    }
}
