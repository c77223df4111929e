//! A push, told to the stack as its registry would tell it: for fleets and machines that have no registry.

mod answer;
mod distribution;
mod docker_hub;
mod ghcr;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::AUTHORIZATION;
use tidegate_domain::image::{Digest, ImageRef};
use uuid::Uuid;

pub(crate) use self::answer::{Answer, Told};
use crate::api::{Api, Call, Caller};

/// Where webhooks go.
const PATH: &str = "/api/v1/webhooks/docker-registry";

/// Whose words a push is told in, and how that registry proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Registry {
    /// Docker Hub: it cannot sign, so the secret is in the path; it tells no digest
    DockerHub,
    /// GitHub's container registry: signs the body
    Ghcr,
    /// CNCF distribution: the secret as bearer token
    Distribution,
}

impl Registry {
    /// The one that this image is at.
    pub(crate) fn of(image: &ImageRef) -> Self {
        match image.repository.registry() {
            "docker.io" => Self::DockerHub,
            "ghcr.io" => Self::Ghcr,
            _ => Self::Distribution,
        }
    }
}

/// Tells the stack that this image was pushed, as a distribution registry would; answers what became of it, per policy.
pub(crate) async fn push(api: &Api, image: &ImageRef, digest: &Digest) -> Result<Vec<Told>> {
    Ok(push_as(api, Registry::Distribution, image, Some(digest)).await?.deliveries)
}

/// Likewise, as this registry would.
pub(crate) async fn push_as(
    api: &Api,
    registry: Registry,
    image: &ImageRef,
    digest: Option<&Digest>,
) -> Result<Answer> {
    let secret = api.connection().webhook_secret()?;
    let (now, id) = (Timestamp::now(), Uuid::now_v7());
    let by_path = format!("{PATH}/{secret}");
    let call = match registry {
        Registry::DockerHub => {
            let body = docker_hub::notification(image, now)?;
            Call::new(Method::POST, &by_path, Caller::Nobody).body("application/json", serde_json::to_vec(&body)?)
        }
        Registry::Ghcr => {
            let body = serde_json::to_vec(&ghcr::notification(image, digest, now)?)?;
            let mut call = Call::new(Method::POST, PATH, Caller::Nobody);
            for (name, value) in ghcr::headers(&body, secret, id) {
                call = call.header(name, &value);
            }
            call.body("application/json", body)
        }
        Registry::Distribution => {
            let digest = digest.context("distribution tells the digest of every push")?;
            let body = distribution::notification(image, digest, now, id);
            Call::new(Method::POST, PATH, Caller::Nobody)
                .header(AUTHORIZATION, &format!("Bearer {secret}"))
                .body(distribution::CONTENT_TYPE, serde_json::to_vec(&body)?)
        }
    };
    let answer: Answer = api.call(&call).await.context("the webhook was not taken")?.read()?;
    Ok(answer)
}

/// The rollout that the push began under this policy; an error that says why there is none.
pub(crate) fn begun(told: &[Told], policy: Option<&str>) -> Result<String> {
    let found = told.iter().find(|told| policy.is_none() || told.policy.as_deref() == policy);
    match found {
        Some(Told { rollout_id: Some(id), .. }) => Ok(id.clone()),
        Some(Told { status, .. }) if status == "no_policy" => {
            bail!("no policy matches the pushed image; tidegate policies list lists those that there are")
        }
        Some(Told { status, .. }) if status == "accepted" => {
            bail!("the push was taken, and its rollout begins within seconds; tidegate rollouts list shows it")
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

#[cfg(test)]
mod tests {
    use super::*;

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
        let error = begun(&[told("accepted", None)], None).expect_err("nothing begun yet").to_string();
        assert!(error.contains("begins within seconds"), "{error}");
        assert!(begun(&[], None).is_err());
    }
}
