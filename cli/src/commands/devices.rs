//! `tidegate devices`: look at devices, and enrol one.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};
use tidegate_domain::ids::DeviceUuid;
use tidegate_engine::queries::DeviceStatus;

use crate::api::{Api, Call, Caller, Connection, Device, RunningService};
use crate::table::{Table, cell};
use crate::{arguments, stdout};

/// What can be done with devices.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the devices
    List {
        /// Only this fleet
        #[arg(long)]
        fleet: Option<String>,
        /// Only devices with this tag (KEY:VALUE is taken as well); of several, with all
        #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = arguments::tag)]
        tags: Vec<(String, String)>,
        /// Only devices that run this image, with or without a tag
        #[arg(long)]
        image: Option<String>,
        /// Only devices that stand so
        #[arg(long, value_parser = PossibleValuesParser::new(DeviceStatus::ALL.map(DeviceStatus::name)))]
        status: Option<String>,
        /// At most so many
        #[arg(long, value_parser = crate::arguments::count())]
        most: Option<usize>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Make a device known; prints its uuid and its token, which is shown this once
    Enrol(Enrol),
}

/// A device to be enrolled.
#[derive(Args)]
pub(crate) struct Enrol {
    /// Its fleet
    #[arg(long)]
    fleet: String,
    /// What people call it
    #[arg(long)]
    name: Option<String>,
    /// Its uuid, version 4 or 7; the server makes one where it is left out
    #[arg(long, value_parser = arguments::device_uuid)]
    uuid: Option<DeviceUuid>,
    /// A service and the image that it runs; may be repeated
    #[arg(long = "service", value_name = "NAME=IMAGE", value_parser = arguments::pair, required = true)]
    services: Vec<(String, String)>,
    /// A tag (KEY:VALUE is taken as well); may be repeated
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = arguments::tag)]
    tags: Vec<(String, String)>,
    /// Its platform, such as linux/arm64/v8
    #[arg(long)]
    platform: Option<String>,
    /// Its zone, such as Europe/Berlin
    #[arg(long)]
    timezone: Option<String>,
    /// Its present token, where it is known already
    #[arg(long, env = "TIDEGATE_DEVICE_TOKEN", hide_env_values = true)]
    current_token: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Command {
    /// Runs it.
    pub(crate) async fn run(self) -> Result<ExitCode> {
        let api = Api::new(Connection::find()?)?;
        match self {
            Self::List { fleet, tags, image, status, most, json } => {
                let mut filters = vec![("fleet_id", fleet), ("image", image), ("status", status)];
                filters.extend(tags.into_iter().map(|(key, value)| ("tag", Some(format!("{key}={value}")))));
                let found: Vec<Value> = api.list("/api/v1/devices", &filters, most).await?;
                list(&found, json)?;
            }
            Self::Enrol(enrol) => enrol.run(&api).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn list(found: &[Value], json: bool) -> Result<()> {
    if json {
        stdout::json(&found)?;
        return Ok(());
    }
    let mut table = Table::new(["DEVICE", "NAME", "FLEET", "STATUS", "RUNS", "TAGS", "LAST SEEN"]);
    for value in found {
        let device: Device = serde_json::from_value(value.clone())?;
        table.row([
            device.uuid.clone(),
            cell(device.name.as_ref()),
            device.fleet_id.clone(),
            cell(device.status.as_ref()),
            runs(&device.services),
            device.tags.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(","),
            cell(device.last_seen.as_ref()),
        ]);
    }
    stdout::print(&table)?;
    stdout::line(format_args!("{} devices", found.len()))?;
    Ok(())
}

fn runs(services: &BTreeMap<String, RunningService>) -> String {
    let all = services.iter().map(|(name, service)| {
        let health = match service.healthy {
            Some(true) => "",
            Some(false) => " (not healthy)",
            None => " (health unknown)",
        };
        let locked = service.rollout.as_ref().and_then(|place| place.blocked_until.as_ref());
        let lock = locked.map(|until| format!(" (locked until {until})")).unwrap_or_default();
        format!("{name}={}{health}{lock}", cell(service.image.as_ref()))
    });
    all.collect::<Vec<_>>().join(", ")
}

impl Enrol {
    async fn run(self, api: &Api) -> Result<()> {
        let services: BTreeMap<String, Value> =
            self.services.into_iter().map(|(name, image)| (name, json!({ "image": image }))).collect();
        let tags: BTreeMap<String, String> = self.tags.into_iter().collect();
        let mut body = json!({ "fleet_id": self.fleet, "services": services, "tags": tags });
        for (field, value) in [
            ("name", self.name),
            ("uuid", self.uuid.map(|uuid| uuid.to_string())),
            ("platform", self.platform),
            ("timezone", self.timezone),
            ("current_token", self.current_token),
        ] {
            if let Some(value) = value {
                body[field] = value.into();
            }
        }
        let call = Call::new(Method::POST, "/api/v1/devices", Caller::Provisioning).json(&body);
        // Not repeated by itself: the token of a lost answer is lost.
        let answer: Value = api.once(&call).await.context("the device was not enrolled")?.read()?;
        if self.json {
            stdout::json(&answer)?;
        } else {
            stdout::line(format_args!("uuid   {}", answer["uuid"].as_str().unwrap_or_default()))?;
            stdout::line(format_args!("token  {}", answer["token"].as_str().unwrap_or_default()))?;
            stdout::line("The token is shown this once.")?;
        }
        Ok(())
    }
}
