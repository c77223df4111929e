//! Image references and digests, by the distribution reference grammar
//! (<https://github.com/distribution/reference>), in one normal spelling: `nginx` is `docker.io/library/nginx:latest`.

mod allowed;
mod repository;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use allowed::{AllowedRegistries, NotAllowed};
pub use repository::Repository;
pub(crate) use repository::{normal_registry, official_prefix, split_registry};

/// Why a text is no image reference, or no part of one. Says what was expected; asking again never helps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// Nothing was given.
    #[error("expected an image such as `ghcr.io/owner/app:1.2`, got an empty text")]
    Empty,
    /// A URL was given.
    #[error("expected an image such as `ghcr.io/owner/app:1.2` without a scheme, got {0:?}")]
    Scheme(String),
    /// The part before the first slash is no host.
    #[error("expected a registry host, with a port if it has one (`registry.example.com:5000`), got {0:?}")]
    Registry(String),
    /// The path has capitals.
    #[error("a repository's path is lower case, got {0:?}")]
    UpperCase(String),
    /// The path breaks the grammar.
    #[error(
        "expected a repository path of lower case letters, digits and single separators `.`, `_`, `__` or `-` \
         between them, parts divided by `/`, got {0:?}"
    )]
    Path(String),
    /// The path is too long.
    #[error("a repository's path has at most {max} characters, got {got}", max = repository::PATH_MAX)]
    TooLong {
        /// Characters of the given path.
        got: usize,
    },
    /// 64 hexadecimal digits alone are what Docker takes for an image's id.
    #[error("expected a repository, got what looks like an image id: {0:?}")]
    LooksLikeId(String),
    /// The tag breaks the grammar.
    #[error("expected a tag of 1 to 128 letters, digits, `_`, `.` and `-`, not starting with `.` or `-`, got {0:?}")]
    Tag(String),
    /// A repository alone, where one image must be meant.
    #[error("expected a tag or a digest behind the repository, such as `{0}:1.4.2`: nothing says which image is meant")]
    Unchosen(String),
    /// The digest breaks the grammar.
    #[error("expected a digest, `sha256:` and 64 or `sha512:` and 128 lower case hexadecimal digits, got {0:?}")]
    Digest(String),
}

/// A text type that is checked where it enters, also through serde.
macro_rules! checked_text {
    ($name:ident) => {
        impl TryFrom<String> for $name {
            type Error = ImageError;

            fn try_from(text: String) -> Result<Self, ImageError> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }

        impl std::str::FromStr for $name {
            type Err = ImageError;

            fn from_str(text: &str) -> Result<Self, ImageError> {
                Self::parse(text)
            }
        }
    };
}
pub(crate) use checked_text;

/// The content address of a manifest or an index: `sha256:` and 64, or `sha512:` and 128 lower case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

impl Digest {
    /// Checks algorithm, length and digits.
    pub fn parse(text: &str) -> Result<Self, ImageError> {
        let digits = match text.split_once(':') {
            Some(("sha256", hex)) if hex.len() == 64 => hex,
            Some(("sha512", hex)) if hex.len() == 128 => hex,
            Some(_) | None => return Err(ImageError::Digest(text.to_owned())),
        };
        if digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ImageError::Digest(text.to_owned()))
        }
    }

    /// A digest as devices tell it: also behind an image's name, as Docker lists it (`RepoDigests`).
    pub fn told(text: &str) -> Result<Self, ImageError> {
        let text = text.trim();
        Self::parse(text.rsplit_once('@').map_or(text, |(_, digest)| digest))
    }

    /// The digest with its algorithm.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

checked_text!(Digest);

/// A tag. It only chooses; what is chosen is a digest.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tag(String);

impl Tag {
    /// Checks the grammar `[\w][\w.-]{0,127}`.
    pub fn parse(text: &str) -> Result<Self, ImageError> {
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let valid = match text.as_bytes() {
            [first, rest @ ..] => {
                word(*first) && rest.len() < 128 && rest.iter().all(|&b| word(b) || b == b'.' || b == b'-')
            }
            [] => false,
        };
        if valid { Ok(Self(text.to_owned())) } else { Err(ImageError::Tag(text.to_owned())) }
    }

    /// The tag that a reference without one means.
    pub fn latest() -> Self {
        Self("latest".to_owned())
    }

    /// The tag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

checked_text!(Tag);

/// An image by name: a repository with a tag, a digest, or both.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageRef {
    /// Where it is.
    pub repository: Repository,
    /// What chose it; `None` only beside a digest.
    pub tag: Option<Tag>,
    /// What it is, where that is known.
    pub digest: Option<Digest>,
}

impl ImageRef {
    /// Parses any spelling that Docker takes; the tag is `latest` where neither tag nor digest is given.
    pub fn parse(text: &str) -> Result<Self, ImageError> {
        if text.is_empty() {
            return Err(ImageError::Empty);
        }
        if text.contains("://") {
            return Err(ImageError::Scheme(text.to_owned()));
        }
        let (named, digest) = match text.split_once('@') {
            Some((named, digest)) => (named, Some(Digest::parse(digest)?)),
            None => (text, None),
        };
        let (name, tag) = split_tag(named);
        let repository = Repository::parse(name)?;
        let tag = match tag {
            Some(tag) => Some(Tag::parse(tag)?),
            None => digest.is_none().then(Tag::latest),
        };
        Ok(Self { repository, tag, digest })
    }

    /// Parses a reference that must name its tag or its digest: where `latest` must not be meant by leaving out.
    pub fn parse_chosen(text: &str) -> Result<Self, ImageError> {
        let image = Self::parse(text)?;
        if !text.contains('@') && split_tag(text).1.is_none() {
            return Err(ImageError::Unchosen(text.to_owned()));
        }
        Ok(image)
    }

    /// The image of a repository that a tag chooses.
    pub fn tagged(repository: Repository, tag: Tag) -> Self {
        Self { repository, tag: Some(tag), digest: None }
    }

    /// The same reference, bound to a digest.
    #[must_use]
    pub fn pinned(self, digest: Digest) -> Self {
        Self { digest: Some(digest), ..self }
    }
}

/// Splits `name:tag`; a colon before the last slash belongs to a port.
pub(crate) fn split_tag(named: &str) -> (&str, Option<&str>) {
    match named.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        Some(_) | None => (named, None),
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.repository.fmt(f)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

checked_text!(ImageRef);

#[cfg(test)]
mod tests;
