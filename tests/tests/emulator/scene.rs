//! What a case has to itself: a fleet, a policy, an image, pushed as a CNCF distribution registry notifies it.

use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::client::Client;

/// A registry that nobody asks: every push names its digest.
const REGISTRY: &str = "localhost:5000";

/// A case's own names.
pub(crate) struct Scene {
    /// Of the policy and of the fleet alike.
    pub(crate) name: String,
    /// Of the image.
    pub(crate) repository: String,
}

/// A notification, which a registry may send more than once.
pub(crate) struct Notification(Value);

impl Scene {
    /// Stores a policy with these changes to a quick one in three batches.
    pub(crate) async fn set(client: &Client, label: &str, changes: &Value) -> Self {
        Self::at(client, label, REGISTRY, changes).await
    }

    /// The same with an image of this registry.
    pub(crate) async fn at(client: &Client, label: &str, registry: &str, changes: &Value) -> Self {
        let name = format!("{label}-{}", &Uuid::new_v4().simple().to_string()[..8]);
        let repository = format!("{registry}/e2e/{name}");
        let mut policy = json!({
            "name": name,
            "image_pattern": format!("{repository}:*"),
            "fleet_id": name,
            "update_strategy": "staged",
            "staged_batches": ["10%", "50%", "100%"],
            "batch_delay": "1s",
            "soak_seconds": 0,
            "healthy_for_seconds": 1,
            "health_check_timeout_seconds": 30,
            "health_check": { "type": "http", "endpoint": "http://localhost:8080/health", "expected_status": 200,
                "timeout_seconds": 5, "retry_count": 1, "interval_seconds": 1 },
            "rollback_timeout_seconds": 60,
        });
        for (field, value) in changes.as_object().into_iter().flatten() {
            policy[field] = value.clone();
        }
        client.post("/api/v1/image-policies", &policy).await.is(201);
        Self { name, repository }
    }

    /// A version's reference.
    pub(crate) fn image(&self, tag: &str) -> String {
        format!("{}:{tag}", self.repository)
    }

    /// A version's digest, as the simulated devices compute it.
    pub(crate) fn digest(&self, tag: &str) -> String {
        format!("sha256:{}", hex::encode(Sha256::digest(self.image(tag))))
    }

    /// What the registry tells of a push.
    pub(crate) fn notification(&self, tag: &str) -> Notification {
        let (host, path) = self.repository.split_once('/').expect("a registry and a path");
        let digest = self.digest(tag);
        Notification(json!({ "events": [{
            "id": Uuid::new_v4(),
            "timestamp": Timestamp::now(),
            "action": "push",
            "target": { "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": 418,
                "length": 418, "repository": path, "url": format!("http://{host}/v2/{path}/manifests/{digest}"),
                "tag": tag },
            "request": { "id": Uuid::new_v4(), "addr": "127.0.0.1:42208", "host": host, "method": "PUT",
                "useragent": "tidegate-tests" },
            "actor": { "name": "tidegate-tests" },
            "source": { "addr": host, "instanceID": Uuid::new_v4() },
        }] }))
    }

    /// What the registry tells of several pushes in one delivery.
    pub(crate) fn envelope(&self, tags: &[String]) -> Notification {
        let events: Vec<Value> = tags.iter().map(|tag| self.notification(tag).0["events"][0].take()).collect();
        Notification(json!({ "events": events }))
    }

    /// Pushes a version; the rollout that it began.
    pub(crate) async fn push(&self, client: &Client, tag: &str) -> String {
        let told = self.notification(tag).send(client).await;
        told["rollout_id"].as_str().unwrap_or_else(|| panic!("no rollout: {told}")).to_owned()
    }

    /// The rollouts of the image, newest first.
    pub(crate) async fn rollouts(&self, client: &Client) -> Vec<Value> {
        client.list(&format!("/api/v1/rollouts?image={}", self.repository)).await
    }
}

impl Notification {
    /// Sends it; its entries.
    pub(crate) async fn deliver(&self, client: &Client) -> Value {
        let secret = &client.stack.webhook;
        let path = "/api/v1/webhooks/docker-registry";
        client.call(Method::POST, path, secret, Some(&self.0)).await.is(202)
    }

    /// Sends it; the one delivery that it makes.
    pub(crate) async fn send(&self, client: &Client) -> Value {
        let mut answer = self.deliver(client).await;
        assert_eq!(answer["deliveries"].as_array().map(Vec::len), Some(1), "{answer}");
        answer["deliveries"][0].take()
    }
}
