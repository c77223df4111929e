//! Is it an image that devices could run? Registries hold charts, signatures, attestations and SBOMs beside images,
//! and their webhooks tell of all of them alike.
//!
//! The tag's shape and the media types decide. What tells nothing is taken for an image, to be verified at the
//! registry.

use super::IgnoreReason;
use super::content::essence;
use crate::image::Digest;
use crate::registry::Kind;

/// The media types that a payload tells of a manifest.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct MediaTypes<'v> {
    /// Of the manifest or index itself.
    pub(super) manifest: Option<&'v str>,
    /// Of its config.
    pub(super) config: Option<&'v str>,
    /// Of its layers, or of whatever else it refers to, as far as told.
    pub(super) parts: &'v [&'v str],
    /// It says of itself that it is an artifact (`artifactType`) or refers to another manifest (`subject`).
    pub(super) is_artifact: bool,
}

/// The tag of what is, as far as told, an image; else why it is none.
pub(super) fn image_tag<'v>(tag: Option<&'v str>, types: &MediaTypes<'_>) -> Result<&'v str, IgnoreReason> {
    let tag = match tag {
        Some(tag) if !is_digest(tag) => tag,
        Some(_) | None if types.manifest.is_some_and(is_blob) => return Err(IgnoreReason::NotAnImage),
        Some(_) | None => return Err(IgnoreReason::Untagged),
    };
    if is_referrer_tag(tag) || !may_be_image(types) { Err(IgnoreReason::NotAnImage) } else { Ok(tag) }
}

/// Whether a media type is that of an index of several platforms.
pub(super) fn is_index(media_type: &str) -> bool {
    Kind::of(media_type) == Some(Kind::Index)
}

/// Whether a media type is that of an image's config.
pub(super) fn is_image_config(media_type: &str) -> bool {
    matches!(
        essence(media_type).as_str(),
        "application/vnd.oci.image.config.v1+json" | "application/vnd.docker.container.image.v1+json"
    )
}

/// Whether a media type is that of an image manifest that has a config (Docker's first schema has none).
pub(super) fn has_config(media_type: &str) -> bool {
    Kind::of(media_type) == Some(Kind::Manifest)
}

fn may_be_image(types: &MediaTypes<'_>) -> bool {
    let told = types.manifest.iter().chain(&types.config).chain(types.parts);
    // A config of its own type is how an artifact says what it is (OCI image spec, "Guidelines for artifact usage").
    // Only the first builders of Docker's second schema wrote `application/octet-stream` for an image's config.
    let artifact_config = types.config.is_some_and(|config| !is_image_config(config) && !is_octet_stream(config));
    !types.is_artifact && !artifact_config && !types.manifest.is_some_and(is_blob) && !told.copied().any(names_artifact)
}

/// Media types of charts, signatures, attestations, SBOMs and other things in a registry that are no images.
fn names_artifact(media_type: &str) -> bool {
    const MARKS: [&str; 14] = [
        "helm.config",
        "helm.chart",
        "vnd.dev.cosign",
        "vnd.dev.sigstore",
        "in-toto",
        "dsse.envelope",
        "spdx",
        "cyclonedx",
        "vnd.syft",
        "vnd.cncf.notary",
        "vnd.oci.empty",
        "vnd.oci.artifact",
        "vnd.docker.plugin",
        "vnd.cncf.flux",
    ];
    let media_type = essence(media_type);
    MARKS.iter().any(|mark| media_type.contains(mark))
}

/// Distribution sends every blob as an octet stream (captured); older ones sent the layer's type.
fn is_blob(media_type: &str) -> bool {
    let layer = essence(media_type);
    is_octet_stream(media_type) || layer.contains("image.rootfs.") || layer.contains("image.layer.")
}

fn is_octet_stream(media_type: &str) -> bool {
    essence(media_type) == "application/octet-stream"
}

/// Some senders put the digest where a tag belongs.
fn is_digest(tag: &str) -> bool {
    Digest::parse(tag).is_ok() || tag.starts_with("sha256:") || tag.starts_with("sha512:")
}

/// `sha256-<64 hex>`, alone (the OCI referrers' fallback) or with `.sig`, `.att`, `.sbom` … (cosign).
fn is_referrer_tag(tag: &str) -> bool {
    let Some((digits, rest)) = tag.strip_prefix("sha256-").and_then(|rest| rest.split_at_checked(64)) else {
        return false;
    };
    let hex = digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    hex && (rest.is_empty() || (rest.starts_with('.') && rest.len() > 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

    #[test]
    fn tags() {
        let digits = "0123456789abcdef".repeat(4);
        let cases = [
            (Some("1.4.2".to_owned()), Ok(())),
            (Some("sha256-short".to_owned()), Ok(())),
            (Some("sha-0e2a89b".to_owned()), Ok(())),
            (Some(format!("sha256-{}", digits.to_uppercase())), Ok(())),
            (Some(format!("sha256-{digits}.")), Ok(())),
            (Some(format!("sha256-{digits}x")), Ok(())),
            (Some(format!("sha256-{digits}")), Err(IgnoreReason::NotAnImage)),
            (Some(format!("sha256-{digits}.sig")), Err(IgnoreReason::NotAnImage)),
            (Some(format!("sha256-{digits}.att")), Err(IgnoreReason::NotAnImage)),
            (Some(format!("sha256-{digits}.sbom.2")), Err(IgnoreReason::NotAnImage)),
            (Some(format!("sha256:{digits}")), Err(IgnoreReason::Untagged)),
            (Some("sha256:short".to_owned()), Err(IgnoreReason::Untagged)),
            (Some("sha256-äääääääääääääääääääääääääääääää".to_owned()), Ok(())),
            (None, Err(IgnoreReason::Untagged)),
        ];
        for (tag, expected) in cases {
            let found = image_tag(tag.as_deref(), &MediaTypes::default()).map(|_| ());
            assert_eq!(found, expected, "{tag:?}");
        }
    }

    #[test]
    fn media_types() {
        let none = MediaTypes::default();
        let oci = MediaTypes { manifest: Some(MANIFEST), config: Some(CONFIG), parts: &[LAYER], ..none };
        let cases = [
            ("nothing told", none, true),
            ("an image", oci, true),
            (
                "an image, with parameters",
                MediaTypes { config: Some("Application/vnd.oci.image.config.v1+json; q=1"), ..oci },
                true,
            ),
            (
                "docker's config",
                MediaTypes { config: Some("application/vnd.docker.container.image.v1+json"), ..oci },
                true,
            ),
            ("an index", MediaTypes { manifest: Some("application/vnd.oci.image.index.v1+json"), ..none }, true),
            (
                "docker's first schema",
                MediaTypes { manifest: Some("application/vnd.docker.distribution.manifest.v1+prettyjws"), ..none },
                true,
            ),
            ("config of an early builder", MediaTypes { config: Some("application/octet-stream"), ..oci }, true),
            ("unknown manifest type", MediaTypes { manifest: Some("application/x-new"), ..none }, true),
            ("helm chart", MediaTypes { config: Some("application/vnd.cncf.helm.config.v1+json"), ..oci }, false),
            ("acr's helm chart", MediaTypes { manifest: Some("application/vnd.acr.helm.chart"), ..none }, false),
            (
                "cosign signature under an image's config",
                MediaTypes { parts: &["application/vnd.dev.cosign.simplesigning.v1+json"], ..oci },
                false,
            ),
            (
                "attestation under an image's config",
                MediaTypes { parts: &["application/vnd.in-toto+json"], ..oci },
                false,
            ),
            (
                "attestation in an envelope",
                MediaTypes { parts: &["application/vnd.dsse.envelope.v1+json"], ..oci },
                false,
            ),
            ("sbom", MediaTypes { parts: &["text/spdx+json"], ..oci }, false),
            ("sbom, other format", MediaTypes { parts: &["application/vnd.cyclonedx+json"], ..oci }, false),
            ("empty config", MediaTypes { config: Some("application/vnd.oci.empty.v1+json"), ..oci }, false),
            (
                "any other config",
                MediaTypes { config: Some("application/vnd.acme.rocket.config.v1+json"), ..oci },
                false,
            ),
            ("docker plugin", MediaTypes { config: Some("application/vnd.docker.plugin.v1+json"), ..oci }, false),
            ("says that it is an artifact", MediaTypes { is_artifact: true, ..oci }, false),
            (
                "withdrawn artifact manifest",
                MediaTypes { manifest: Some("application/vnd.oci.artifact.manifest.v1+json"), ..none },
                false,
            ),
            ("blob", MediaTypes { manifest: Some("application/octet-stream"), ..none }, false),
            ("layer", MediaTypes { manifest: Some(LAYER), ..none }, false),
        ];
        for (label, types, image) in cases {
            assert_eq!(image_tag(Some("1.4.2"), &types).is_ok(), image, "{label}");
        }
    }
}
