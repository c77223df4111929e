//! Pushes images as `docker push` does, by the distribution API.

use rand::RngCore as _;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, LOCATION};
use serde_json::{Value, json};
use tidegate_domain::image::Digest;
use tidegate_domain::registry::{ACCEPTED, content_digest};

use crate::real::RealRegistry;
use crate::setup::anonymous;

/// An image as it was pushed.
pub(crate) struct Pushed {
    pub(crate) digest: Digest,
    pub(crate) config: Digest,
    pub(crate) layer: Digest,
    pub(crate) layer_bytes: Vec<u8>,
    size: usize,
}

/// Bytes that nothing makes smaller.
pub(crate) fn noise(bytes: usize) -> Vec<u8> {
    let mut noise = vec![0; bytes];
    rand::rng().fill_bytes(&mut noise);
    noise
}

pub(crate) fn digest_of(bytes: &[u8]) -> Digest {
    content_digest(None, bytes).expect("a digest")
}

/// The manifest of an image with this config and this layer.
pub(crate) fn manifest(config: &[u8], layer: &[u8]) -> Value {
    let blob = |kind: &str, bytes: &[u8]| json!({"mediaType": kind, "digest": digest_of(bytes), "size": bytes.len()});
    json!({
        "schemaVersion": 2,
        "mediaType": ACCEPTED[2],
        "config": blob("application/vnd.oci.image.config.v1+json", config),
        "layers": [blob("application/vnd.oci.image.layer.v1.tar", layer)],
    })
}

/// The config of an image for this platform.
pub(crate) fn config(platform: &str) -> Vec<u8> {
    let mut parts = platform.split('/');
    let config = json!({
        "os": parts.next(), "architecture": parts.next(), "variant": parts.next(),
        "rootfs": {"type": "layers", "diff_ids": []},
    });
    config.to_string().into_bytes()
}

/// Pushes an image of one layer.
pub(crate) async fn image(registry: &RealRegistry, name: &str, tag: &str, platform: &str, bytes: usize) -> Pushed {
    // The requests need what a client of ours sets up for the process.
    drop(anonymous());
    let (config, layer_bytes) = (config(platform), noise(bytes));
    for blob in [&config, &layer_bytes] {
        upload(registry, name, blob).await;
    }
    let manifest = manifest(&config, &layer_bytes).to_string().into_bytes();
    let digest = put(registry, name, tag, ACCEPTED[2], &manifest).await;
    Pushed { digest, config: digest_of(&config), layer: digest_of(&layer_bytes), layer_bytes, size: manifest.len() }
}

pub(crate) async fn index(registry: &RealRegistry, name: &str, tag: &str, images: &[(&str, &Pushed)]) -> Digest {
    let entries: Vec<Value> = images
        .iter()
        .map(|(platform, image)| {
            let mut parts = platform.split('/');
            let mut described = json!({"os": parts.next(), "architecture": parts.next()});
            if let Some(variant) = parts.next() {
                described["variant"] = variant.into();
            }
            json!({"mediaType": ACCEPTED[2], "digest": image.digest, "size": image.size, "platform": described})
        })
        .collect();
    let index = json!({"schemaVersion": 2, "mediaType": ACCEPTED[0], "manifests": entries}).to_string();
    put(registry, name, tag, ACCEPTED[0], index.as_bytes()).await
}

async fn upload(registry: &RealRegistry, name: &str, bytes: &[u8]) {
    let url = format!("http://{}/v2/{name}/blobs/uploads/", registry.host());
    let begun = registry.request(Method::POST, &url).send().await.expect("an upload begins");
    let location = begun.headers()[LOCATION].to_str().expect("a location").to_owned();
    let mut place = reqwest::Url::parse(&url).and_then(|url| url.join(&location)).expect("a URL");
    place.query_pairs_mut().append_pair("digest", digest_of(bytes).as_str());
    let done = registry.request(Method::PUT, place.as_str()).body(bytes.to_vec()).send().await.expect("an upload");
    assert_eq!(done.status(), 201, "an upload is done");
}

async fn put(registry: &RealRegistry, name: &str, tag: &str, media_type: &str, body: &[u8]) -> Digest {
    let url = format!("http://{}/v2/{name}/manifests/{tag}", registry.host());
    let request = registry.request(Method::PUT, &url).header(CONTENT_TYPE, media_type);
    let response = request.body(body.to_vec()).send().await.expect("a push");
    assert_eq!(response.status(), 201, "a push is done");
    digest_of(body)
}
