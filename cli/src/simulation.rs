//! A run of a simulated fleet: watched until it is over, then judged.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::json;
use tidegate_domain::image::ImageRef;

use crate::api::{Api, Rollout};
use crate::board::Board;
use crate::fleet::{Fleet, SavedDevice};
use crate::push::{begun, push};
use crate::table::{Table, cell};
use crate::verify;
use tidegate_agent::simulated::digest_of;
use tidegate_agent::state::snapshot::Doing;

/// Between two looks at the rollouts.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Between two savings of the fleet.
const SAVE_EVERY: Duration = Duration::from_secs(5);
/// Rollouts looked at, newest first.
const LOOKED_AT: usize = 20;

/// When a run is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// When somebody says so.
    Interrupted,
    /// When a rollout is over and every device is at rest.
    Settled,
}

/// A run.
pub(crate) struct Simulation<'a, K> {
    /// The stack.
    pub(crate) api: &'a Api,
    /// The devices.
    pub(crate) fleet: Fleet,
    /// What they ran at first.
    pub(crate) image: ImageRef,
    /// Whether rollouts that the failure rules paused go on.
    pub(crate) resume: bool,
    /// Where it is shown.
    pub(crate) board: Board,
    /// Keeps the devices for the next run.
    pub(crate) keep: K,
}

/// What came out.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Outcome {
    /// All of them.
    devices: usize,
    /// Those that never called.
    offline: usize,
    /// How many do what.
    doing: BTreeMap<Doing, usize>,
    /// How many run what.
    running: BTreeMap<String, usize>,
    /// Of the newest rollout: healthy on its image.
    healthy: u32,
    /// Of the newest rollout: failed.
    failed: u32,
    /// Of the newest rollout: back on the old image.
    rolled_back: u32,
    /// Rollouts of the image, newest first.
    rollouts: Vec<Rollout>,
    /// What is not as it should be.
    pub(crate) violations: Vec<String>,
}

impl<K: Fn(Vec<SavedDevice>) -> Result<()>> Simulation<'_, K> {
    /// Runs until its end, at most for `most`; then judges.
    pub(crate) async fn run(&mut self, end: End, tag: Option<&str>, most: Option<Duration>) -> Result<Outcome> {
        (self.keep)(self.fleet.save())?;
        let began = Instant::now();
        let mut rollout_id = None;
        let mut saved = Instant::now();
        let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
        loop {
            if let (Some(tag), None, true) = (tag, &rollout_id, self.everyone_was_heard()) {
                rollout_id = Some(self.push(tag).await?);
            }
            let rollouts = self.rollouts().await.unwrap_or_default();
            self.show(&rollouts, tag.is_some() && rollout_id.is_none());
            if end == End::Settled && self.is_settled(&rollouts, rollout_id.as_deref(), tag.is_some()) {
                break;
            }
            if self.resume {
                self.resume_paused(&rollouts).await?;
            }
            if saved.elapsed() >= SAVE_EVERY {
                (self.keep)(self.fleet.save())?;
                saved = Instant::now();
            }
            let left = most.map_or(LOOK_EVERY, |most| most.saturating_sub(began.elapsed()).min(LOOK_EVERY));
            if left.is_zero() {
                break;
            }
            tokio::select! {
                () = tokio::time::sleep(left) => {}
                _ = &mut interrupted => break,
            }
        }
        self.board.waits("counting");
        let outcome = self.judge().await;
        self.fleet.stop().await;
        (self.keep)(self.fleet.save())?;
        outcome
    }

    async fn rollouts(&self) -> Result<Vec<Rollout>> {
        let image = Some(self.image.repository.to_string());
        let listed: Vec<Rollout> = self.api.list("/api/v1/rollouts", &[("image", image)], Some(LOOKED_AT)).await?;
        Ok(listed)
    }

    /// Whether every device that calls has told what it runs.
    fn everyone_was_heard(&self) -> bool {
        !self.fleet.census().keys().any(|doing| matches!(doing, Doing::Starting | Doing::Unheard))
    }

    async fn push(&self, tag: &str) -> Result<String> {
        let reference = format!("{}:{tag}", self.image.repository);
        let image = ImageRef::parse(&reference).context("--push is no tag")?;
        let told = push(self.api, &image, &digest_of(&reference)).await?;
        let id = begun(&told, None)?;
        self.board.say(&format!("{reference} was pushed: rollout {id}"));
        Ok(id)
    }

    fn is_settled(&self, rollouts: &[Rollout], pushed: Option<&str>, by_push: bool) -> bool {
        let over = match (pushed, by_push) {
            (Some(id), _) => rollouts.iter().any(|rollout| rollout.rollout_id == id && !moves(rollout)),
            (None, true) => false,
            (None, false) => !rollouts.is_empty() && !rollouts.iter().any(moves),
        };
        let census = self.fleet.census();
        let at_rest = |doing: &Doing| matches!(doing, Doing::Idle | Doing::Vanished | Doing::Deleted);
        over && census.keys().all(at_rest) && verify::targets(&self.fleet.standings()).is_empty()
    }

    async fn resume_paused(&self, rollouts: &[Rollout]) -> Result<()> {
        for rollout in rollouts.iter().filter(|rollout| rollout.status == "paused") {
            let id = &rollout.rollout_id;
            let mut body = json!({ "reason": "tidegate simulate --resume" });
            let mut done = self.api.command(id, "resume", &body).await;
            if done.as_ref().is_err_and(|error| error.status() == Some(409)) {
                body["skip_batch"] = true.into();
                done = self.api.command(id, "resume", &body).await;
            }
            match done {
                Ok(_) => {
                    let why = rollout.error_message.as_deref().or(rollout.waiting_for.as_deref()).unwrap_or("paused");
                    self.board.say(&format!("rollout {id} goes on; it was {why}"));
                }
                // It went on, or ended, in between.
                Err(error) if error.status() == Some(409) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn show(&mut self, rollouts: &[Rollout], starting: bool) {
        let census = self.fleet.census();
        let doing: Vec<String> = census.iter().map(|(doing, count)| format!("{count} {}", word(*doing))).collect();
        let waits = match rollouts.first() {
            _ if starting => "every device is to be heard once before the push".to_owned(),
            None => "no rollout of the image yet".to_owned(),
            Some(rollout) => {
                self.board.rollout(rollout);
                format!("{} {}", rollout.new_tag.as_deref().unwrap_or("?"), rollout.standing())
            }
        };
        self.board.waits(&format!("{} · {waits}", doing.join(", ")));
    }

    async fn judge(&self) -> Result<Outcome> {
        let rollouts = self.rollouts().await?;
        let standings = self.fleet.standings();
        let by_uuid: BTreeMap<&str, _> = standings.iter().map(|standing| (standing.uuid.as_str(), standing)).collect();
        let mut violations = verify::targets(&standings);
        for (n, rollout) in rollouts.iter().enumerate() {
            let rows = self.api.rows(&rollout.rollout_id).await?;
            // Read after the rows, so that a device that settles in between is no contradiction twice in a row.
            let now = self.api.rollout(&rollout.rollout_id).await?;
            if now.live() {
                continue;
            }
            violations.extend(verify::counts(&now, &rows));
            if n == 0 {
                violations.extend(verify::rows(&now, &rows, &by_uuid));
            }
        }
        let mut running = BTreeMap::new();
        for image in standings.iter().flat_map(|standing| standing.running.values()) {
            *running.entry(image.image.image.clone()).or_insert(0) += 1;
        }
        let newest = rollouts.first();
        Ok(Outcome {
            devices: self.fleet.len(),
            offline: self.fleet.offline(),
            doing: self.fleet.census(),
            running,
            healthy: newest.map_or(0, |rollout| rollout.healthy_devices),
            failed: newest.map_or(0, |rollout| rollout.failed_devices),
            rolled_back: newest.map_or(0, Rollout::rolled_back),
            rollouts,
            violations,
        })
    }
}

/// Whether the rollout will still move without a person.
fn moves(rollout: &Rollout) -> bool {
    rollout.live() && rollout.status != "paused" && rollout.status != "awaiting_approval"
}

fn word(doing: Doing) -> &'static str {
    match doing {
        Doing::Starting => "starting",
        Doing::Idle => "idle",
        Doing::Pulling => "pulling",
        Doing::Swapping => "swapping",
        Doing::Blocked => "locked",
        Doing::Unheard => "without an answer",
        Doing::Denied => "not accepted",
        Doing::Deleted => "deleted",
        Doing::Vanished => "vanished",
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(["ROLLOUT", "IMAGE", "STATUS", "DEVICES", "HEALTHY", "FAILED", "ROLLED BACK"]);
        for rollout in &self.rollouts {
            table.row([
                rollout.rollout_id.clone(),
                format!("{}:{}", rollout.image_name, cell(rollout.new_tag.as_ref())),
                rollout.status.clone(),
                rollout.total_devices.to_string(),
                rollout.healthy_devices.to_string(),
                rollout.failed_devices.to_string(),
                rollout.rolled_back().to_string(),
            ]);
        }
        if !table.is_empty() {
            writeln!(f, "\n{table}")?;
        }
        for (image, count) in &self.running {
            writeln!(f, "{count} of {} devices run {image}", self.devices)?;
        }
        if self.offline > 0 {
            writeln!(f, "{} devices never called", self.offline)?;
        }
        for violation in &self.violations {
            writeln!(f, "VIOLATION: {violation}")?;
        }
        if self.violations.is_empty() {
            writeln!(f, "Counts equal rows, and every device is where it should be.")?;
        }
        Ok(())
    }
}
