//! A push as CNCF distribution notifies it.

use jiff::Timestamp;
use serde_json::{Value, json};
use tidegate_domain::image::{Digest, ImageRef};
use uuid::Uuid;

/// The type that distribution 3 sends its envelope as.
pub(super) const CONTENT_TYPE: &str = "application/vnd.docker.distribution.events.v2+json";

/// The envelope of one manifest's push (captured from distribution 3.1, see tests/fixtures/webhooks/distribution).
pub(super) fn notification(image: &ImageRef, digest: &Digest, now: Timestamp, id: Uuid) -> Value {
    let (host, path) = (image.repository.registry(), image.repository.path());
    json!({ "events": [{
        "id": id,
        "timestamp": now,
        "action": "push",
        "target": {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": digest,
            "size": 418,
            "length": 418,
            "repository": path,
            "url": format!("http://{host}/v2/{path}/manifests/{digest}"),
            "tag": image.tag,
        },
        "request": { "id": Uuid::now_v7(), "addr": "127.0.0.1:42208", "host": host, "method": "PUT",
            "useragent": concat!("tidegate/", env!("CARGO_PKG_VERSION")) },
        "actor": { "name": "tidegate" },
        "source": { "addr": host, "instanceID": Uuid::now_v7() },
    }] })
}

#[cfg(test)]
mod tests {
    use tidegate_agent::simulated::digest_of;

    use super::*;

    #[test]
    fn names_the_image_as_distribution_does() {
        let image = ImageRef::parse("localhost:5000/tidegate/demo:v2").expect("a reference");
        let digest = digest_of("x");
        let envelope = notification(&image, &digest, Timestamp::UNIX_EPOCH, Uuid::nil());
        let event = &envelope["events"][0];
        assert_eq!(event["target"]["repository"], "tidegate/demo");
        assert_eq!(event["target"]["tag"], "v2");
        assert_eq!(event["request"]["host"], "localhost:5000");
        assert_eq!(event["timestamp"], "1970-01-01T00:00:00Z");
    }
}
