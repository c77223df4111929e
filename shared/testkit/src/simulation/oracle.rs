//! What must always hold, and what must hold in the end.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use tidegate_domain::assignment::{Progress, Reason};
use tidegate_domain::command::Command;
use tidegate_domain::counts::{Class, Counts};
use tidegate_domain::device::{Device, Track};
use tidegate_domain::event::DeviceEvent;
use tidegate_domain::ids::{DeviceUuid, RolloutId};
use tidegate_domain::journal::Page;
use tidegate_domain::judge::{Judge, Outcome};
use tidegate_domain::pin::Pin;
use tidegate_domain::policy::{OnDrift, Policy};
use tidegate_domain::rollout::{Knowledge, Known, Plan, Rollout, Status};
use tidegate_domain::row::Row;
use tidegate_domain::step::MEMORY_SECONDS;
use tidegate_domain::target::target_state;
use tidegate_engine::entities::{devices, events, rows};
use tidegate_engine::ports::{BusEntry, Item, Table};

use super::agent::{Agent, SERVICE, Work};
use super::scenario::{STRANGER, digest, other_digest};
use crate::memory::MemoryStore;

/// How far clocks may differ, in milliseconds.
const SKEW: i64 = 1_700;

/// Something new that is worth a line and a count.
pub(super) struct News {
    pub coverage: String,
    pub words: String,
}

pub(super) struct Oracle {
    policy: Policy,
    pub violations: Vec<String>,
    /// Each rollout's states, with the times when they were stored.
    history: BTreeMap<RolloutId, Vec<(i64, Rollout)>>,
    pub at_rest: bool,
    /// Whether some push is told under two ids.
    twins: bool,
}

/// Every rollout as it is stored, oldest first.
pub(super) fn rollouts(store: &MemoryStore) -> Vec<Rollout> {
    let items = store.peek_all(Table::Rollouts);
    let own = items.iter().filter(|item| item.contains_key("status"));
    own.filter_map(|item| from(item)).collect()
}

fn from<T: serde::de::DeserializeOwned>(item: &Item) -> Option<T> {
    serde_json::from_value(serde_json::Value::Object(item.clone())).ok()
}

pub(super) fn all_rows(store: &MemoryStore) -> Vec<Row> {
    store.peek_all(Table::DeviceRollouts).iter().filter_map(|item| rows::parse((**item).clone()).ok()).collect()
}

fn all_devices(store: &MemoryStore) -> Vec<Device> {
    store.peek_all(Table::Devices).iter().filter_map(|item| devices::parse((**item).clone()).ok()).collect()
}

/// Every page of a rollout's journal, by number.
fn pages(store: &MemoryStore, id: &RolloutId) -> BTreeMap<u32, Page> {
    let items = store.peek_all(Table::RolloutJournal);
    let own = items.iter().filter(|item| item.get("rollout_id").and_then(|v| v.as_str()) == Some(id.as_str()));
    own.filter_map(|item| {
        let number = item.get("n")?.as_str()?.strip_prefix("page#")?.parse().ok()?;
        Some((number, from(item)?))
    })
    .collect()
}

impl Oracle {
    pub(super) fn new(policy: Policy, twins: bool) -> Self {
        Self { policy, twins, violations: Vec::new(), history: BTreeMap::new(), at_rest: false }
    }

    fn wrong(&mut self, what: impl Into<String>) {
        self.violations.push(what.into());
    }

    /// Looks at rollouts that were written since the last look.
    pub(super) fn watch_rollouts(&mut self, store: &MemoryStore, now: Timestamp) -> Vec<News> {
        let mut news = Vec::new();
        let all = rollouts(store);
        for rollout in &all {
            let last =
                self.history.get(&rollout.rollout_id).and_then(|states| states.last()).map(|(_, old)| old.clone());
            if last.as_ref() == Some(rollout) {
                continue;
            }
            let from = last.as_ref().map(|old| old.status);
            if from != Some(rollout.status) {
                news.push(News {
                    coverage: format!("status: {}", rollout.status.name()),
                    words: format!(
                        "rollout {} ({}): {} → {}{}",
                        rollout.rollout_id,
                        rollout.target.tag.as_ref().map_or("", |tag| tag.as_str()),
                        from.map_or("new", Status::name),
                        rollout.status.name(),
                        rollout.reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default()
                    ),
                });
            }
            if let Some(old) = &last {
                if old.batch != rollout.batch {
                    news.push(News {
                        coverage: format!("batch {} opens", rollout.batch),
                        words: format!(
                            "rollout {}: batch {} opens to {}",
                            rollout.rollout_id, rollout.batch, rollout.open_to
                        ),
                    });
                }
                self.check_change(store, old, rollout, now);
            }
            self.history.entry(rollout.rollout_id.clone()).or_default().push((now.as_millisecond(), rollout.clone()));
        }
        if !news.is_empty() {
            self.check_owners(&all);
        }
        news
    }

    /// At most one rollout of an image and policy is under way.
    fn check_owners(&mut self, all: &[Rollout]) {
        let mut owners: BTreeMap<String, Vec<&Rollout>> = BTreeMap::new();
        for rollout in all.iter().filter(|rollout| {
            matches!(rollout.status, Status::AwaitingApproval | Status::Scheduled | Status::InProgress | Status::Paused)
        }) {
            owners.entry(format!("{}/{}", rollout.repository, rollout.policy_id)).or_default().push(rollout);
        }
        for (image, live) in owners.into_iter().filter(|(_, live)| live.len() > 1) {
            self.wrong(format!("{image} has {} live rollouts", live.len()));
        }
        // A push that is told twice under two ids may come again after another one: a legitimate way back to it. Told
        // under one id it makes one rollout, whatever comes between.
        let mut newest: Vec<&Rollout> = all.iter().filter(|rollout| rollout.status != Status::Cancelled).collect();
        newest.sort_by_key(|rollout| rollout.generation);
        let same = |one: &Rollout, two: &Rollout| one.target.digest.is_some() && one.target.digest == two.target.digest;
        let twice = newest.iter().enumerate().find_map(|(n, rollout)| {
            let mut later = newest[n + 1..].iter();
            let twin = if self.twins {
                later.next().filter(|next| same(rollout, next))
            } else {
                later.find(|next| same(rollout, next))
            };
            twin.map(|twin| format!("{} and {} bring the same delivered image", rollout.rollout_id, twin.rollout_id))
        });
        if let Some(twice) = twice {
            self.wrong(twice);
        }
    }

    fn check_change(&mut self, store: &MemoryStore, old: &Rollout, new: &Rollout, now: Timestamp) {
        let id = &new.rollout_id;
        if new.revision <= old.revision {
            self.wrong(format!("{id}: a write did not raise the revision"));
        }
        if !may_follow(old.status, new.status) {
            self.wrong(format!("{id}: {} became {}", old.status.name(), new.status.name()));
        }
        if old.status == Status::Paused && new.status != Status::Paused && new.command_at == old.command_at {
            let fails = new.status == Status::Failed;
            if !fails {
                self.wrong(format!("{id}: a paused rollout went on without a command"));
            }
        }
        if new.open_to > old.open_to || new.batch > old.batch {
            self.check_opening(store, old, new, now);
        }
        if new.cursor > old.cursor || new.status == Status::InProgress {
            self.check_thresholds(store, new);
        }
        if new.status == Status::RolledBack && old.status == Status::RollingBack {
            let counts = new.counts();
            let left = counts.of(Class::Healthy) + counts.of(Class::Reverting) + counts.of(Class::Failed);
            if left > 0 {
                self.wrong(format!("{id}: rolled back, and {left} devices are not"));
            }
        }
    }

    /// A batch opens when the one before is done, proven and old enough, in an open window, and not while stopped.
    fn check_opening(&mut self, store: &MemoryStore, old: &Rollout, new: &Rollout, now: Timestamp) {
        let id = &new.rollout_id;
        // Empty batches are passed over on the way to an end; nobody is in them.
        if matches!(new.status, Status::Paused | Status::Scheduled | Status::AwaitingApproval | Status::Pending) {
            self.wrong(format!("{id}: opened further while {}", new.status.name()));
        }
        let end = new.batches.get(new.batch as usize - 1).map_or(0, |batch| batch.end);
        if new.open_to > end {
            self.wrong(format!("{id}: open to {} although batch {} ends at {end}", new.open_to, new.batch));
        }
        if new.batch <= old.batch || old.batch == 0 {
            return;
        }
        let Some(before) = new.batches.get(old.batch as usize - 1) else { return };
        let counts = &before.counts;
        let rows: Vec<Row> =
            all_rows(store).into_iter().filter(|row| row.rollout_id == *id && row.batch == old.batch).collect();
        // What a device did since the step read the journal is for the next step.
        let folded = pages(store, id).keys().max().is_none_or(|last| *last <= new.cursor);
        if counts.unsettled() > 0 || (folded && rows.iter().any(|row| row.class.unsettled())) {
            self.wrong(format!(
                "{id}: batch {} opened while {} devices of batch {} are unsettled",
                new.batch,
                counts.unsettled(),
                old.batch
            ));
        }
        if counts.of(Class::Healthy) == 0 && counts.devices() > 0 && !old.skip_batch {
            self.wrong(format!("{id}: batch {} opened although nothing is healthy in batch {}", new.batch, old.batch));
        }
        let delay = i64::from(self.policy.batch_delay_seconds) * 1_000;
        if before.completed_at.is_none_or(|at| now.as_millisecond() + SKEW < at.as_millisecond() + delay) {
            self.wrong(format!("{id}: batch {} opened before the delay was over", new.batch));
        }
    }

    /// No rollout goes on over an outcome that a rule forbids, unless it was resumed since.
    fn check_thresholds(&mut self, store: &MemoryStore, rollout: &Rollout) {
        if rollout.status != Status::InProgress {
            return;
        }
        let mut batches: Vec<Counts> = rollout.batches.iter().map(|_| Counts::default()).collect();
        let mut judge = Judge::default();
        let planned = |batch: u32| rollout.batches.get(batch as usize - 1).map_or(0, |batch| batch.counts.devices());
        for (number, page) in pages(store, &rollout.rollout_id) {
            if number > rollout.cursor {
                break;
            }
            for delta in &page.deltas {
                if let Some(counts) = batches.get_mut(delta.batch as usize - 1) {
                    counts.merge(&delta.counts);
                }
            }
            for outcome in page.outcomes.iter().filter(|_| number > rollout.judged_from) {
                // Only what no later change of a batch's size can explain away.
                let size = planned(outcome.batch).max(page.outcomes.len() as u32);
                if let Some(rule) = judge.take(outcome.outcome, outcome.batch, size, &self.policy)
                    && !matches!(outcome.outcome, Outcome::Healthy | Outcome::Recovered)
                    && matches!(rule, tidegate_domain::judge::Rule::Consecutive(_))
                {
                    let id = &rollout.rollout_id;
                    return self.wrong(format!("{id} goes on although {rule}"));
                }
            }
        }
        let counts = rollout.current().map(|batch| batch.counts.clone()).unwrap_or_default();
        let failed = counts.failed() + counts.of(Class::RolledBack);
        // Of all that were planned: who is skipped later makes no outcome worse after the fact.
        let excess = self.policy.max_failure_rate.exceeded_by(failed, counts.rows());
        if excess && rollout.judged_from == 0 && self.policy.count_timeouts && rollout.batch > 0 {
            let id = &rollout.rollout_id;
            self.wrong(format!("{id} goes on although {failed} of {} devices of its batch failed", counts.devices()));
        }
    }

    /// A device's item was written: nothing starts that the rollout, as it was a moment ago, does not allow.
    pub(super) fn device_written(&mut self, old: Option<&Device>, new: &Device, now: i64) {
        if old.is_some_and(|old| new.rev != old.rev + 1) {
            let uuid = new.device_uuid;
            self.wrong(format!("device {uuid}: a revision was overwritten"));
        }
        for (repository, track) in &new.tracks {
            let before = old.and_then(|old| old.tracks.get(repository));
            if track.generation() < before.map_or(0, tidegate_domain::device::Track::generation) {
                self.wrong(format!("device {}: an older rollout took over", new.device_uuid));
            }
            if let (Some(current), Some(next)) = (&track.current, &track.next)
                && next.generation <= current.generation
            {
                self.wrong(format!("device {}: waits for an older rollout", new.device_uuid));
            }
            let Some(current) = &track.current else { continue };
            if let Some((old, before)) = old.zip(before) {
                self.planned(old, before, new, track);
            }
            let was =
                before.and_then(|before| before.current.as_ref()).filter(|was| was.rollout_id == current.rollout_id);
            let starts = matches!(current.progress, Progress::Offered)
                && !was.is_some_and(|was| matches!(was.progress, Progress::Offered | Progress::Blocked { .. }));
            let swaps = matches!(current.progress, Progress::Swapping)
                && was.is_some_and(|was| matches!(was.progress, Progress::Pulled | Progress::Blocked { .. }));
            if (starts || swaps) && !self.was_open(&current.rollout_id, current.position, now) {
                let what = if starts { "was offered" } else { "may swap to" };
                self.wrong(format!(
                    "device {} (position {}) {what} the image of {}, which is not open to it",
                    new.device_uuid, current.position, current.rollout_id
                ));
            }
        }
    }

    /// A device that runs what nobody ever pushed gets a place: only where the policy does not hold such devices, and
    /// with that as its way back where the policy adopts them.
    fn planned(&mut self, old: &Device, before: &Track, new: &Device, track: &Track) {
        let Some(repository) = old.tracks.keys().next() else { return };
        let place = |track: &Track| track.current.as_ref().map(|current| current.rollout_id.clone());
        let strays = old.running_digest(repository) == Some(&digest(STRANGER));
        if !strays || place(before) == place(track) || before.next.is_some() {
            return;
        }
        let known =
            |pin: Option<&Pin>| pin.is_none_or(|pin| pin.digest.as_ref().is_some_and(|it| *it != digest(STRANGER)));
        let states = before.current.as_ref().and_then(|current| self.history.get(&current.rollout_id));
        let rollout = states.and_then(|states| states.last()).map(|(_, rollout)| rollout);
        let rests = before.current.as_ref().is_none_or(|current| {
            matches!(
                current.progress,
                Progress::Waiting | Progress::Deferred | Progress::Healthy | Progress::Skipped { .. }
            )
        });
        let told = rests
            && before.baseline.is_some()
            && known(before.baseline.as_ref())
            && known(before.resting.as_ref())
            && known(rollout.map(|rollout| &rollout.target))
            && rollout.is_none_or(|rollout| !rollout.status.takes_back());
        let held = track.current.as_ref().is_some_and(|current| matches!(current.progress, Progress::Skipped { .. }));
        let kept = track.baseline.as_ref().and_then(|pin| pin.digest.as_ref()) == Some(&digest(STRANGER));
        match self.policy.on_drift {
            OnDrift::Hold if told && !held => {
                self.wrong(format!("device {} drifted, and was not held", new.device_uuid));
            }
            OnDrift::Adopt if told && !kept => {
                self.wrong(format!("device {} drifted, and that was not adopted", new.device_uuid));
            }
            OnDrift::Converge if kept => self.wrong(format!("device {} goes back to a stranger", new.device_uuid)),
            OnDrift::Hold | OnDrift::Adopt | OnDrift::Converge => {}
        }
    }

    /// Whether the rollout was open to the position at some moment of the last seconds.
    fn was_open(&self, id: &RolloutId, position: u32, now: i64) -> bool {
        let Some(states) = self.history.get(id) else { return false };
        let since = now - MEMORY_SECONDS * 1_000 - SKEW;
        let ends = states.iter().skip(1).map(|(at, _)| *at).chain([i64::MAX]);
        states.iter().zip(ends).any(|((_, rollout), until)| {
            let offers = matches!(rollout.status, Status::InProgress | Status::Completed);
            until >= since && offers && rollout.open_for(position)
        })
    }

    /// A device replaces its container.
    pub(super) fn swap_begins(&mut self, store: &MemoryStore, device: DeviceUuid, id: &RolloutId, _now: i64) {
        let stored = all_devices(store).into_iter().find(|stored| stored.device_uuid == device);
        let Some((_, assignment)) = stored.as_ref().and_then(|stored| stored.assignment(id)) else { return };
        let ever =
            self.history.get(id).is_some_and(|states| states.iter().any(|(_, r)| r.open_for(assignment.position)));
        if !ever {
            let position = assignment.position;
            self.wrong(format!("device {device} runs the image of {id} at position {position}, which was never open"));
        }
    }

    /// What a command did is stored: its revision, with its status.
    pub(super) fn command_done(&mut self, id: &RolloutId, command: &Command, status: Status) {
        let seen =
            self.history.get(id).is_some_and(|states| states.iter().rev().take(4).any(|(_, r)| r.status == status));
        if !seen {
            self.wrong(format!("{} of {id} was confirmed and is not stored", command.name()));
        }
    }

    /// Counts equal the rows that they count.
    pub(super) fn audit(&mut self, store: &MemoryStore) {
        let rows = all_rows(store);
        for rollout in rollouts(store).iter().filter(|rollout| !rollout.batches.is_empty()) {
            let mut counted = rollout.clone();
            let all = pages(store, &rollout.rollout_id);
            if let Some((n, (number, _))) = all.iter().enumerate().find(|(n, (number, _))| *n as u32 + 1 != **number) {
                self.wrong(format!("{}: page {number} of the journal is the {n}th", rollout.rollout_id));
            }
            for (_, page) in all.iter().filter(|(number, _)| **number > rollout.cursor) {
                page.count_into(&mut counted.batches);
            }
            let mut real: Vec<Counts> = counted.batches.iter().map(|_| Counts::default()).collect();
            for row in rows.iter().filter(|row| row.rollout_id == rollout.rollout_id) {
                let Some(counts) = real.get_mut(row.batch as usize - 1) else { continue };
                counts.add(row.class, 1);
                counts.add_updated(i64::from(row.updated));
            }
            for (n, (batch, real)) in counted.batches.iter().zip(&real).enumerate() {
                if batch.counts != *real {
                    self.wrong(format!(
                        "{}: batch {} counts {:?}, and its rows are {real:?}",
                        rollout.rollout_id,
                        n + 1,
                        batch.counts
                    ));
                }
            }
        }
    }

    pub(super) fn judge_the_end(&mut self, store: &MemoryStore, agents: &[Agent], bus: &[BusEntry], now: Timestamp) {
        self.audit(store);
        let all = rollouts(store);
        for rollout in &all {
            if rollout.status.live() || rollout.status == Status::RollingBack || rollout.live.is_some() {
                self.wrong(format!(
                    "{} never came to rest: {} {:?}, {:?}",
                    rollout.rollout_id,
                    rollout.status.name(),
                    rollout.reason,
                    rollout.counts()
                ));
            }
        }
        let known: Knowledge =
            all.iter().map(|rollout| (rollout.rollout_id.clone(), std::sync::Arc::new(self.known(rollout)))).collect();
        let stored = all_devices(store);
        for agent in
            agents.iter().filter(|agent| !agent.liar && !agent.gone && agent.away_until <= now.as_millisecond())
        {
            if let Some(device) = stored.iter().find(|device| device.device_uuid == agent.uuid) {
                self.judge_device(agent, device, &known, now);
                self.judge_proof(store, agent, device, &all);
            }
        }
        self.judge_rows(store, agents, &stored);
        self.judge_bus(store, bus);
    }

    fn known(&self, rollout: &Rollout) -> Known {
        Known { rollout: rollout.clone(), plan: Plan { policy: self.policy.clone(), platforms: BTreeMap::new() } }
    }

    /// It runs exactly what its target says, and that is a known image.
    fn judge_device(&mut self, agent: &Agent, device: &Device, known: &Knowledge, now: Timestamp) {
        let target = target_state(device, known, now);
        let Some(service) = target.services.get(SERVICE) else {
            return self.wrong(format!("device {} has no target", agent.uuid));
        };
        let runs = &agent.runs.1;
        let is_known = (0..40).any(|n| *runs == digest(n) || *runs == other_digest(n));
        if !is_known {
            self.wrong(format!("device {} runs an image that nobody pushed", agent.uuid));
        }
        let is_there = match &service.digest {
            Some(digest) => digest == runs,
            None => service.image.ends_with(&format!(":{}", agent.runs.0)),
        };
        // Outside its window a device stays on what it has.
        if !is_there && self.policy.window.is_none() {
            let progress = device.tracks.values().next().and_then(|track| track.current.as_ref()).map(|c| &c.progress);
            self.wrong(format!(
                "device {} runs {} and should run {} ({:?}, {:?})",
                agent.uuid,
                agent.runs.0,
                service.image,
                service.rollout.as_ref().map(|m| m.action),
                progress
            ));
        }
    }

    /// Nobody goes back behind what was proven on it, nobody runs what was taken back, and who was passed over because
    /// it ran the image already runs it still.
    fn judge_proof(&mut self, store: &MemoryStore, agent: &Agent, device: &Device, all: &[Rollout]) {
        let Some(track) = device.tracks.values().next() else { return };
        let by_id = |id: &RolloutId| all.iter().find(|rollout| rollout.rollout_id == *id);
        let by_hand = agent.hand_at.unwrap_or(0);
        let passed_over = |row: &Row| {
            let last = row.history.last().map_or(0, |happened| happened.at.as_millisecond());
            row.reason == Some(Reason::UpToDate) && last + SKEW >= by_hand
        };
        let rows: Vec<Row> = all_rows(store).into_iter().filter(|row| row.device_uuid == agent.uuid).collect();
        let proven = rows
            .iter()
            .filter(|row| row.class == Class::Healthy || passed_over(row))
            .filter_map(|row| Some((row, by_id(&row.rollout_id)?)))
            .filter(|(_, rollout)| rollout.status == Status::Completed)
            .max_by_key(|(_, rollout)| rollout.generation);
        let newest = rows.iter().filter_map(|row| Some(by_id(&row.rollout_id)?.generation)).max();
        let runs = Some(&agent.runs.1);
        let place = track.current.as_ref().and_then(|place| Some((place, by_id(&place.rollout_id)?)));
        let behind = track.baseline.as_ref().and_then(|pin| pin.digest.as_ref());
        if let Some((place, rollout)) = place
            && rollout.status == Status::RolledBack
            && !matches!(place.progress, Progress::Stuck { .. } | Progress::NotSeen)
            && rollout.target.digest.as_ref() == runs
            && behind != runs
        {
            let id = &rollout.rollout_id;
            self.wrong(format!("device {} runs what {id} brought and took back ({:?})", agent.uuid, place.progress));
        }
        let Some((row, rollout)) = proven else { return };
        if newest == Some(rollout.generation)
            && row.reason == Some(Reason::UpToDate)
            && track.generation() <= rollout.generation
            && rollout.target.digest.as_ref() != runs
            && self.policy.window.is_none()
        {
            let (uuid, id) = (agent.uuid, &rollout.rollout_id);
            self.wrong(format!("device {uuid} ran the image of {id} already, and now runs {}", agent.runs.0));
        }
        let later = |other: &&Rollout| other.status == Status::Completed && other.generation >= rollout.generation;
        let replaced = place.is_some_and(|(place, _)| place.generation > rollout.generation);
        let adopted = self.policy.on_drift == OnDrift::Adopt && agent.hand_at.is_some();
        if replaced && !adopted && !all.iter().filter(later).any(|other| other.target.digest.as_ref() == behind) {
            self.wrong(format!("device {} could go back behind {}, which it proved", agent.uuid, rollout.rollout_id));
        }
    }

    fn judge_rows(&mut self, store: &MemoryStore, agents: &[Agent], devices: &[Device]) {
        let honest: BTreeSet<DeviceUuid> = agents.iter().filter(|agent| !agent.liar).map(|agent| agent.uuid).collect();
        let all = rollouts(store);
        for row in all_rows(store) {
            let status = all.iter().find(|rollout| rollout.rollout_id == row.rollout_id).map(|rollout| rollout.status);
            if status == Some(Status::RolledBack) && row.class.may_run_new() {
                self.wrong(format!(
                    "{} is rolled back, and device {} counts as {:?}",
                    row.rollout_id, row.device_uuid, row.class
                ));
            }
            if matches!(row.class, Class::Updating | Class::Reverting) {
                self.wrong(format!("device {} never settled in {}", row.device_uuid, row.rollout_id));
            }
            let device = devices.iter().find(|device| device.device_uuid == row.device_uuid);
            if let Some((_, assignment)) = device.and_then(|device| device.assignment(&row.rollout_id))
                && assignment.progress.class() != row.class
            {
                self.wrong(format!(
                    "device {} is {:?}, and its row in {} says {:?}",
                    row.device_uuid, assignment.progress, row.rollout_id, row.class
                ));
            }
            if honest.contains(&row.device_uuid)
                && let Some(wrong) = illegal(&row)
            {
                self.wrong(format!("device {} in {}: {wrong}", row.device_uuid, row.rollout_id));
            }
        }
    }

    /// Every event reached the bus.
    fn judge_bus(&mut self, store: &MemoryStore, bus: &[BusEntry]) {
        let published: BTreeSet<&str> = bus.iter().filter_map(|entry| entry.detail.get("event_id")?.as_str()).collect();
        for item in store.peek_all(Table::Events) {
            let Ok(event) = events::parse((*item).clone()) else { continue };
            let id = format!("{}/{}", event.stream, event.event_id);
            if !published.contains(id.as_str()) {
                self.wrong(format!("{} ({id}) was never published", event.name));
            }
        }
        for row in all_rows(store) {
            for n in 0..row.history.len() {
                let id = format!("{}/{}/{n}", row.rollout_id, row.device_uuid);
                if !published.contains(id.as_str()) {
                    self.wrong(format!("{id} was never published"));
                }
            }
        }
        for rollout in rollouts(store).iter().filter(|rollout| rollout.started_at.is_some()) {
            let started = bus.iter().any(|entry| {
                entry.name == "image.rollout_started"
                    && entry.detail.get("rollout_id").and_then(|id| id.as_str()) == Some(rollout.rollout_id.as_str())
            });
            if !started {
                self.wrong(format!("{} started, and nobody was told", rollout.rollout_id));
            }
        }
    }
}

/// Nothing moves any more: every rollout ended and drained, every reachable device is where it should be.
pub(super) fn is_at_rest(store: &MemoryStore, agents: &[Agent]) -> bool {
    let over = rollouts(store)
        .iter()
        .all(|rollout| !rollout.status.live() && rollout.status != Status::RollingBack && rollout.live.is_none());
    over && agents.iter().all(|agent| {
        agent.away_until == i64::MAX
            || agent.gone
            || (agent.outbox.is_empty() && matches!(agent.work, Work::Idle | Work::Ready(_)))
    })
}

/// The statuses that may follow one another.
fn may_follow(old: Status, new: Status) -> bool {
    use Status as S;
    if old == new {
        return true;
    }
    match old {
        S::Pending => {
            !matches!(new, S::Paused | S::Completed | S::RollingBack | S::RolledBack | S::Expired | S::Rejected)
        }
        S::AwaitingApproval => {
            matches!(new, S::Scheduled | S::Rejected | S::Expired | S::Cancelled | S::Superseded)
        }
        S::Expired => matches!(new, S::AwaitingApproval | S::Superseded),
        S::Scheduled => matches!(new, S::InProgress | S::Paused | S::Cancelled | S::Superseded),
        S::InProgress => {
            matches!(new, S::Paused | S::Completed | S::Failed | S::Cancelled | S::Superseded | S::RollingBack)
        }
        S::Paused => {
            matches!(new, S::InProgress | S::Scheduled | S::Failed | S::Cancelled | S::Superseded | S::RollingBack)
        }
        S::Completed | S::Failed | S::Cancelled => new == S::RollingBack,
        S::RollingBack => new == S::RolledBack,
        S::Superseded | S::Rejected | S::RolledBack => false,
    }
}

/// What is wrong with the order of a row's events, if anything is.
fn illegal(row: &Row) -> Option<String> {
    use DeviceEvent as E;
    let mut last_stage = 0;
    for (n, happened) in row.history.iter().enumerate() {
        let stage = match happened.event {
            E::ImageUpdateScheduled => 0,
            E::ImagePulling => 1,
            E::ImagePulled => 2,
            E::ContainerUpdating => 3,
            E::UpdateCompleted => 4,
            E::HealthCheckPassed | E::HealthCheckFailed | E::UpdateFailed => 5,
            E::RolledBack | E::RollbackFailed => 6,
            // Told by the server, or at any time.
            E::UpdateDeferred | E::UpdateBlocked | E::UpdateTimedOut | E::UpdateSkipped | E::Reenrolled => continue,
        };
        if (n == 0) != (happened.event == E::ImageUpdateScheduled) {
            return Some(format!("{} is event {n}", happened.event));
        }
        let again = stage == 6 && last_stage == 6;
        if stage <= last_stage && n > 0 && !again {
            return Some(format!("{} comes after stage {last_stage}", happened.event));
        }
        last_stage = stage;
    }
    None
}
