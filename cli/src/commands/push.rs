//! `tidegate push`.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use rand::TryRngCore as _;
use rand::rngs::OsRng;
use sha2::{Digest as _, Sha256};
use tidegate_domain::image::{Digest, ImageRef};

use crate::api::{Api, Connection};
use crate::push::{Registry, Told, push_as};
use crate::stdout;
use crate::table::{Table, cell};

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
        let image = ImageRef::parse(&self.image)?;
        if image.tag.is_none() {
            bail!("{} has no tag: a push is of a tag, such as {}:v2", self.image, image.repository);
        }
        let registry = self.registry.unwrap_or_else(|| Registry::of(&image));
        let digest = match (&self.digest, &image.digest, registry) {
            (Some(_), _, Registry::DockerHub) => bail!("Docker Hub's webhook tells no digest; leave --digest away"),
            (Some(text), _, _) => Some(Digest::parse(text).context("--digest")?),
            (None, Some(digest), _) => Some(digest.clone()),
            (None, None, Registry::DockerHub) => None,
            (None, None, _) => Some(made_up()?),
        };
        let api = Api::new(Connection::find()?)?;
        let told = push_as(&api, registry, &image, digest.as_ref()).await?;
        if self.json {
            stdout::json(&told)?;
        } else {
            stdout::print(table(&told))?;
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

fn table(told: &[Told]) -> Table {
    let mut table = Table::new(["POLICY", "STATUS", "ROLLOUT", "DEVICES", "REASON"]);
    for told in told {
        table.row([
            cell(told.policy.as_ref()),
            told.status.clone(),
            cell(told.rollout_id.as_ref()),
            cell(told.affected_devices.map(|count| count.to_string()).as_ref()),
            cell(told.reason.as_ref()),
        ]);
    }
    table
}
