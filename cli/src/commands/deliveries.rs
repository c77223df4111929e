//! `tidegate deliveries`: what registries told, looked at again.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::json;

use crate::api::{Api, Call, Caller, Connection};
use crate::push::Answer;
use crate::stdout;

/// What can be done with deliveries.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Look at a delivery of the last 8 days as if it came now
    Replay(Replay),
}

/// The delivery to be looked at.
#[derive(Args)]
pub(crate) struct Replay {
    /// The `delivery_id` of the answer or of an event; of one entry of several, its `replay`
    #[arg(value_name = "ID")]
    delivery_id: String,
    /// Where it came from
    #[arg(long, default_value = "docker-registry")]
    source: String,
    /// Roll it out although the policy was told of something newer
    #[arg(long)]
    force: bool,
    /// Why
    #[arg(long)]
    reason: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Command {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let api = Api::new(Connection::find()?)?;
        match self {
            Self::Replay(replay) => replay.run(&api).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Replay {
    async fn run(self, api: &Api) -> Result<()> {
        let body = json!({
            "delivery_id": self.delivery_id, "source": self.source, "force": self.force, "reason": self.reason,
        });
        // Not repeated by itself: it may begin a rollout.
        let call = Call::new(Method::POST, "/api/v1/deliveries/replay", Caller::Operator).json(&body);
        let answer: Answer = api.once(&call).await?.read()?;
        if self.json { stdout::json(&answer) } else { stdout::print(&answer) }
    }
}
