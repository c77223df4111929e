//! Looking on while something goes its way: until a rollout is where it should be, until everybody was told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::summary::Part;
use crate::api::{Api, Rollout};
use crate::board::Board;
use crate::bus::{Captured, Published, count};

/// Between two looks.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(700);
/// Longest time in which nothing may change.
pub(super) const STANDSTILL: Duration = Duration::from_secs(150);
/// How long the bus may lag behind.
const BUS_LAG: Duration = Duration::from_secs(45);

/// Who looks on.
pub(super) struct Watch<'a> {
    pub(super) api: &'a Api,
    pub(super) events: Captured,
    pub(super) alerts: Captured,
    pub(super) board: Board,
}

impl Watch<'_> {
    /// Watches a rollout until it is in one of these statuses.
    pub(super) async fn follow(&mut self, id: &str, wanted: &[&str]) -> Result<Rollout> {
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

    /// Waits until admins were told of the stop.
    pub(super) async fn alerted(&mut self, rollout: &str, seen: &mut BTreeSet<Published>) -> Result<Vec<String>> {
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
    pub(super) async fn count_events(
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

    /// The rollout with its rows.
    pub(super) async fn part(&self, id: &str) -> Result<Part> {
        Ok(Part { rollout: self.api.rollout(id).await?, rows: self.api.rows(id).await? })
    }
}
