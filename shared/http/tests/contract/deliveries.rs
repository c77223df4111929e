//! Deliveries as registries send them, and as those send them who would like to be one.

mod distribution;
mod docker_hub;
mod envelopes;
mod ghcr;
mod later;
mod merged;
mod order;
mod proofs;
mod stale;

use axum::body::Body;
use axum::http::{Method, Request};
use hmac::{Hmac, Mac};
use serde_json::Value;
use sha2::Sha256;

use crate::world::{Answer, WEBHOOK, World};

const PATH: &str = "/api/v1/webhooks/docker-registry";

pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// `sha256:` and 64 times this digit.
fn sha(digit: char) -> String {
    format!("sha256:{}", digit.to_string().repeat(64))
}

/// What is sent: header fields and raw bytes, without a proof.
#[derive(Clone)]
struct Sent {
    fields: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Sent {
    fn json(body: &Value) -> Self {
        Self::raw("application/json", body.to_string())
    }

    fn raw(content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { fields: vec![("content-type", content_type.to_owned())], body: body.into() }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    fn signed_by(self, secret: &str) -> Self {
        let signature = format!("sha256={}", signature(secret, &self.body));
        self.with("x-hub-signature-256", signature)
    }

    async fn to(&self, world: &World, path: &str) -> Answer {
        let mut request = Request::builder().method(Method::POST).uri(path);
        for (name, value) in &self.fields {
            request = request.header(*name, value);
        }
        world.send(request.body(Body::from(self.body.clone())).unwrap()).await
    }

    /// Sends it with the secret as bearer token.
    async fn deliver(&self, world: &World) -> Answer {
        self.clone().with("authorization", format!("Bearer {WEBHOOK}")).to(world, PATH).await
    }

    /// What a world without policies makes of it; a status other than 202 stands alone.
    async fn told(&self) -> Vec<String> {
        told(&self.deliver(&World::new()).await)
    }
}

fn signature(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

/// Each entry of an answer: `status reason image:tag@digest`, as far as there is any of them; digests by their first
/// digit.
fn told(answer: &Answer) -> Vec<String> {
    if answer.status != 202 {
        return vec![answer.status.as_u16().to_string()];
    }
    let body = answer.json();
    let entries = body["deliveries"].as_array().unwrap();
    assert!(!entries.is_empty(), "{body}");
    if let [only] = entries.as_slice() {
        assert_eq!((&body["status"], &body["rollout_id"]), (&only["status"], &only["rollout_id"]), "{body}");
    } else {
        assert!(body["status"].is_null() && body["rollout_id"].is_null(), "{body}");
    }
    let word = |entry: &Value, name: &str, before: &str| {
        entry[name].as_str().map_or(String::new(), |text| format!("{before}{text}"))
    };
    entries
        .iter()
        .map(|entry| {
            let digest = word(entry, "digest", "@sha256:").replace("sha256:sha256:", "");
            let digest: String = digest.chars().take(2).collect();
            let reference = format!("{}{}{digest}", word(entry, "image", " "), word(entry, "tag", ":"));
            format!("{}{}{reference}", word(entry, "status", ""), word(entry, "reason", " "))
        })
        .collect()
}

/// Label, delivery, what is told of it: its entries, divided by commas.
struct Case(&'static str, Sent, String);

fn case(label: &'static str, sent: Sent, expected: impl Into<String>) -> Case {
    Case(label, sent, expected.into())
}

/// Sends each case to a world of its own.
async fn check(cases: Vec<Case>) {
    for Case(label, sent, expected) in cases {
        assert_eq!(sent.told().await.join(", "), expected, "{label}");
    }
}
