//! Manifests and indexes, as far as a device reads them.

use serde::Deserialize;
use tidegate_domain::image::Digest;
use tidegate_domain::registry::Kind;

use super::platform::Platform;
use super::wire::told;

/// A blob that a manifest refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// What it contains.
    pub digest: Digest,
    /// How many bytes.
    pub size: u64,
}

/// What a reference leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// The platforms of an image.
    Index(Vec<Entry>),
    /// The image of one platform.
    Manifest {
        /// Its configuration.
        config: Descriptor,
        /// Its files, bottom first.
        layers: Vec<Descriptor>,
    },
}

/// A platform's image in an index.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) digest: Digest,
    pub(super) platform: Option<Platform>,
}

/// Why a text is neither.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NotAnImage {
    /// It was garbled, most likely: nobody stores such a thing.
    Garbled,
    /// It is of another kind, whose name this is.
    Other(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    media_type: Option<String>,
    #[serde(default)]
    manifests: Vec<RawEntry>,
    config: Option<RawBlob>,
    #[serde(default)]
    layers: Vec<RawBlob>,
}

#[derive(Deserialize)]
struct RawEntry {
    digest: String,
    platform: Option<RawPlatform>,
}

#[derive(Deserialize)]
struct RawPlatform {
    os: Option<String>,
    architecture: Option<String>,
    variant: Option<String>,
}

#[derive(Deserialize)]
struct RawBlob {
    digest: Digest,
    size: u64,
}

/// Reads a registry's answer: its kind is the body's own word, else the header's.
pub(super) fn read(content_type: Option<&str>, body: &[u8]) -> Result<Content, NotAnImage> {
    let raw: Raw = serde_json::from_slice(body).map_err(|_| NotAnImage::Garbled)?;
    let media_type = raw.media_type.as_deref().or(content_type).unwrap_or_default();
    match Kind::of(media_type) {
        Some(Kind::Index) => Ok(Content::Index(raw.manifests.into_iter().filter_map(entry).collect())),
        Some(Kind::Manifest) => Ok(Content::Manifest {
            config: raw.config.ok_or(NotAnImage::Garbled)?.into(),
            layers: raw.layers.into_iter().map(Into::into).collect(),
        }),
        None => Err(NotAnImage::Other(told(media_type))),
    }
}

/// The platform that an image's configuration names; nothing where it names none.
pub(super) fn platform_of_config(config: &[u8]) -> Option<Platform> {
    serde_json::from_slice::<RawPlatform>(config).ok().and_then(platform)
}

fn entry(raw: RawEntry) -> Option<Entry> {
    Some(Entry { digest: Digest::parse(&raw.digest).ok()?, platform: raw.platform.and_then(platform) })
}

fn platform(raw: RawPlatform) -> Option<Platform> {
    let part = |text: Option<String>| text.filter(|text| !text.is_empty());
    Some(Platform::new(&part(raw.os)?, &part(raw.architecture)?, raw.variant.as_deref()))
}

impl From<RawBlob> for Descriptor {
    fn from(raw: RawBlob) -> Self {
        Self { digest: raw.digest, size: raw.size }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tidegate_domain::registry::ACCEPTED;

    use super::*;

    fn digest(fill: char) -> String {
        format!("sha256:{}", fill.to_string().repeat(64))
    }

    #[test]
    fn an_index_has_entries_and_an_image_has_blobs() {
        let index = json!({"mediaType": ACCEPTED[0], "manifests": [
            {"digest": digest('a'), "platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}},
            {"digest": "md5:1", "platform": {"os": "linux", "architecture": "amd64"}},
            {"digest": digest('b')},
        ]});
        let Ok(Content::Index(entries)) = read(None, index.to_string().as_bytes()) else { panic!("an index") };
        let named: Vec<_> = entries.iter().map(|entry| entry.platform.as_ref().map(ToString::to_string)).collect();
        assert_eq!(named, [Some("linux/arm64".to_owned()), None]);

        let manifest =
            json!({"config": {"digest": digest('c'), "size": 2}, "layers": [{"digest": digest('d'), "size": 3}]});
        let blob = |fill, size| Descriptor { digest: Digest::parse(&digest(fill)).unwrap(), size };
        assert_eq!(
            read(Some(ACCEPTED[3]), manifest.to_string().as_bytes()),
            Ok(Content::Manifest { config: blob('c', 2), layers: vec![blob('d', 3)] })
        );
    }

    #[test]
    fn what_is_no_image_is_told_by_kind() {
        let other = |kind: &str| NotAnImage::Other(kind.to_owned());
        for (label, content_type, body, expected) in [
            ("a page", "text/html", "<html>".to_owned(), NotAnImage::Garbled),
            (
                "an old schema",
                "application/vnd.docker.distribution.manifest.v1+json",
                "{}".to_owned(),
                other("application/vnd.docker.distribution.manifest.v1+json"),
            ),
            ("no config", ACCEPTED[2], "{}".to_owned(), NotAnImage::Garbled),
            (
                "a negative size",
                ACCEPTED[2],
                json!({"config": {"digest": digest('a'), "size": -1}}).to_string(),
                NotAnImage::Garbled,
            ),
            ("a long kind", &"x".repeat(1000), "{}".to_owned(), other(&"x".repeat(60))),
        ] {
            assert_eq!(read(Some(content_type), body.as_bytes()), Err(expected), "{label}");
        }
    }
}
