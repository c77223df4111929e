//! Pushing, as `docker push` does, by the distribution API.

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, LOCATION};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tidegate_domain::image::Digest;

use super::Registry;
use crate::error::RigError;
use crate::image::Image;

/// The media types of one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// As the OCI image specification has them.
    Oci,
    /// As Docker had them before.
    Docker,
}

impl Kind {
    const fn index(self) -> &'static str {
        match self {
            Self::Oci => "application/vnd.oci.image.index.v1+json",
            Self::Docker => "application/vnd.docker.distribution.manifest.list.v2+json",
        }
    }

    const fn manifest(self) -> &'static str {
        match self {
            Self::Oci => "application/vnd.oci.image.manifest.v1+json",
            Self::Docker => "application/vnd.docker.distribution.manifest.v2+json",
        }
    }

    const fn config(self) -> &'static str {
        match self {
            Self::Oci => "application/vnd.oci.image.config.v1+json",
            Self::Docker => "application/vnd.docker.container.image.v1+json",
        }
    }

    const fn layer(self) -> &'static str {
        match self {
            Self::Oci => "application/vnd.oci.image.layer.v1.tar",
            Self::Docker => "application/vnd.docker.image.rootfs.diff.tar",
        }
    }
}

/// What was pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// Registry, repository and tag.
    pub reference: String,
    /// What the tag means now.
    pub digest: Digest,
    /// The image's layers; of an index, those of all its images.
    pub layers: Vec<Digest>,
    bytes: usize,
}

impl Registry {
    /// Pushes an image; into this repository, under this tag.
    pub async fn push(&self, repository: &str, tag: &str, image: &Image) -> Result<Pushed, RigError> {
        self.push_as(Kind::Oci, repository, tag, image).await
    }

    /// The same with media types of this kind.
    pub async fn push_as(&self, kind: Kind, repository: &str, tag: &str, image: &Image) -> Result<Pushed, RigError> {
        let (mut layers, mut digests) = (Vec::new(), Vec::new());
        for layer in image.layers()? {
            let digest = self.upload(repository, &layer).await?;
            layers.push(json!({ "mediaType": kind.layer(), "digest": digest, "size": layer.len() }));
            digests.push(digest);
        }
        let config = image.config(&digests).to_string();
        let described = json!({ "mediaType": kind.config(), "size": config.len(),
            "digest": self.upload(repository, config.as_bytes()).await? });
        let manifest =
            json!({ "schemaVersion": 2, "mediaType": kind.manifest(), "config": described, "layers": layers });
        let (digest, bytes) = self.put(repository, tag, kind.manifest(), &manifest).await?;
        Ok(Pushed { reference: self.reference(&format!("{repository}:{tag}")), digest, layers: digests, bytes })
    }

    /// Pushes an index of images, one for each platform. Each image gets a tag of its own too.
    pub async fn push_index(
        &self,
        kind: Kind,
        repository: &str,
        tag: &str,
        images: &[Image],
    ) -> Result<Pushed, RigError> {
        let (mut entries, mut layers) = (Vec::new(), Vec::new());
        for image in images {
            let own = format!("{tag}-{}", image.platform().replace('/', "-"));
            let pushed = self.push_as(kind, repository, &own, image).await?;
            let mut parts = image.platform().split('/');
            let mut platform = json!({ "os": parts.next(), "architecture": parts.next() });
            if let Some(variant) = parts.next() {
                platform["variant"] = variant.into();
            }
            entries.push(json!({ "mediaType": kind.manifest(), "digest": pushed.digest, "size": pushed.bytes,
                "platform": platform }));
            layers.extend(pushed.layers);
        }
        let index = json!({ "schemaVersion": 2, "mediaType": kind.index(), "manifests": entries });
        let (digest, bytes) = self.put(repository, tag, kind.index(), &index).await?;
        Ok(Pushed { reference: self.reference(&format!("{repository}:{tag}")), digest, layers, bytes })
    }

    /// Uploads a blob; its digest.
    async fn upload(&self, repository: &str, bytes: &[u8]) -> Result<Digest, RigError> {
        let digest = digest_of(bytes);
        let url = format!("http://{}/v2/{repository}/blobs/uploads/", self.host);
        let begun = self.request(Method::POST, &url).send().await?;
        let location = begun.headers().get(LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let place = location.and_then(|location| reqwest::Url::parse(&url).ok()?.join(&location).ok());
        let Some(mut place) = place.filter(|_| begun.status() == 202) else {
            return Err(refused(format!("a blob of {repository}"), begun).await);
        };
        place.query_pairs_mut().append_pair("digest", digest.as_str());
        let done = self.request(Method::PUT, place.as_str()).body(bytes.to_vec()).send().await?;
        if done.status() == 201 { Ok(digest) } else { Err(refused(format!("a blob of {repository}"), done).await) }
    }

    /// Puts a manifest under a tag; its digest and its size in bytes.
    async fn put(
        &self,
        repository: &str,
        tag: &str,
        media_type: &str,
        manifest: &Value,
    ) -> Result<(Digest, usize), RigError> {
        let body = manifest.to_string().into_bytes();
        let (digest, bytes) = (digest_of(&body), body.len());
        let url = format!("http://{}/v2/{repository}/manifests/{tag}", self.host);
        let done = self.request(Method::PUT, &url).header(CONTENT_TYPE, media_type).body(body).send().await?;
        if done.status() == 201 { Ok((digest, bytes)) } else { Err(refused(format!("{repository}:{tag}"), done).await) }
    }
}

async fn refused(what: String, response: reqwest::Response) -> RigError {
    let status = response.status().as_u16();
    RigError::Refused { what, status, body: response.text().await.unwrap_or_default() }
}

fn digest_of(bytes: &[u8]) -> Digest {
    Digest::parse(&format!("sha256:{}", hex::encode(Sha256::digest(bytes)))).expect("a hash is a digest")
}
