//! `tidegate rollouts`: look at rollouts, and command them.

mod show;
mod trigger;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tidegate_domain::ids::{DeviceUuid, RolloutId};

use crate::api::{Api, Connection};
use crate::arguments;

/// What can be done with rollouts.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// List rollouts, newest first
    List {
        /// Only those in this status
        #[arg(long, value_parser = arguments::rollout_status())]
        status: Option<String>,
        /// Only those of this image, with or without a tag
        #[arg(long)]
        image: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 20, value_parser = crate::arguments::count())]
        most: usize,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one rollout with its batches, and what it waits for
    Show(One),
    /// List the devices of a rollout
    Devices {
        #[command(flatten)]
        one: One,
        /// Only those in this status
        #[arg(long, value_parser = arguments::row_status())]
        status: Option<String>,
        /// Only those of this batch, from 1
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
        batch: Option<u32>,
    },
    /// List the events of a rollout: its own in order, then device by device
    Events {
        #[command(flatten)]
        one: One,
        /// Only this device's
        #[arg(long, value_name = "UUID", value_parser = arguments::device_uuid)]
        device: Option<DeviceUuid>,
        /// Only this event
        #[arg(long = "type", value_name = "NAME", value_parser = arguments::event_name())]
        name: Option<String>,
    },
    /// Offer the image to nobody more until it is resumed
    Pause(Reasoned),
    /// Go on with a paused rollout, in the same batch
    Resume {
        /// The rollout's id
        #[arg(value_parser = arguments::rollout_id)]
        rollout_id: RolloutId,
        /// Why it may go on
        #[arg(long)]
        reason: String,
        /// Leave the batch although nobody in it is healthy
        #[arg(long)]
        skip_batch: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Offer the image to nobody more, for good; what is updated stays
    Cancel(Reasoned),
    /// Say yes to a rollout that waits for it
    Approve(Answer),
    /// Say no to a rollout that waits for approval
    Reject(Answer),
    /// Bring every device that took the image back to its own last proven one
    RollbackAll {
        #[command(flatten)]
        reasoned: Reasoned,
        /// Only inside the policy's maintenance windows
        #[arg(long)]
        respect_windows: bool,
        /// About so many devices at a time
        #[arg(long, value_name = "DEVICES", value_parser = clap::value_parser!(u32).range(1..))]
        max_in_flight: Option<u32>,
    },
    /// Roll an image out without a push
    Trigger(trigger::Trigger),
}

/// One rollout.
#[derive(Args)]
pub(crate) struct One {
    /// The rollout's id
    #[arg(value_parser = arguments::rollout_id)]
    rollout_id: RolloutId,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A command with a reason.
#[derive(Args)]
pub(crate) struct Reasoned {
    /// The rollout's id
    #[arg(value_parser = arguments::rollout_id)]
    rollout_id: RolloutId,
    /// Why; told with the event
    #[arg(long)]
    reason: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A yes or no.
#[derive(Args)]
pub(crate) struct Answer {
    #[command(flatten)]
    reasoned: Reasoned,
    /// What was seen: the seal that `rollouts show` printed. Needed where the digest is not known
    #[arg(long)]
    seal: Option<String>,
}

impl Command {
    /// Runs it.
    pub(crate) async fn run(self) -> Result<ExitCode> {
        let api = Api::new(Connection::find()?)?;
        match self {
            Self::List { status, image, most, json } => {
                let filters = [("status", status), ("image", image)];
                let found: Vec<Value> = api.list("/api/v1/rollouts", &filters, Some(most)).await?;
                show::rollouts(&found, json)?;
            }
            Self::Show(One { rollout_id, json }) => {
                let found: Value = api.get(format!("/api/v1/rollouts/{rollout_id}")).await?;
                show::rollout(&found, json)?;
            }
            Self::Devices { one: One { rollout_id, json }, status, batch } => {
                let filters = [("status", status), ("batch", batch.map(|batch| batch.to_string()))];
                let path = format!("/api/v1/rollouts/{rollout_id}/devices");
                let found: Vec<Value> = api.list(&path, &filters, None).await?;
                show::rows(&found, json)?;
            }
            Self::Events { one: One { rollout_id, json }, device, name } => {
                let path = format!("/api/v1/rollouts/{rollout_id}/events");
                let found: Vec<Value> = api
                    .list(&path, &[("device_uuid", device.map(|uuid| uuid.to_string())), ("type", name)], None)
                    .await?;
                show::events(&found, json)?;
            }
            Self::Pause(reasoned) => reasoned.command(&api, "pause", json!({})).await?,
            Self::Cancel(reasoned) => reasoned.command(&api, "cancel", json!({})).await?,
            Self::Approve(answer) => answer.give(&api, "approve").await?,
            Self::Reject(answer) => answer.give(&api, "reject").await?,
            Self::Resume { rollout_id, reason, skip_batch, json } => {
                let body = if skip_batch { json!({ "skip_batch": true }) } else { json!({}) };
                Reasoned { rollout_id, reason: Some(reason), json }.command(&api, "resume", body).await?;
            }
            Self::RollbackAll { reasoned, respect_windows, max_in_flight } => {
                let mut body = json!({});
                if respect_windows {
                    body["respect_windows"] = true.into();
                }
                if let Some(most) = max_in_flight {
                    body["max_in_flight"] = most.into();
                }
                reasoned.command(&api, "rollback-all", body).await?;
            }
            Self::Trigger(trigger) => return trigger.run(&api).await,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Reasoned {
    /// Gives the command, then shows how the rollout stands.
    async fn command(self, api: &Api, command: &str, mut body: Value) -> Result<()> {
        if let Some(reason) = self.reason {
            body["reason"] = reason.into();
        }
        let id = self.rollout_id.as_str();
        let answer = api.command(id, command, &body).await.with_context(|| format!("{command} was not done"))?;
        show::commanded(command, &answer, self.json)
    }
}

impl Answer {
    /// Says yes or no to what was seen: where the rollout changed since, the answer is not taken.
    async fn give(self, api: &Api, command: &str) -> Result<()> {
        let id = self.reasoned.rollout_id.clone();
        let seal = match (self.seal, api.rollout(id.as_str()).await?.approval) {
            (Some(seal), _) => Some(seal),
            (None, Some(approval)) if approval.seal_needed => bail!(
                "the digest of this rollout is not known, so the answer must say what it is for: look at it with \
                 `tidegate rollouts show {id}`, and hand its seal back with --seal"
            ),
            (None, approval) => approval.map(|approval| approval.seal),
        };
        let body = seal.map_or_else(|| json!({}), |seal| json!({ "seal": seal }));
        self.reasoned.command(api, command, body).await
    }
}
