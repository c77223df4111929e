//! The demo's acts, one after the other, each shown while it happens.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::scene::{BAD, GOOD, Scene};
use super::verdict::Verdict;
use super::watch::{LOOK_EVERY, STANDSTILL, Watch};
use crate::api::Device;
use crate::fleet::{Fleet, Standing};
use crate::push::{begun, push};
use tidegate_agent::image::Image;
use tidegate_agent::state::snapshot::Doing;

/// Everything that the acts need.
pub(super) struct Story<'a> {
    pub(super) watch: Watch<'a>,
    pub(super) scene: &'a Scene,
    pub(super) fleet: &'a Fleet,
}

impl Story<'_> {
    /// Tells it to its end and judges.
    pub(super) async fn tell(mut self) -> Result<Verdict> {
        let devices = self.fleet.len();
        self.until("every device to call once", |census| !census.keys().any(|doing| *doing == Doing::Starting)).await?;
        self.watch.board.say(&format!("\n1. {devices} devices run {}", self.scene.image("v1").image));

        let good = self.push(GOOD).await?;
        self.watch.board.say(&format!("\n2. {} was pushed: rollout {good}", self.scene.image(GOOD).image));
        let completed = self.watch.follow(&good, &["completed"]).await?;
        self.watch.board.end_of_rollout(&completed);
        self.watch.board.say(&format!("   completed: {} devices are healthy on {GOOD}", completed.healthy_devices));

        let bad = self.push(BAD).await?;
        self.watch.board.say(&format!("\n3. {} was pushed, which is bad: rollout {bad}", self.scene.image(BAD).image));
        let paused = self.watch.follow(&bad, &["paused"]).await?;
        let why = paused.error_message.as_deref().unwrap_or("by the failure rules");
        self.watch.board.say(&format!("   stopped by itself: {why}"));
        self.nobody_runs(BAD).await?;
        let mut alerts = BTreeSet::new();
        let told = self.watch.alerted(&bad, &mut alerts).await?;
        self.watch.board.say(&format!("   admins were told: {}", told.join(", ")));

        let reason = json!({ "reason": "the demo's bad version" });
        self.watch.api.command(&bad, "rollback-all", &reason).await.context("the rollback was refused")?;
        self.watch.board.say("\n4. rollback-all, one call: every device back to its last proven image");
        self.watch
            .board
            .say("   (its end is declared a minute after the call at the earliest: no older copy is in use then)");
        let back = self.watch.follow(&bad, &["rolled_back"]).await?;
        self.watch.board.end_of_rollout(&back);
        let never = back.total_devices - back.updated_devices.min(back.total_devices);
        let (took, home) = (back.updated_devices, back.rolled_back());
        self.watch
            .board
            .say(&format!("   rolled back: {took} devices had taken {BAD}, {home} went back, {never} never had it"));

        let (events, published) = self.watch.count_events(&[good.clone(), bad.clone()]).await?;
        self.watch.board.waits("comparing every device with where it should be");
        let verdict = Verdict {
            devices: self.standings(),
            known: self.known().await?,
            good: self.watch.part(&good).await?,
            bad: self.watch.part(&bad).await?,
            should_run: self.scene.image(GOOD),
            events,
            published,
            told,
        };
        self.watch.board.clear();
        Ok(verdict)
    }

    async fn push(&self, tag: &str) -> Result<String> {
        let (image, digest) = self.scene.pushed(tag)?;
        begun(&push(self.watch.api, &image, &digest).await?, Some(&self.scene.name))
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
            self.watch.board.waits(&format!("waiting for {what}: {heard} of {}", self.fleet.len()));
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
            self.watch.board.waits(&format!("{on_it} devices still run {tag}, {busy} are busy going back"));
            if began.elapsed() > STANDSTILL {
                bail!("{on_it} devices still run {tag}, {busy} are busy: {}", self.last_error());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn standings(&self) -> Vec<Standing> {
        self.fleet.standings()
    }

    /// What the server knows of the devices.
    async fn known(&self) -> Result<Vec<Device>> {
        let fleet = Some(self.scene.name.clone());
        Ok(self.watch.api.list("/api/v1/devices", &[("fleet_id", fleet)], None).await?)
    }
}

fn runs(standing: &Standing, image: &Image) -> bool {
    standing.running.values().any(|running| running.image.is_same(image))
}
