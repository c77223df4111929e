//! `tidegate push`.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use rand::TryRngCore as _;
use rand::rngs::OsRng;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tidegate_domain::image::{Digest, ImageRef};

use crate::api::{Api, Connection};
use crate::push::{Answer, Registry, push_as};
use crate::stdout;

/// Arguments of `tidegate push`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The image that was pushed, with its tag: docker.io/iotistic/app:v2
    image: String,
    /// Whose words it is told in [default: those of the image's registry]
    #[arg(long = "as", value_name = "REGISTRY")]
    registry: Option<Registry>,
    /// The digest that it has now; made up where it is left out. Docker Hub tells none
    #[arg(long)]
    digest: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Arguments {
    /// Tells the stack of the push and prints what became of it.
    pub(crate) async fn run(self) -> Result<ExitCode> {
        let image = tagged(&self.image)?;
        let registry = self.registry.unwrap_or_else(|| Registry::of(&image));
        let digest = match (&self.digest, &image.digest, registry) {
            (Some(_), _, Registry::DockerHub) | (None, Some(_), Registry::DockerHub) => {
                bail!("Docker Hub's webhook tells no digest; leave it away, or choose other words with --as")
            }
            (Some(_), Some(_), _) => bail!("the digest is there twice: in the image and in --digest"),
            (Some(text), _, _) => Some(Digest::parse(text).context("--digest")?),
            (None, Some(digest), _) => Some(digest.clone()),
            (None, None, Registry::DockerHub) => None,
            (None, None, _) => Some(made_up()?),
        };
        let api = Api::new(Connection::find()?)?;
        let answer = push_as(&api, registry, &image, digest.as_ref()).await?;
        let pushed = ImageRef { digest, ..image };
        if self.json {
            stdout::json(&Outcome { pushed, answer })?;
        } else {
            stdout::print(format_args!("pushed   {pushed}\n{answer}"))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// New content each time, as a push has.
fn made_up() -> Result<Digest> {
    let mut bytes = [0_u8; 32];
    OsRng.try_fill_bytes(&mut bytes)?;
    Ok(Digest::parse(&format!("sha256:{}", hex::encode(Sha256::digest(bytes))))?)
}

/// What was told, and what became of it.
#[derive(Serialize)]
struct Outcome {
    /// With the digest, also one that was made up.
    pushed: ImageRef,
    #[serde(flatten)]
    answer: Answer,
}

/// The image that is pushed: a tag must be named, as a trigger wants it. `latest` is not meant by leaving it out.
fn tagged(text: &str) -> Result<ImageRef> {
    let image = ImageRef::parse(text)?;
    if image.tag.is_none() || ImageRef::parse_chosen(text).is_err() {
        bail!("{text} has no tag: a push is of a tag, such as {}:v2", image.repository);
    }
    Ok(image)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_names_its_tag() {
        let digest = format!("sha256:{}", "1".repeat(64));
        for image in ["docker.io/acme/app:v2", "acme/app:latest", "localhost:5000/app:v1"] {
            assert!(tagged(image).is_ok(), "{image}");
        }
        assert!(tagged(&format!("acme/app:v2@{digest}")).is_ok());
        for image in ["docker.io/acme/app", "app", "localhost:5000/app", &format!("acme/app@{digest}")] {
            let error = tagged(image).expect_err(image).to_string();
            assert!(error.contains("has no tag: a push is of a tag"), "{error}");
        }
        assert!(tagged("acme/app:").is_err() && tagged("").is_err());
    }
}
