//! `tidegate deliveries`: what registries told, looked at again.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use crate::api::{Api, Call, Caller, Connection};
use crate::stdout;
use crate::table::Table;

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
        let answer: Value = api.once(&call).await?.read()?;
        if self.json {
            return stdout::json(&answer);
        }
        let mut table = Table::new(["IMAGE", "TAG", "POLICY", "STATUS", "REASON", "ROLLOUT"]);
        for entry in answer["deliveries"].as_array().into_iter().flatten() {
            let text = |name: &str| entry[name].as_str().unwrap_or("-").to_owned();
            table.row(["image", "tag", "policy", "status", "reason", "rollout_id"].map(text));
        }
        stdout::print(&table)
    }
}
