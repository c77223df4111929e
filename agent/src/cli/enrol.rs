//! `tidegate-agent enrol`

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use uuid::Uuid;

use super::Answer;
use super::services::{declared, facts};
use crate::config::Config;
use crate::server::enrol::{adopt, enrol as enrol_at, provisioning_key};
use crate::server::http::Client;
use crate::server::identity::{Identity, IdentityFile};
use crate::server::secret::Secret;
use crate::state::instance::Instance;

/// What may be said.
#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
pub struct Arguments {
    /// Take an identity that was made elsewhere: its uuid.
    #[arg(long, requires = "token_file")]
    pub uuid: Option<Uuid>,
    /// The file with its token. Arguments are everybody's to read, so the token is none.
    #[arg(long, value_name = "FILE", requires = "uuid")]
    pub token_file: Option<PathBuf>,
    /// Get another token although there is one.
    #[arg(long, conflicts_with = "uuid")]
    pub again: bool,
    /// The configured address is the same server's as the identity's: keep the identity.
    #[arg(long, conflicts_with_all = ["uuid", "again"])]
    pub same_server: bool,
}

/// Enrols the device, as often as it is said.
pub async fn enrol(config: &Config, arguments: Arguments) -> anyhow::Result<Answer> {
    // An agent that runs would go on with the identity that it has.
    let _instance = Instance::take(config)?;
    let file = IdentityFile::within(&config.state_dir);
    if let (Some(uuid), Some(path)) = (arguments.uuid, &arguments.token_file) {
        let token = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        return Ok(told(&adopt(&file, &config.url, uuid, Secret::new(&token))?, &file));
    }
    if arguments.same_server {
        let identity = file.load()?.with_context(|| format!("{} is not there", file.path().display()))?;
        let moved = Identity { url: config.url.clone(), ..identity };
        file.save(&moved)?;
        return Ok(told(&moved, &file));
    }
    if let Some(known) = file.load_for(&config.url)?.filter(|known| known.token.is_some() && !arguments.again) {
        return Ok(Answer::of(format!("enrolled already, as {}; --again gets another token\n", known.uuid)));
    }
    let client = Client::new(&config.url)?;
    let key = provisioning_key(config)?;
    let identity = enrol_at(&client, config, &file, &key, &facts(declared(config)?)).await?;
    Ok(told(&identity, &file))
}

fn told(identity: &Identity, file: &IdentityFile) -> Answer {
    Answer::of(format!("enrolled at {} as {} (kept in {})\n", identity.url, identity.uuid, file.path().display()))
}
