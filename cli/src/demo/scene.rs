//! What a demo has to itself: a fleet, a policy, an image. A second demo on the same stack gets others, so that nobody
//! waits for the devices of the first, which are gone.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tidegate_domain::image::{Digest, ImageRef, Repository, Tag};

use crate::api::{Api, Policy};
use tidegate_agent::image::Image;
use tidegate_agent::simulated::{FaultProfile, digest_of};

/// The registry of the image: one that the local stack allows beside the public ones.
pub(super) const REGISTRY: &str = "localhost:5000";
/// The bad version.
pub(super) const BAD: &str = "v3";
/// The good version.
pub(super) const GOOD: &str = "v2";

/// The scene.
#[derive(Debug)]
pub(super) struct Scene {
    /// Of the policy and of the fleet alike.
    pub(super) name: String,
    /// Of the image.
    pub(super) repository: Repository,
}

impl Scene {
    /// Finds a name that no demo had before, for an image in this registry, and stores its policy, in which these fields
    /// are other than [`Self::policy`] has them.
    pub(super) async fn set(api: &Api, registry: &str, others: &Value) -> Result<Self> {
        let policies: Vec<Policy> = api.list("/api/v1/image-policies", &[], None).await?;
        let scene = Self::named(&policies.iter().map(|policy| policy.name.as_str()).collect(), registry)?;
        let mut policy = scene.policy();
        if let (Some(fields), Some(others)) = (policy.as_object_mut(), others.as_object()) {
            fields.extend(others.clone());
        }
        api.post("/api/v1/image-policies", &policy).await.context("the demo's policy was not stored")?;
        Ok(scene)
    }

    fn named(taken: &BTreeSet<&str>, registry: &str) -> Result<Self> {
        let mut number = 1;
        let name = loop {
            let name = if number == 1 { "demo".to_owned() } else { format!("demo-{number}") };
            if !taken.contains(name.as_str()) {
                break name;
            }
            number += 1;
        };
        let repository = Repository::parse(&format!("{registry}/tidegate/{name}"))?;
        Ok(Self { name, repository })
    }

    /// Three batches, a short wait between them, and the default failure rules.
    fn policy(&self) -> Value {
        json!({
            "name": self.name,
            "image_pattern": format!("{}:*", self.repository),
            "fleet_id": self.name,
            "update_strategy": "staged",
            "staged_batches": ["10%", "50%", "100%"],
            "batch_delay": "5s",
            "soak_seconds": 2,
            "healthy_for_seconds": 1,
            "health_check_timeout_seconds": 30,
            "health_check": { "type": "http", "endpoint": "http://localhost:8080/health", "expected_status": 200,
                "timeout_seconds": 5, "retry_count": 1, "interval_seconds": 1 },
            "rollback_timeout_seconds": 60,
            "max_failure_rate": 0.2,
            "max_consecutive_failures": 3,
            "auto_rollback": true,
        })
    }

    /// A version of the image.
    pub(super) fn image(&self, tag: &str) -> Image {
        let image = format!("{}:{tag}", self.repository);
        Image { digest: Some(digest_of(&image)), image }
    }

    /// A version as it is pushed.
    pub(super) fn pushed(&self, tag: &str) -> Result<(ImageRef, Digest)> {
        let reference = ImageRef::tagged(self.repository.clone(), Tag::parse(tag)?);
        let digest = digest_of(&reference.to_string());
        Ok((reference, digest))
    }

    /// Every version works but the bad one: the first device that wants it cannot fetch it, and it is unhealthy on all
    /// others.
    pub(super) fn profiles(&self) -> impl Fn(usize, &Image) -> FaultProfile + Send + Sync + 'static {
        let bad = self.image(BAD);
        let first: Mutex<Option<usize>> = Mutex::new(None);
        move |number, image| {
            if !image.is_same(&bad) {
                return FaultProfile::Healthy;
            }
            let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
            if *first.get_or_insert(number) == number { FaultProfile::PullFails } else { FaultProfile::Unhealthy }
        }
    }
}

#[cfg(test)]
mod tests {
    use tidegate_domain::ids::PolicyId;
    use tidegate_domain::policy::{Origin, PolicyDefaults, RawPolicy};
    use tidegate_domain::strategy::compile;

    use super::*;

    #[test]
    fn every_demo_has_its_own_names_and_a_policy_without_mistakes() {
        let names = |taken: &[&str]| Scene::named(&taken.iter().copied().collect(), REGISTRY).expect("a name").name;
        assert_eq!(names(&[]), "demo");
        assert_eq!(names(&["demo", "demo-2"]), "demo-3");
        let policy = Scene::named(&BTreeSet::new(), REGISTRY).expect("a name").policy();
        let raw = RawPolicy::from_json("", &policy).expect("the contract's fields");
        let defaults = PolicyDefaults { allowed_registries: None, ..PolicyDefaults::default() };
        let checked = raw.validate(&defaults, PolicyId::trusted(""), jiff::Timestamp::UNIX_EPOCH, Origin::Api);
        assert_eq!(compile(&checked.expect("no mistakes")).boundaries(200), [20, 100, 200]);
    }

    #[test]
    fn the_bad_version_fails_everywhere_in_two_ways() {
        let scene = Scene::named(&BTreeSet::new(), REGISTRY).expect("a name");
        let profile = scene.profiles();
        assert_eq!(profile(7, &scene.image(GOOD)), FaultProfile::Healthy);
        assert_eq!(profile(7, &scene.image(BAD)), FaultProfile::PullFails);
        assert_eq!(profile(3, &scene.image(BAD)), FaultProfile::Unhealthy);
        assert_eq!(profile(7, &scene.image(BAD)), FaultProfile::PullFails);
    }
}
