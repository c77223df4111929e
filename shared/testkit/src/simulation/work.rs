//! What devices do about their targets: fetch, swap, go back, converge, vanish.

use rand::Rng;
use tidegate_domain::event::DeviceEvent;
use tidegate_domain::image::Digest;
use tidegate_domain::strategy::Phase;
use tidegate_domain::target::{Action, Move};

use super::agent::{Todo, Work};
use super::scenario::{digest, other_digest};
use super::stage::{Event, Stage};

impl Stage {
    pub(super) fn act(&mut self, n: usize, todo: Todo, poll_after: i64) {
        match todo {
            Todo::Wait => {
                if !matches!(self.agents[n].work, Work::Swapping(_) | Work::Converging | Work::Pulling(_)) {
                    self.after(poll_after, Event::Poll(n));
                }
            }
            Todo::Pull(wanted, image) => self.pull(n, &wanted, image),
            Todo::Swap(wanted, image) => self.swap(n, *wanted, image),
            Todo::Converge(image) => {
                let store = std::sync::Arc::clone(&self.memory.store);
                self.oracle.check_convergence(&store, &self.agents[n]);
                let image = self.fetched(n, image);
                self.set_work(n, Work::Converging);
                self.agents[n].runs = image;
                self.agents[n].untold = true;
                self.coverage.met("device: converges without a rollout");
                self.work_for(n, 2_000..20_000);
            }
        }
    }

    fn set_work(&mut self, n: usize, work: Work) {
        self.agents[n].work = work;
        self.agents[n].turn += 1;
    }

    fn work_for(&mut self, n: usize, ms: std::ops::Range<i64>) {
        let (mut time, turn) = (self.rng.random_range(ms), self.agents[n].turn);
        if self.faults && self.one_in_thousand(self.scenario.vanishing) {
            let away = match self.rng.random_range(0..6) {
                0 => i64::MAX,
                1 | 2 => self.rng.random_range(600_000..8 * 3_600_000),
                _ => self.rng.random_range(30_000..1_200_000),
            };
            self.coverage.met(if away == i64::MAX { "device: vanishes for good" } else { "device: vanishes" });
            self.tell(|| format!("device {n} vanishes"));
            self.agents[n].away_until = self.now.saturating_add(away);
            if away == i64::MAX {
                return;
            }
            time += away;
        }
        self.after(time, Event::Worked(n, turn));
    }

    /// What a device gets for a reference: by digest that, by tag what the tag means, and in some cases what it meant before
    /// or after.
    fn fetched(&self, n: usize, (tag, known): (String, Option<Digest>)) -> (String, Digest) {
        let version: u32 = tag.trim_start_matches('v').parse().unwrap_or(0);
        let moved = version.is_multiple_of(2) && n % 7 == 3;
        let by_tag = || if moved { other_digest(version) } else { self.pulled(version) };
        let image = known.unwrap_or_else(by_tag);
        (tag, image)
    }

    fn pull(&mut self, n: usize, wanted: &Move, image: (String, Option<Digest>)) {
        self.agents[n].tell(wanted, DeviceEvent::ImagePulling, None, None);
        if self.one_in_thousand(self.scenario.pull_fails) {
            self.coverage.met("device: a pull fails");
            self.agents[n].tell(wanted, DeviceEvent::UpdateFailed, Some("no space left on device"), None);
            self.finish(n, wanted);
            self.set_work(n, Work::Idle);
        } else {
            let digest = Some(self.fetched(n, image).1).filter(|_| self.agents[n].tells_pulled(n));
            self.agents[n].tell_of(wanted, DeviceEvent::ImagePulled, (None, None, digest));
            self.set_work(n, Work::Pulling(wanted.rollout_id.clone()));
        }
        self.work_for(n, 1_000..90_000);
    }

    fn finish(&mut self, n: usize, of: &Move) {
        let back = of.action == Action::Rollback;
        self.agents[n].finished.insert((of.rollout_id.clone(), of.attempt, back));
    }

    fn swap(&mut self, n: usize, wanted: Move, image: (String, Option<Digest>)) {
        let is_update = wanted.action == Action::Update;
        if is_update && self.one_in_thousand(self.scenario.locked) {
            self.coverage.met("device: a lock holds the swap");
            let until = self.time().saturating_add(jiff::SignedDuration::from_secs(self.rng.random_range(60..5_000)));
            self.agents[n].tell(&wanted, DeviceEvent::UpdateBlocked, Some("in use"), until.ok());
            self.set_work(n, Work::Ready(wanted.rollout_id.clone()));
            return self.work_for(n, 500..2_000);
        }
        let (tag, image) = self.fetched(n, image);
        let time = self.now;
        if is_update && !self.agents[n].liar {
            let uuid = self.agents[n].uuid;
            let tells = self.agents[n].tells_pulled(n);
            self.oracle.swap_begins(&self.memory.store, uuid, &wanted.rollout_id, tells.then_some(&image), time);
        }
        self.tell(|| format!("device {n} {:?}s to {tag}", wanted.action));
        let ahead = self.agents[n].terse.as_ref().is_some_and(|terse| terse.tells_ahead);
        if is_update {
            self.agents[n].tell(&wanted, DeviceEvent::ContainerUpdating, None, None);
            if ahead {
                self.report(n);
            }
        }
        self.agents[n].runs = (tag, image);
        self.agents[n].healthy = true;
        if is_update {
            let (uuid, claims) = (self.agents[n].uuid, self.agents[n].claims());
            self.oracle.runs_after_its_swap(uuid, &wanted.rollout_id, claims);
        }
        self.set_work(n, Work::Swapping(Box::new(wanted)));
        self.work_for(n, 3_000..60_000);
    }

    pub(super) fn worked(&mut self, n: usize, turn: u64) {
        if self.agents[n].turn != turn || self.agents[n].gone {
            return;
        }
        match self.agents[n].work.clone() {
            Work::Pulling(id) => self.set_work(n, Work::Ready(id)),
            Work::Swapping(wanted) => {
                self.swapped(n, &wanted);
                self.set_work(n, Work::Idle);
            }
            Work::Converging => self.set_work(n, Work::Idle),
            Work::Idle | Work::Ready(_) => {}
        }
        self.report(n);
    }

    fn swapped(&mut self, n: usize, wanted: &Move) {
        self.finish(n, wanted);
        if wanted.action == Action::Rollback {
            let fails = self.faults && self.one_in_thousand(self.scenario.way_back_fails);
            let event = if fails { DeviceEvent::RollbackFailed } else { DeviceEvent::RolledBack };
            if fails {
                self.coverage.met("device: the way back fails");
            }
            return self.agents[n].tell(wanted, event, None, None);
        }
        self.agents[n].tell(wanted, DeviceEvent::UpdateCompleted, None, None);
        let version: u32 = self.agents[n].runs.0.trim_start_matches('v').parse().unwrap_or(0);
        let bad = self.scenario.bad.contains(&self.scenario.content(version))
            || self.one_in_thousand(self.scenario.unhealthy);
        if !bad {
            return self.agents[n].tell(wanted, DeviceEvent::HealthCheckPassed, None, None);
        }
        self.coverage.met("device: is unhealthy");
        self.agents[n].tell(wanted, DeviceEvent::HealthCheckFailed, Some("status 503"), None);
        self.agents[n].healthy = false;
        if let (true, Some(previous)) = (wanted.auto_rollback, &wanted.previous) {
            let tag = previous.image.rsplit_once(':').map_or("v1", |(_, tag)| tag).to_owned();
            let version: u32 = tag.trim_start_matches('v').parse().unwrap_or(1);
            let content = self.scenario.content(version);
            self.agents[n].runs = (tag, previous.digest.clone().unwrap_or_else(|| digest(content)));
            self.agents[n].healthy = true;
            let back = Move { action: Action::Rollback, phase: Phase::Swap, ..wanted.clone() };
            self.agents[n].tell(wanted, DeviceEvent::RolledBack, None, None);
            self.finish(n, &back);
        }
    }
}
