//! A push as GitHub notifies it: signed, with the digest where it is known.

use anyhow::{Context, Result, bail};
use hmac::{Hmac, Mac as _};
use jiff::Timestamp;
use reqwest::header::HeaderName;
use serde_json::{Value, json};
use sha2::Sha256;
use tidegate_domain::image::{Digest, ImageRef};
use uuid::Uuid;

/// The body (see tests/fixtures/webhooks/ghcr).
pub(super) fn notification(image: &ImageRef, digest: Option<&Digest>, now: Timestamp) -> Result<Value> {
    if image.repository.registry() != "ghcr.io" {
        bail!("{} is not at ghcr.io; GitHub tells of its own images alone", image.repository);
    }
    let path = image.repository.path();
    let (owner, name) = path.split_once('/').context("an image of ghcr.io has an owner")?;
    let tag = image.tag.as_ref().context("only a tagged image is a release; the image has no tag")?;
    let mut tagged = json!({ "name": tag });
    let mut version = json!({ "package_url": format!("ghcr.io/{path}:{tag}") });
    if let Some(digest) = digest {
        tagged["digest"] = json!(digest);
        version["version"] = json!(digest);
        version["name"] = json!(digest);
    }
    version["container_metadata"] = json!({ "tag": tagged, "manifest": {
        "digest": digest, "media_type": "application/vnd.oci.image.manifest.v1+json",
        "config": { "media_type": "application/vnd.oci.image.config.v1+json" }, "layers": [],
    } });
    Ok(json!({ "action": "published", "registry_package": {
        "name": name, "namespace": owner, "ecosystem": "CONTAINER", "package_type": "CONTAINER",
        "updated_at": now, "owner": { "login": owner, "type": "Organization" }, "package_version": version,
    } }))
}

/// What proves who sent it, and says what it is.
pub(super) fn headers(body: &[u8], secret: &str, id: Uuid) -> [(HeaderName, String); 3] {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("an HMAC takes keys of every length");
    mac.update(body);
    [
        (HeaderName::from_static("x-github-event"), "registry_package".to_owned()),
        (HeaderName::from_static("x-github-delivery"), id.to_string()),
        (
            HeaderName::from_static("x-hub-signature-256"),
            format!("sha256={}", hex::encode(mac.finalize().into_bytes())),
        ),
    ]
}
