//! A push as a CNCF distribution registry notifies it, for fleets that have no registry.

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::AUTHORIZATION;
use serde::Deserialize;
use serde_json::{Value, json};
use tidegate_domain::image::{Digest, ImageRef};
use uuid::Uuid;

use crate::api::{Api, Call, Caller};

/// The type that distribution 3 sends its envelope as.
const CONTENT_TYPE: &str = "application/vnd.docker.distribution.events.v2+json";

/// What became of a push.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Told {
    pub(crate) status: String,
    pub(crate) reason: Option<String>,
    pub(crate) policy: Option<String>,
    pub(crate) rollout_id: Option<String>,
    pub(crate) affected_devices: Option<u32>,
}

#[derive(Deserialize)]
struct Answer {
    deliveries: Vec<Told>,
}

/// Tells the stack that this image was pushed, as its registry would; answers what became of it, per policy.
pub(crate) async fn push(api: &Api, image: &ImageRef, digest: &Digest) -> Result<Vec<Told>> {
    let envelope = notification(image, digest, Timestamp::now(), Uuid::now_v7());
    let call = Call::new(Method::POST, "/api/v1/webhooks/docker-registry", Caller::Nobody)
        .header(AUTHORIZATION, &format!("Bearer {}", api.connection().webhook_secret()?))
        .body(CONTENT_TYPE, serde_json::to_vec(&envelope)?);
    let answer: Answer = api.call(&call).await.context("the webhook was not taken")?.read()?;
    Ok(answer.deliveries)
}

/// The rollout that the push began under this policy; an error that says why there is none.
pub(crate) fn begun(told: &[Told], policy: Option<&str>) -> Result<String> {
    let found = told.iter().find(|told| policy.is_none() || told.policy.as_deref() == policy);
    match found {
        Some(Told { rollout_id: Some(id), .. }) => Ok(id.clone()),
        Some(Told { status, .. }) if status == "no_policy" => {
            bail!("no policy matches the pushed image; tidegate policies list lists those that there are")
        }
        Some(Told { status, reason, .. }) => {
            bail!(
                "the push began no rollout: {status}{}",
                reason.as_ref().map(|r| format!(" ({r})")).unwrap_or_default()
            )
        }
        None => bail!("the push was matched by no policy"),
    }
}

/// The envelope of one manifest's push (captured from distribution 3.1, see tests/fixtures/webhooks/distribution).
fn notification(image: &ImageRef, digest: &Digest, now: Timestamp, id: Uuid) -> Value {
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
    use super::*;
    use tidegate_agent::pretended::digest_of;

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

    #[test]
    fn says_why_no_rollout_began() {
        let told = |status: &str, id: Option<&str>| Told {
            status: status.to_owned(),
            policy: Some("p".to_owned()),
            rollout_id: id.map(str::to_owned),
            ..Told::default()
        };
        assert_eq!(begun(&[told("rollout_created", Some("R"))], Some("p")).expect("begun"), "R");
        let error = begun(&[told("no_devices", None)], None).expect_err("nothing begun").to_string();
        assert_eq!(error, "the push began no rollout: no_devices");
        assert!(begun(&[], None).is_err());
    }
}
