//! The demo's acts, one after the other, each shown while it happens.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::scene::{BAD, GOOD, Scene};
use super::verdict::{Part, Verdict};
use crate::api::{Api, Device, Rollout};
use crate::board::Board;
use crate::bus::{Captured, Published, count};
use crate::fleet::{Fleet, Standing};
use crate::push::{begun, push};
use tidegate_agent::image::Image;
use tidegate_agent::seen::Doing;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(700);
/// Longest time in which nothing may change.
const STANDSTILL: Duration = Duration::from_secs(150);
/// How long the bus may lag behind.
const BUS_LAG: Duration = Duration::from_secs(45);

/// Everything that the acts need.
pub(super) struct Story<'a> {
    pub(super) api: &'a Api,
    pub(super) scene: &'a Scene,
    pub(super) fleet: &'a Fleet,
    pub(super) events: Captured,
    pub(super) alerts: Captured,
    pub(super) board: Board,
}

impl Story<'_> {
    /// Tells it to its end and judges.
    pub(super) async fn tell(mut self) -> Result<Verdict> {
        let devices = self.fleet.len();
        self.until("every device to call once", |census| !census.keys().any(|doing| *doing == Doing::Starting)).await?;
        self.board.say(&format!("\n1. {devices} devices run {}", self.scene.image("v1").image));

        let good = self.push(GOOD).await?;
        self.board.say(&format!("\n2. {} was pushed: rollout {good}", self.scene.image(GOOD).image));
        let completed = self.follow(&good, &["completed"]).await?;
        self.board.end_of_rollout(&completed);
        self.board.say(&format!("   completed: {} devices are healthy on {GOOD}", completed.healthy_devices));

        let bad = self.push(BAD).await?;
        self.board.say(&format!("\n3. {} was pushed, which is bad: rollout {bad}", self.scene.image(BAD).image));
        let paused = self.follow(&bad, &["paused"]).await?;
        let why = paused.error_message.as_deref().unwrap_or("by the failure rules");
        self.board.say(&format!("   stopped by itself: {why}"));
        self.nobody_runs(BAD).await?;
        let mut alerts = BTreeSet::new();
        let told = self.alerted(&bad, &mut alerts).await?;
        self.board.say(&format!("   admins were told: {}", told.join(", ")));

        let reason = json!({ "reason": "the demo's bad version" });
        self.api.command(&bad, "rollback-all", &reason).await.context("the rollback was refused")?;
        self.board.say("\n4. rollback-all, one call: every device back to its last proven image");
        self.board
            .say("   (its end is declared a minute after the call at the earliest: no older copy is in use then)");
        let back = self.follow(&bad, &["rolled_back"]).await?;
        self.board.end_of_rollout(&back);
        let never = back.total_devices - back.updated_devices.min(back.total_devices);
        let (took, home) = (back.updated_devices, back.rolled_back());
        self.board
            .say(&format!("   rolled back: {took} devices had taken {BAD}, {home} went back, {never} never had it"));

        let (events, published) = self.count_events(&[good.clone(), bad.clone()]).await?;
        self.board.waits("comparing every device with where it should be");
        let verdict = Verdict {
            devices: self.standings(),
            known: self.known().await?,
            good: self.part(&good).await?,
            bad: self.part(&bad).await?,
            should_run: self.scene.image(GOOD),
            events,
            published,
            told,
        };
        self.board.clear();
        Ok(verdict)
    }

    async fn push(&self, tag: &str) -> Result<String> {
        let (image, digest) = self.scene.pushed(tag)?;
        begun(&push(self.api, &image, &digest).await?, Some(&self.scene.name))
    }

    /// Watches a rollout until it is in one of these statuses.
    async fn follow(&mut self, id: &str, wanted: &[&str]) -> Result<Rollout> {
        let began = Instant::now();
        let mut last: Option<(Rollout, Instant)> = None;
        loop {
            let rollout = match self.api.rollout(id).await {
                Ok(rollout) => rollout,
                // A kept-busy stack may fail to answer for a while; it is asked again until it is a standstill.
                Err(error) if error.may_pass() && began.elapsed() < STANDSTILL => {
                    self.board.waits(&error.to_string());
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            self.board.rollout(&rollout);
            let why = rollout.standing();
            self.board.waits(&why);
            if wanted.contains(&rollout.status.as_str()) {
                return Ok(rollout);
            }
            let over = !rollout.live() || (rollout.status == "paused" && !wanted.contains(&"paused"));
            if over && rollout.status != "completed" {
                bail!("rollout {id} is {} where {} was expected: {why}", rollout.status, wanted.join(" or "));
            }
            match &last {
                Some((seen, at)) if *seen == rollout && at.elapsed() > STANDSTILL => {
                    bail!("rollout {id} stands still for {} s: {why}", STANDSTILL.as_secs());
                }
                Some((seen, _)) if *seen == rollout => {}
                _ => last = Some((rollout, Instant::now())),
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until the fleet is as it should be.
    async fn until(&mut self, what: &str, reached: impl Fn(&BTreeMap<Doing, usize>) -> bool) -> Result<()> {
        let began = Instant::now();
        loop {
            let census = self.fleet.census();
            if reached(&census) {
                return Ok(());
            }
            let heard = self.fleet.len() - census.get(&Doing::Starting).copied().unwrap_or(0);
            self.board.waits(&format!("waiting for {what}: {heard} of {}", self.fleet.len()));
            if began.elapsed() > STANDSTILL {
                bail!("waited {} s for {what}, in vain: {}", STANDSTILL.as_secs(), self.last_error());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn last_error(&self) -> String {
        let found = self.fleet.standings().into_iter().find_map(|standing| standing.tally.last_error);
        found.unwrap_or_else(|| "no device met an error".to_owned())
    }

    /// Waits until every device that took the version has gone back by itself.
    async fn nobody_runs(&mut self, tag: &str) -> Result<()> {
        let (image, began) = (self.scene.image(tag), Instant::now());
        loop {
            let standings = self.standings();
            let on_it = standings.iter().filter(|standing| runs(standing, &image)).count();
            let busy = standings.iter().filter(|standing| standing.doing != Doing::Idle).count();
            if on_it == 0 && busy == 0 {
                return Ok(());
            }
            self.board.waits(&format!("{on_it} devices still run {tag}, {busy} are busy going back"));
            if began.elapsed() > STANDSTILL {
                bail!("{on_it} devices still run {tag}, {busy} are busy: {}", self.last_error());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until admins were told of the stop.
    async fn alerted(&mut self, rollout: &str, seen: &mut BTreeSet<Published>) -> Result<Vec<String>> {
        let began = Instant::now();
        loop {
            seen.extend(self.alerts.take().await.context("the alerts cannot be read")?);
            let told: Vec<String> = count(seen, &[rollout.to_owned()]).into_keys().collect();
            let both = ["image.rollout_failed", "image.rollout_paused"];
            if both.iter().all(|name| told.iter().any(|told| told == name)) || began.elapsed() > BUS_LAG {
                return Ok(told);
            }
            self.board.waits("waiting for the alert to reach the administrators");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Counts each event by the API and on the bus; waits a while for the bus to catch up.
    async fn count_events(
        &mut self,
        rollouts: &[String],
    ) -> Result<(BTreeMap<String, usize>, BTreeMap<String, usize>)> {
        let began = Instant::now();
        let mut seen = BTreeSet::new();
        loop {
            let mut events = BTreeMap::new();
            for rollout in rollouts {
                for event in self.api.events(rollout).await? {
                    *events.entry(event.event).or_insert(0) += 1;
                }
            }
            seen.extend(self.events.take().await.context("the captured events cannot be read")?);
            let published = count(&seen, rollouts);
            if events == published || began.elapsed() > BUS_LAG {
                return Ok((events, published));
            }
            let (kept, sent): (usize, usize) = (events.values().sum(), published.values().sum());
            self.board.waits(&format!("{sent} of {kept} events have reached the bus"));
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn standings(&self) -> Vec<Standing> {
        self.fleet.standings()
    }

    /// What the server knows of the devices.
    async fn known(&self) -> Result<Vec<Device>> {
        let fleet = Some(self.scene.name.clone());
        Ok(self.api.list("/api/v1/devices", &[("fleet_id", fleet)], None).await?)
    }

    async fn part(&self, id: &str) -> Result<Part> {
        Ok(Part { rollout: self.api.rollout(id).await?, rows: self.api.rows(id).await? })
    }
}

fn runs(standing: &Standing, image: &Image) -> bool {
    standing.running.values().any(|running| running.image.is_same(image))
}
