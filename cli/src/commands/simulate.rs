//! `tidegate simulate`: honest devices that only pretend to have containers, against the stack, over HTTP.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use tidegate_domain::image::ImageRef;
use tidegate_domain::policy::ImagePattern;

use crate::api::{Api, Connection};
use crate::board::Board;
use crate::device::faults::FaultProfiles;
use crate::fleet::{Fleet, Kind, SavedDevice, SavedFleet, World, enrol};
use crate::simulation::{End, Outcome, Simulation};
use crate::stack::Project;
use crate::stdout;
use tidegate_agent::image::Image;
use tidegate_agent::simulated::{FaultProfile, digest_of};

/// Enrolments that may be under way at once: the emulator takes no more at a time.
const ENROL_AT_ONCE: usize = 12;

/// Arguments of `tidegate simulate`.
#[derive(Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Arguments {
    /// How many devices
    #[arg(long, default_value_t = 50)]
    devices: usize,
    /// The share of devices that fail with a good image, from 0 to 1
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    fail_rate: f64,
    /// What failing means; several are drawn from alike
    #[arg(long, value_delimiter = ',', default_value = "unhealthy")]
    failures: Vec<FaultProfile>,
    /// Tags that are unhealthy on every device, such as v3 or "*-bad"; may be repeated
    #[arg(long, value_name = "GLOB")]
    bad_tag: Vec<String>,
    /// The share of devices that never call, from 0 to 1
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    offline_rate: f64,
    /// The fleet that they enrol into
    #[arg(long, default_value = "simulated")]
    fleet: String,
    /// What they run at first
    #[arg(long, value_name = "REPO:TAG", default_value = "docker.io/tidegate/simulated:v1")]
    image: ImageRef,
    /// The name of their one service
    #[arg(long, default_value = "app")]
    service: String,
    /// A tag of theirs (KEY:VALUE is taken as well); may be repeated
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = crate::arguments::tag)]
    tags: Vec<(String, String)>,
    /// Decides who fails and how; the same seed, the same lot
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Calls that may be under way at once
    #[arg(long, default_value_t = 16)]
    concurrency: usize,
    /// Enrol new devices, whoever ran before in this fleet
    #[arg(long)]
    new: bool,
    /// Tell the stack that this tag was pushed, once all devices are there; then run until its rollout is over
    #[arg(long, value_name = "TAG")]
    push: Option<String>,
    /// Go on with a rollout that the failure rules paused, as an operator would after a look at it
    #[arg(long)]
    resume: bool,
    /// End when a rollout of the image is over and every device is at rest
    #[arg(long)]
    until_settled: bool,
    /// End after so many seconds [default: run until interrupted]
    #[arg(long, value_name = "SECONDS")]
    duration: Option<u64>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "it must be a number from 0 to 1".to_owned())?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err("it must be a number from 0 to 1".to_owned()) }
}

impl Arguments {
    /// Runs the fleet; fails when something is not as it should be.
    pub(crate) async fn run(self) -> Result<ExitCode> {
        let api = Api::new(Connection::find()?)?;
        let mut board = Board::new();
        let kept = self.kept_in();
        let devices = self.enrolled(&api, kept.as_ref(), &mut board).await?;
        let world = World {
            profile_of: self.profiles()?,
            seed: self.seed,
            offline_rate: self.offline_rate,
            concurrency: self.concurrency,
        };
        let count = devices.len();
        let fleet = Fleet::start(&api, devices, &world)?;
        board.say(&format!("{count} devices of the fleet {} are started", self.fleet));
        let mut simulation = Simulation {
            api: &api,
            fleet,
            image: self.image.clone(),
            resume: self.resume,
            board,
            keep: |devices| {
                let saved = SavedFleet { url: api.connection().url.clone(), devices };
                kept.as_ref().map_or(Ok(()), |path| saved.store(path))
            },
        };
        let end = if self.until_settled || self.push.is_some() { End::Settled } else { End::Interrupted };
        let outcome = simulation.run(end, self.push.as_deref(), self.duration.map(Duration::from_secs)).await?;
        simulation.board.clear();
        self.print(&outcome)?;
        Ok(if outcome.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn print(&self, outcome: &Outcome) -> Result<()> {
        if self.json {
            stdout::json_line(outcome)?;
        } else {
            stdout::print(outcome)?;
        }
        Ok(())
    }

    /// Where the fleet is kept; nowhere outside of a checkout.
    fn kept_in(&self) -> Option<PathBuf> {
        Project::find().ok().map(|project| SavedFleet::path(&project.state(), &self.fleet))
    }

    /// The fates of the fleet.
    fn profiles(&self) -> Result<crate::fleet::ProfileOf> {
        let repository = &self.image.repository;
        let bad = self
            .bad_tag
            .iter()
            .map(|glob| ImagePattern::parse(&format!("{repository}:{glob}")).context("--bad-tag is no pattern"))
            .collect::<Result<Vec<_>>>()?;
        let profiles =
            FaultProfiles { seed: self.seed, fail_rate: self.fail_rate, failures: self.failures.clone(), bad };
        Ok(Arc::new(move |number, image: &Image| profiles.of(number, image)))
    }

    /// The devices of an earlier run, and new ones for those that are missing.
    async fn enrolled(&self, api: &Api, kept: Option<&PathBuf>, board: &mut Board) -> Result<Vec<SavedDevice>> {
        if self.devices == 0 {
            bail!("--devices must be at least 1");
        }
        let mut devices = match kept.filter(|_| !self.new).map(|path| SavedFleet::load(path)).transpose()?.flatten() {
            Some(saved) if saved.url == api.connection().url => saved.devices,
            Some(_) => {
                board.say("The devices of the last run belong to another stack; new ones are enrolled.");
                Vec::new()
            }
            None => Vec::new(),
        };
        if devices.len() > self.devices {
            let (kept, asked) = (devices.len(), self.devices);
            bail!("the fleet {} has {kept} devices already, --devices says {asked}; --new begins anew", self.fleet);
        }
        if !devices.is_empty() {
            board.say(&format!("{} devices go on from the last run (--new begins anew)", devices.len()));
        }
        let kind = Kind {
            fleet: self.fleet.clone(),
            service: self.service.clone(),
            image: Image { image: self.image.to_string(), digest: Some(self.first_digest()) },
            tags: self.tags.iter().cloned().collect::<BTreeMap<_, _>>(),
        };
        let missing = devices.len()..self.devices;
        board.waits(&format!("enrolling {} devices", missing.len()));
        devices.extend(enrol(api, &kind, missing, ENROL_AT_ONCE, || {}).await?);
        Ok(devices)
    }

    fn first_digest(&self) -> tidegate_domain::image::Digest {
        self.image.digest.clone().unwrap_or_else(|| digest_of(&self.image.to_string()))
    }
}
