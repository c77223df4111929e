//! A manifest or an index, and the digest that it has.

use std::collections::BTreeMap;

use serde::Deserialize;
use tidegate_domain::image::Digest;
use tidegate_domain::registry::{Kind, content_digest};
use tidegate_engine::ports::{ResolveError, Resolved};

use super::unavailable;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    media_type: Option<String>,
    #[serde(default)]
    manifests: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    digest: String,
    platform: Option<Platform>,
}

#[derive(Deserialize)]
struct Platform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

/// Reads a registry's answer: its kind is the body's own word, else the header's.
pub(super) fn read(content_type: Option<&str>, digest: Option<&str>, body: &[u8]) -> Result<Resolved, ResolveError> {
    let manifest: Manifest =
        serde_json::from_slice(body).map_err(|_| ResolveError::NotPossible("its manifest is no JSON object".into()))?;
    let media_type = manifest.media_type.as_deref().or(content_type).unwrap_or_default();
    let platforms = match Kind::of(media_type) {
        Some(Kind::Index) => platforms(manifest.manifests),
        Some(Kind::Manifest) => BTreeMap::new(),
        None => return Err(ResolveError::NotPossible(format!("its manifest is of an unknown kind, {media_type:?}"))),
    };
    // Most likely cut or changed on its way: asking again can help.
    Ok(Resolved { digest: content_digest(digest, body).map_err(unavailable)?, platforms })
}

/// The digest for each platform; of several for one, the first, as runtimes choose. What is for no platform (the
/// attestations that builders add are for `unknown`) is left out.
fn platforms(entries: Vec<Entry>) -> BTreeMap<String, Digest> {
    let mut platforms = BTreeMap::new();
    for entry in entries {
        let Some(platform) = entry.platform.filter(|platform| platform.os != "unknown") else { continue };
        let Ok(digest) = Digest::parse(&entry.digest) else { continue };
        let variant = platform.variant.filter(|variant| !variant.is_empty()).map(|variant| format!("/{variant}"));
        let name = format!("{}/{}{}", platform.os, platform.architecture, variant.unwrap_or_default());
        platforms.entry(name).or_insert(digest);
    }
    platforms
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sha2::{Digest as _, Sha512};
    use tidegate_domain::registry::ACCEPTED;

    use super::*;

    fn digest(fill: char) -> String {
        format!("sha256:{}", fill.to_string().repeat(64))
    }

    #[test]
    fn an_index_tells_its_platforms() {
        let entry = |fill, os: &str, architecture: &str, variant: Option<&str>| json!({"digest": digest(fill), "platform": {"os": os, "architecture": architecture, "variant": variant}});
        let body = json!({"schemaVersion": 2, "mediaType": ACCEPTED[0], "manifests": [
            entry('a', "linux", "amd64", None),
            entry('b', "linux", "arm64", Some("v8")),
            entry('c', "unknown", "unknown", None),
            entry('d', "linux", "amd64", None),
        ]})
        .to_string();
        let resolved = read(None, None, body.as_bytes()).unwrap();
        let platforms: Vec<_> =
            resolved.platforms.iter().map(|(name, digest)| (name.as_str(), digest.to_string())).collect();
        assert_eq!(platforms, [("linux/amd64", digest('a')), ("linux/arm64/v8", digest('b'))]);
    }

    #[test]
    fn the_kind_may_stand_in_the_header_only() {
        let body = br#"{"schemaVersion":2}"#;
        assert!(read(Some("application/vnd.oci.image.manifest.v1+json; charset=utf-8"), None, body).is_ok());
        assert!(matches!(read(Some("text/html"), None, body), Err(ResolveError::NotPossible(_))));
    }

    #[test]
    fn a_wrong_digest_is_no_answer() {
        let body = json!({"mediaType": ACCEPTED[2]}).to_string();
        let named = digest('a');
        assert!(matches!(read(None, Some(&named), body.as_bytes()), Err(ResolveError::Unavailable(_))));
        let sha512 = format!("sha512:{}", hex::encode(Sha512::digest(body.as_bytes())));
        assert_eq!(read(None, Some(&sha512), body.as_bytes()).unwrap().digest.as_str(), sha512);
    }
}
