//! Pushes images as `docker push` does, by the distribution API.

use std::collections::BTreeMap;

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, LOCATION};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tidegate_domain::image::Digest;

use crate::real::RealRegistry;

/// The media types of one family.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    index: &'static str,
    manifest: &'static str,
    config: &'static str,
    layer: &'static str,
}

/// As the OCI image specification has them.
pub(crate) const OCI: Kind = Kind {
    index: "application/vnd.oci.image.index.v1+json",
    manifest: "application/vnd.oci.image.manifest.v1+json",
    config: "application/vnd.oci.image.config.v1+json",
    layer: "application/vnd.oci.image.layer.v1.tar",
};

/// As Docker had them before.
pub(crate) const DOCKER: Kind = Kind {
    index: "application/vnd.docker.distribution.manifest.list.v2+json",
    manifest: "application/vnd.docker.distribution.manifest.v2+json",
    config: "application/vnd.docker.container.image.v1+json",
    layer: "application/vnd.docker.image.rootfs.diff.tar",
};

/// What was pushed.
pub(crate) struct Pushed {
    pub(crate) digest: Digest,
    pub(crate) platforms: BTreeMap<String, Digest>,
    bytes: usize,
}

impl Pushed {
    /// One image.
    pub(crate) async fn manifest(registry: &RealRegistry, repository: &str, tag: &str, platform: &str) -> Self {
        Self::manifest_of(registry, repository, tag, OCI, platform).await
    }

    /// An index of images, each of its own.
    pub(crate) async fn index(
        registry: &RealRegistry,
        repository: &str,
        tag: &str,
        kind: Kind,
        platforms: &[&str],
    ) -> Self {
        let (mut entries, mut digests) = (Vec::new(), BTreeMap::new());
        for platform in platforms {
            let tag = format!("{tag}-{}", platform.replace('/', "-"));
            let image = Self::manifest_of(registry, repository, &tag, kind, platform).await;
            let mut parts = platform.split('/');
            let mut described = json!({"os": parts.next(), "architecture": parts.next()});
            if let Some(variant) = parts.next() {
                described["variant"] = variant.into();
            }
            entries.push(json!({
                "mediaType": kind.manifest, "digest": image.digest, "size": image.bytes, "platform": described,
            }));
            digests.insert((*platform).to_owned(), image.digest);
        }
        let index = json!({"schemaVersion": 2, "mediaType": kind.index, "manifests": entries});
        let (digest, bytes) = put(registry, repository, tag, kind.index, &index).await;
        Self { digest, platforms: digests, bytes }
    }

    async fn manifest_of(registry: &RealRegistry, repository: &str, tag: &str, kind: Kind, platform: &str) -> Self {
        let layer = format!("files for {platform}");
        let (os, architecture) = platform.split_once('/').expect("a platform");
        let config = json!({"os": os, "architecture": architecture, "rootfs": {"type": "layers", "diff_ids": []}});
        let mut blobs = Vec::new();
        for (media_type, bytes) in [(kind.config, config.to_string()), (kind.layer, layer)] {
            let digest = upload(registry, repository, bytes.as_bytes()).await;
            blobs.push(json!({"mediaType": media_type, "digest": digest, "size": bytes.len()}));
        }
        let manifest =
            json!({"schemaVersion": 2, "mediaType": kind.manifest, "config": blobs[0], "layers": [blobs[1]]});
        let (digest, bytes) = put(registry, repository, tag, kind.manifest, &manifest).await;
        Self { digest, platforms: BTreeMap::new(), bytes }
    }
}

fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// Uploads a blob; its digest.
async fn upload(registry: &RealRegistry, repository: &str, bytes: &[u8]) -> String {
    let url = format!("http://{}/v2/{repository}/blobs/uploads/", registry.host());
    let begun = registry.request(Method::POST, &url).send().await.expect("an upload begins");
    assert_eq!(begun.status(), 202, "an upload begins");
    let location = begun.headers()[LOCATION].to_str().expect("a location").to_owned();
    let digest = digest_of(bytes);
    let mut place = reqwest::Url::parse(&url).and_then(|url| url.join(&location)).expect("a URL");
    place.query_pairs_mut().append_pair("digest", &digest);
    let done = registry.request(Method::PUT, place.as_str()).body(bytes.to_vec()).send().await.expect("an upload");
    assert_eq!(done.status(), 201, "an upload is done");
    digest
}

/// Puts a manifest under a tag; its digest and its size in bytes.
async fn put(
    registry: &RealRegistry,
    repository: &str,
    tag: &str,
    media_type: &str,
    manifest: &Value,
) -> (Digest, usize) {
    let body = serde_json::to_vec_pretty(manifest).expect("JSON");
    let url = format!("http://{}/v2/{repository}/manifests/{tag}", registry.host());
    let request = registry.request(Method::PUT, &url).header(CONTENT_TYPE, media_type);
    let response = request.body(body.clone()).send().await.expect("a push");
    let status = response.status();
    assert_eq!(status, 201, "{}", response.text().await.unwrap_or_default());
    (Digest::parse(&digest_of(&body)).expect("a digest"), body.len())
}
