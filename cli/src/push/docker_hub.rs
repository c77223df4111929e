//! A push as Docker Hub notifies it: a tag, and no digest.

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use serde_json::{Value, json};
use tidegate_domain::image::ImageRef;

/// The body (see tests/fixtures/webhooks/docker-hub).
pub(super) fn notification(image: &ImageRef, now: Timestamp) -> Result<Value> {
    if image.repository.registry() != "docker.io" {
        bail!("{} is not at Docker Hub; it tells of its own images alone", image.repository);
    }
    let path = image.repository.path();
    let (namespace, name) = path.split_once('/').context("an image of Docker Hub has a namespace")?;
    let tag = image.tag.as_ref().context("Docker Hub tells of tags; the image has none")?;
    Ok(json!({
        "push_data": { "pushed_at": now.as_second(), "images": [], "tag": tag, "pusher": namespace },
        "callback_url": format!("https://registry.hub.docker.com/u/{path}/hook/made-up/"),
        "repository": {
            "status": "Active", "is_official": namespace == "library", "is_private": false, "is_trusted": false,
            "repo_name": path, "namespace": namespace, "name": name, "owner": namespace,
            "repo_url": format!("https://hub.docker.com/r/{path}"),
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_image_as_docker_hub_does() {
        let image = ImageRef::parse("nginx:1.27").expect("a reference");
        let body = notification(&image, Timestamp::UNIX_EPOCH).expect("at Docker Hub");
        assert_eq!(body["repository"]["repo_name"], "library/nginx");
        assert_eq!(body["push_data"]["tag"], "1.27");
        for other in [
            "ghcr.io/acme/app:v1",
            "docker.io/acme/app@sha256:0000000000000000000000000000000000000000000000000000000000000000",
        ] {
            assert!(
                notification(&ImageRef::parse(other).expect("a reference"), Timestamp::UNIX_EPOCH).is_err(),
                "{other}"
            );
        }
    }
}
