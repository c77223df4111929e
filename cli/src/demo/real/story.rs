//! The acts of the demo with real agents.

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::{Result, bail};
use bollard::Docker;

use super::agents::Agents;
use super::verdict::Verdict;
use super::{BAD, FIRST, GOOD, Pushes, containers};
use crate::api::{Device, Rollout};
use crate::demo::scene::Scene;
use crate::demo::watch::{LOOK_EVERY, STANDSTILL, Watch};

/// Everything that the acts need.
pub(super) struct Story<'a> {
    pub(super) watch: Watch<'a>,
    pub(super) scene: &'a Scene,
    pub(super) pushes: &'a Pushes<'a>,
    pub(super) agents: &'a mut Agents,
    pub(super) docker: Docker,
}

impl Story<'_> {
    /// Tells it to its end and judges.
    pub(super) async fn tell(mut self) -> Result<Verdict> {
        let devices = self.agents.len();
        self.enrolled().await?;
        self.all_run(FIRST).await?;
        self.watch.board.say(&format!("\n1. {devices} agents are enrolled and run {}", self.image(FIRST)));

        let good = self.pushes.push(self.scene, GOOD).await?;
        self.watch.board.say(&format!("\n2. {} was pushed to the registry ({})", self.image(GOOD), good.digest));
        let first = self.begun(GOOD).await?;
        self.watch.board.say(&format!("   its notification began rollout {first}"));
        let completed = self.follow(&first, "completed").await?;
        self.watch.board.end_of_rollout(&completed);
        self.all_run(GOOD).await?;
        self.watch.board.say(&format!("   completed: {} devices are healthy on {GOOD}", completed.healthy_devices));

        let bad = self.pushes.push(self.scene, BAD).await?;
        self.watch.board.say(&format!("\n3. {} was pushed, which is never healthy ({})", self.image(BAD), bad.digest));
        let second = self.begun(BAD).await?;
        let paused = self.follow(&second, "paused").await?;
        self.watch.board.end_of_rollout(&paused);
        let why = paused.error_message.as_deref().unwrap_or("by the failure rules");
        self.watch.board.say(&format!("   stopped by itself: {why}"));
        self.all_run(GOOD).await?;
        self.watch
            .board
            .say(&format!("   every device is on {GOOD}: where {BAD} was tried, the agent went back by itself"));
        let told = self.watch.alerted(&second, &mut BTreeSet::new()).await?;
        self.watch.board.say(&format!("   admins were told: {}", told.join(", ")));

        let (events, published) = self.watch.count_events(&[first.clone(), second.clone()]).await?;
        self.watch.board.waits("comparing every container with what it should be");
        let (seen, strangers) = containers::look(&self.docker, self.agents).await?;
        let verdict = Verdict {
            seen,
            strangers,
            known: self.known().await?,
            repository: self.scene.repository.to_string(),
            should_run: good.digest.as_str().to_owned(),
            good: self.watch.part(&first).await?,
            bad: self.watch.part(&second).await?,
            events,
            published,
            told,
        };
        self.watch.board.clear();
        Ok(verdict)
    }

    fn image(&self, tag: &str) -> String {
        format!("{}:{tag}", self.scene.repository)
    }

    /// Waits until the server knows every device, and each told that it is well.
    async fn enrolled(&mut self) -> Result<()> {
        let began = Instant::now();
        loop {
            let known = self.known().await?;
            let well = |device: &&Device| {
                !device.services.is_empty()
                    && device.services.values().all(|service| service.digest.is_some() && service.healthy == Some(true))
            };
            let well = known.iter().filter(well).count();
            if well == self.agents.len() {
                return Ok(());
            }
            let waits = format!("{} devices are enrolled, {well} of {} are well", known.len(), self.agents.len());
            self.wait(began, &waits).await?;
        }
    }

    /// Waits until every device's one container says that it is of this version.
    async fn all_run(&mut self, version: &str) -> Result<()> {
        let began = Instant::now();
        loop {
            let (seen, _) = containers::look(&self.docker, self.agents).await?;
            let there =
                seen.iter().filter(|seen| seen.running.len() == 1 && seen.answers.as_deref() == Some(version)).count();
            if there == seen.len() {
                return Ok(());
            }
            self.wait(began, &format!("{there} of {} containers run {version}", seen.len())).await?;
        }
    }

    /// The rollout of this version that the registry's own notification began.
    async fn begun(&mut self, tag: &str) -> Result<String> {
        let began = Instant::now();
        loop {
            let image = Some(self.scene.repository.to_string());
            let rollouts: Vec<Rollout> = self.watch.api.list("/api/v1/rollouts", &[("image", image)], None).await?;
            if let Some(rollout) = rollouts.into_iter().find(|rollout| rollout.new_tag.as_deref() == Some(tag)) {
                return Ok(rollout.rollout_id);
            }
            self.wait(began, &format!("waiting for the registry to tell of {tag}")).await?;
        }
    }

    /// Watches a rollout until it has this status.
    async fn follow(&mut self, id: &str, status: &str) -> Result<Rollout> {
        match self.watch.follow(id, &[status]).await {
            Ok(rollout) => Ok(rollout),
            Err(error) => match self.agents.ended() {
                Some(ended) => Err(error.context(ended)),
                None => Err(error),
            },
        }
    }

    /// A while; an error when it was too long in all, or when an agent is gone.
    async fn wait(&mut self, began: Instant, what: &str) -> Result<()> {
        if let Some(ended) = self.agents.ended() {
            bail!("{what}; {ended}");
        }
        if began.elapsed() > STANDSTILL {
            bail!("waited {} s in vain: {what}", STANDSTILL.as_secs());
        }
        self.watch.board.waits(what);
        tokio::time::sleep(LOOK_EVERY).await;
        Ok(())
    }

    /// What the server knows of the devices.
    async fn known(&self) -> Result<Vec<Device>> {
        let fleet = Some(self.scene.name.clone());
        Ok(self.watch.api.list("/api/v1/devices", &[("fleet_id", fleet)], None).await?)
    }
}
