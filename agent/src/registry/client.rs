//! Asks a registry what an image is.

use std::sync::Arc;

use hyper::body::Bytes;
use reqwest::header::CONTENT_TYPE;
use tidegate_domain::image::{Digest, ImageRef};
use tidegate_domain::registry::{DIGEST_HEADER, content_digest};

use super::credentials::Credentials;
use super::manifest::{self, Content, Descriptor, Entry, NotAnImage};
use super::platform::Platform;
use super::resolved_image::{Document, ResolvedImage, distinct};
use super::source::Source;
use super::wire::{BODY_MAX_BYTES, Patience, Wire};
use crate::fault::{Fault, Reason};
use crate::image::Image;

/// Asks registries, as whoever the logins say.
#[derive(Debug, Clone)]
pub struct RegistryClient {
    wire: Arc<Wire>,
    credentials: Arc<Credentials>,
}

impl RegistryClient {
    /// With these logins, waiting this long.
    pub fn new(credentials: Arc<Credentials>, patience: Patience) -> Result<Self, Fault> {
        Ok(Self { wire: Arc::new(Wire::new(patience)?), credentials })
    }

    /// What the image is on this platform: by its digest where that is known, else by its tag.
    pub async fn look(&self, image: &Image, platform: &Platform) -> Result<ResolvedImage, Fault> {
        let (source, reference) = self.source(image)?;
        let asked = fetch(&source, &reference).await?;
        let digest = asked.document.digest.clone();
        let (chosen, mut documents, checked) = match asked.content {
            Content::Index(entries) => {
                let entry = for_platform(&entries, platform, image)?;
                (fetch(&source, &Reference::Digest(entry.digest.clone())).await?, vec![asked.document], true)
            }
            content @ Content::Manifest { .. } => (Fetched { content, ..asked }, Vec::new(), false),
        };
        let Content::Manifest { config, layers } = chosen.content else {
            let why = format!("the index of {} leads to another index, which no engine follows", image.image);
            return Err(Fault::new(Reason::WrongPlatform, why));
        };
        // Without an index nothing has said yet what the image is for.
        let config_bytes = if checked { None } else { read_config(&source, &config, platform, image).await? };
        let manifest = chosen.document.digest.clone();
        documents.push(chosen.document);
        let total_bytes = distinct(&config, &layers).iter().fold(0, |sum: u64, blob| sum.saturating_add(blob.size));
        Ok(ResolvedImage { digest, manifest, config, layers, total_bytes, documents, config_bytes })
    }

    pub(super) fn source(&self, image: &Image) -> Result<(Source, Reference), Fault> {
        let parsed = ImageRef::parse(&image.image)
            .map_err(|error| Fault::new(Reason::Configuration, format!("the image {:?}: {error}", image.image)))?;
        let reference = match (image.digest.clone().or(parsed.digest), parsed.tag) {
            (Some(digest), _) => Reference::Digest(digest),
            (None, Some(tag)) => Reference::Tag(tag.to_string()),
            (None, None) => Reference::Tag("latest".to_owned()),
        };
        Ok((Source::new(Arc::clone(&self.wire), Arc::clone(&self.credentials), parsed.repository)?, reference))
    }
}

#[derive(Debug)]
pub(super) enum Reference {
    Tag(String),
    Digest(Digest),
}

struct Fetched {
    document: Document,
    content: Content,
}

async fn fetch(source: &Source, reference: &Reference) -> Result<Fetched, Fault> {
    let (wanted, named) = match reference {
        Reference::Tag(tag) => (None, tag.as_str()),
        Reference::Digest(digest) => (Some(digest.as_str()), digest.as_str()),
    };
    let corrupt = |what: &str| {
        let why = format!("what {} has as {named} {what}", source.repository());
        Fault::new(Reason::CorruptImage, why)
    };
    let (headers, body) = source.manifest(named).await?;
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    // A registry's own word for the digest matters where only a tag was asked for; it must be true.
    let digest = content_digest(wanted.or_else(|| text(DIGEST_HEADER)), &body)
        .map_err(|_| corrupt("does not have the digest that it should"))?;
    let content = manifest::read(text(CONTENT_TYPE.as_str()), &body).map_err(|error| match error {
        NotAnImage::Garbled => corrupt("cannot be read as an image"),
        NotAnImage::Other(kind) => {
            let why = format!("what {} has as {named} is no image, but {kind:?}", source.repository());
            Fault::new(Reason::ImageNotFound, why)
        }
    })?;
    let media_type = media_type(&body).or_else(|| text(CONTENT_TYPE.as_str()).map(ToOwned::to_owned));
    let document = Document { digest, media_type: media_type.unwrap_or_default(), bytes: Bytes::from(body) };
    Ok(Fetched { document, content })
}

/// The kind that a document itself names.
fn media_type(body: &[u8]) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    value.get("mediaType")?.as_str().map(ToOwned::to_owned)
}

fn for_platform<'e>(entries: &'e [Entry], platform: &Platform, image: &Image) -> Result<&'e Entry, Fault> {
    platform.choose(entries, |entry| entry.platform.as_ref()).ok_or_else(|| {
        let mut has: Vec<String> =
            entries.iter().filter_map(|entry| Some(entry.platform.as_ref()?.to_string())).take(20).collect();
        has.retain(|name| name != "unknown/unknown");
        let has = if has.is_empty() { "none".to_owned() } else { has.join(", ") };
        Fault::new(Reason::WrongPlatform, format!("{} is not for {platform}; it is for: {has}", image.image))
    })
}

async fn read_config(
    source: &Source,
    config: &Descriptor,
    platform: &Platform,
    image: &Image,
) -> Result<Option<Bytes>, Fault> {
    if config.size > BODY_MAX_BYTES {
        let why = format!("the configuration of {} has {} bytes; at most 4 MiB are read", image.image, config.size);
        return Err(Fault::new(Reason::CorruptImage, why));
    }
    let bytes = source.small_blob(&config.digest).await?;
    content_digest(Some(config.digest.as_str()), &bytes).map_err(|_| {
        Fault::new(Reason::CorruptImage, format!("the configuration of {} is not what its digest says", image.image))
    })?;
    match manifest::platform_of_config(&bytes) {
        Some(of) if !platform.runs(&of) => {
            Err(Fault::new(Reason::WrongPlatform, format!("{} is for {of}, not for {platform}", image.image)))
        }
        // One that names none is the engine's to judge.
        Some(_) | None => Ok(Some(Bytes::from(bytes))),
    }
}
