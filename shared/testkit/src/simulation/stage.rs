//! The stage: virtual time, what happens in it, and the tasks that run on it.

mod faults;
mod messages;
mod streams;
mod tasks;

pub(super) use tasks::{Owner, Value};

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tidegate_domain::rollout::Rollout;
use tidegate_engine::memory::RolloutMemory;
use tidegate_engine::ports::{BusEntry, Ports, Store};
use tidegate_engine::settings::Settings;
use tidegate_engine::step;

use super::agent::Agent;
use super::oracle::Oracle;
use super::policies::Edit;
use super::sabotage::Sabotaged;
use super::scenario::Scenario;
use super::{Coverage, Mutant, Report};
use crate::entropy::SeededEntropy;
use crate::memory::{MemoryPorts, MemoryStore, StreamRecord};
use crate::world::{Driver, Gate, TaskId, Ticket, gated};
use messages::Message;
use streams::Shard;

/// A function is ended after this, in milliseconds; an API's sooner than a worker's.
const WORKER_TIMEOUT: i64 = 60_000;
const API_TIMEOUT: i64 = 10_000;
/// Between two sweeps, in milliseconds.
const SWEEP: i64 = 60_000;
/// No run takes longer than this after its active time, in milliseconds: what one daily window left is settled in the one
/// after the next.
const PATIENCE: i64 = 64 * 3_600_000;

/// What happens at a moment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    /// A port call's time has come.
    Call(Ticket),
    /// A task has lived too long.
    Timeout(TaskId),
    /// A message becomes visible.
    Deliver(u64),
    /// A stream's consumer looks.
    Pump(usize),
    /// The schedule fires.
    Sweep,
    /// A delivery of push `.0`, by its place among the repeats.
    Push(usize, usize),
    /// Something is told beside that.
    Notice(usize),
    /// An operator acts.
    Order(u32),
    /// An operator rolls an image out by hand.
    Trigger(usize),
    /// An operator changes the policy.
    Edit(Edit),
    /// A device asks.
    Poll(usize),
    /// A device's work is done, of that turn.
    Worked(usize, u64),
    /// A device tries to tell what it has to tell.
    Tell(usize),
    /// A device comes.
    Join,
    /// A device leaves.
    Leave(usize),
    /// An operator moves a device to a fleet.
    Relocate(usize, usize),
    /// An operator creates the narrower policy.
    Narrow,
    /// Somebody starts this version on a device.
    Hand(usize, u32),
    /// The oracle compares counts and rows.
    Audit,
    /// Operators settle what is left open.
    Settle(u32),
}

#[expect(clippy::struct_excessive_bools, reason = "what the stage is at, each by itself")]
pub(super) struct Stage {
    pub seed: u64,
    pub rng: ChaCha8Rng,
    pub now: i64,
    heap: BinaryHeap<Reverse<(i64, u64, Event)>>,
    pushed: u64,
    pub memory: MemoryPorts,
    driver: Driver<Value>,
    last_ticket: Ticket,
    pub ports: Ports,
    pub settings: Settings,
    /// Instances of the device-facing function: their memories, and how far their clocks are off, in milliseconds.
    pub instances: Vec<(Arc<RolloutMemory>, i64)>,
    worker: Arc<RolloutMemory>,
    pub agents: Vec<Agent>,
    owners: BTreeMap<TaskId, Owner>,
    injected: BTreeMap<TaskId, u32>,
    messages: BTreeMap<u64, Message>,
    next_message: u64,
    shards: Vec<Shard>,
    outbox: VecDeque<StreamRecord>,
    publishing: bool,
    pub scenario: Scenario,
    /// Versions whose tags have other content by now.
    pub repushed: BTreeSet<u32>,
    pub oracle: Oracle,
    pub coverage: Coverage,
    story: Option<Vec<String>>,
    pub faults: bool,
    rollouts_written: bool,
    policies_written: bool,
}

impl Stage {
    pub(super) fn new(seed: u64, mutant: Option<Mutant>, tell: bool) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let scenario = Scenario::new(&mut rng, seed);
        let memory = MemoryPorts { store: Arc::new(MemoryStore::new(2_000)), ..MemoryPorts::default() };
        let gate = Arc::new(Gate::default());
        let mut ports = gated(&memory, &gate, Arc::new(SeededEntropy::new(seed)));
        if let Some(mutant) = mutant {
            ports.store = Arc::new(Sabotaged { inner: ports.store, mutant }) as Arc<dyn Store>;
        }
        let instances = (0..3).map(|_| (Arc::default(), rng.random_range(-800..800))).collect();
        let start = scenario.start.as_millisecond();
        let mut stage = Self {
            seed,
            rng,
            now: start,
            heap: BinaryHeap::new(),
            pushed: 0,
            memory,
            driver: Driver::new(gate),
            last_ticket: Ticket(0),
            ports,
            settings: Settings::default(),
            instances,
            worker: Arc::default(),
            agents: Vec::new(),
            owners: BTreeMap::new(),
            injected: BTreeMap::new(),
            messages: BTreeMap::new(),
            next_message: 0,
            shards: (0..3).map(|_| Shard::default()).collect(),
            outbox: VecDeque::new(),
            publishing: false,
            oracle: Oracle::new(&scenario),
            repushed: BTreeSet::new(),
            scenario,
            coverage: Coverage::default(),
            story: tell.then(Vec::new),
            faults: true,
            rollouts_written: false,
            policies_written: false,
        };
        if let Some(rollouts) = stage.scenario.rollouts_per_answer {
            stage.settings.rollouts_per_answer = rollouts;
        }
        stage.settings.pace = tidegate_domain::pace::Pace { idle_seconds: 600, near_seconds: 30 };
        stage.prepare(start);
        stage
    }

    fn prepare(&mut self, start: i64) {
        self.set_up_fleet();
        self.at(start + SWEEP, Event::Sweep);
        self.at(start + 30_000, Event::Audit);
        let scenario = self.scenario.clone();
        for (n, push) in scenario.pushes.iter().enumerate() {
            self.at(start + push.at, Event::Push(n, 0));
            for (k, repeat) in push.repeats.iter().enumerate() {
                self.at(start + push.at + repeat, Event::Push(n, k + 1));
            }
        }
        for (n, notice) in scenario.notices.iter().enumerate() {
            self.at(start + notice.at, Event::Notice(n));
        }
        for order in &scenario.orders {
            self.at(start + order.at, Event::Order(order.dice));
        }
        for (n, by_hand) in scenario.triggers.iter().enumerate() {
            self.at(start + by_hand.at, Event::Trigger(n));
        }
        for (at, edit) in &scenario.edits {
            self.at(start + at, Event::Edit(*edit));
        }
        for at in &scenario.joiners {
            self.at(start + at, Event::Join);
        }
        for (at, who) in &scenario.leavers {
            self.at(start + at, Event::Leave(*who));
        }
        for relocation in &scenario.relocations {
            self.at(start + relocation.at, Event::Relocate(relocation.device, relocation.fleet));
        }
        if let Some((at, _)) = &scenario.narrow {
            self.at(start + at, Event::Narrow);
        }
        for hand in &scenario.hands {
            self.at(start + hand.at, Event::Hand(hand.device, hand.version));
        }
        self.at(start + scenario.active, Event::Settle(0));
    }

    pub(super) fn run(mut self) -> Report {
        let end = self.scenario.start.as_millisecond() + self.scenario.active + PATIENCE;
        while let Some(Reverse((at, _, event))) = self.heap.pop() {
            if at > end || self.over() {
                break;
            }
            self.now = self.now.max(at);
            self.memory.store.set_now(self.time());
            self.happen(&event);
            self.collect();
            if !self.oracle.violations.is_empty() {
                break;
            }
        }
        if self.oracle.violations.is_empty() {
            self.judge_the_end();
        }
        Report { violations: self.oracle.violations, coverage: self.coverage, story: self.story.unwrap_or_default() }
    }

    pub(super) fn time(&self) -> Timestamp {
        Timestamp::from_millisecond(self.now).expect("within the calendar")
    }

    pub(super) fn tell(&mut self, line: impl FnOnce() -> String) {
        let since = self.now - self.scenario.start.as_millisecond();
        if let Some(story) = &mut self.story {
            let (h, m, s, ms) = (since / 3_600_000, since / 60_000 % 60, since / 1_000 % 60, since % 1_000);
            story.push(format!("{h}:{m:02}:{s:02}.{ms:03}  {}", line()));
        }
    }

    pub(super) fn at(&mut self, at: i64, event: Event) {
        self.pushed += 1;
        self.heap.push(Reverse((at, self.pushed, event)));
    }

    pub(super) fn after(&mut self, ms: i64, event: Event) {
        self.at(self.now + ms, event);
    }

    pub(super) fn one_in_thousand(&mut self, chances: u32) -> bool {
        self.rng.random_range(0..1000) < chances
    }

    /// Everything is settled: what is left is time passing.
    fn over(&self) -> bool {
        let drained = self.outbox.is_empty() && self.shards.iter().all(|shard| shard.records.is_empty());
        !self.faults && self.oracle.quiet > 1 && self.owners.is_empty() && self.messages.is_empty() && drained
    }

    fn happen(&mut self, event: &Event) {
        match *event {
            Event::Call(ticket) => self.decide(ticket),
            Event::Timeout(task) => self.crash(task, "times out"),
            Event::Deliver(message) => self.deliver(message),
            Event::Pump(shard) => self.pump(shard),
            Event::Sweep => {
                let (ports, now) = (self.ports.clone(), self.time());
                self.spawn(Owner::Sweep, WORKER_TIMEOUT, async move {
                    Value::Done(step::sweep(&ports, now).await.map(|_| ()))
                });
                self.after(SWEEP, Event::Sweep);
            }
            Event::Push(n, repeat) => self.push(n, repeat),
            Event::Notice(n) => self.notice(n),
            Event::Order(dice) => self.order(dice),
            Event::Trigger(n) => self.trigger(n),
            Event::Edit(edit) => self.edit(edit),
            Event::Poll(agent) => self.poll(agent),
            Event::Worked(agent, turn) => self.worked(agent, turn),
            Event::Tell(agent) => self.report(agent),
            Event::Join => self.join(),
            Event::Leave(agent) => self.leave(agent),
            Event::Relocate(agent, fleet) => self.relocate(agent, fleet),
            Event::Narrow => self.narrow(),
            Event::Hand(agent, version) => self.change_by_hand(agent, version),
            Event::Audit => {
                self.oracle.audit(&self.memory.store);
                self.after(60_000, Event::Audit);
            }
            Event::Settle(round) => self.settle(round),
        }
    }

    pub(super) fn spawn(&mut self, owner: Owner, timeout: i64, task: impl Future<Output = Value> + 'static) -> TaskId {
        let id = self.driver.spawn(String::new(), task);
        self.owners.insert(id, owner);
        self.after(timeout, Event::Timeout(id));
        id
    }

    pub(super) fn spawn_api(&mut self, owner: Owner, task: impl Future<Output = Value> + 'static) {
        self.spawn(owner, API_TIMEOUT, task);
    }

    /// After every event: what was written, sent and finished is taken up.
    fn collect(&mut self) {
        for waiting in self.driver.waiting() {
            if waiting.ticket > self.last_ticket {
                self.last_ticket = waiting.ticket;
                let latency = match self.rng.random_range(0..200) {
                    0 if self.faults => self.rng.random_range(300..1_200),
                    _ => self.rng.random_range(1..40),
                };
                self.after(latency, Event::Call(waiting.ticket));
            }
        }
        self.take_stream();
        self.take_messages();
        let time = self.time();
        if std::mem::take(&mut self.policies_written) {
            self.oracle.watch_policies(&self.memory.store);
        }
        let news = if std::mem::take(&mut self.rollouts_written) {
            self.oracle.watch_rollouts(&self.memory.store, time)
        } else {
            Vec::new()
        };
        for line in news {
            self.coverage.met(line.coverage);
            let words = line.words;
            self.tell(|| words);
        }
        for done in self.driver.take_done() {
            let Some(owner) = self.owners.remove(&done.task) else { continue };
            let injected = self.injected.remove(&done.task).unwrap_or(0);
            self.finished(owner, done.value, injected);
        }
    }

    /// Every rollout as it is stored.
    pub(super) fn rollouts(&self) -> Vec<Rollout> {
        super::oracle::rollouts(&self.memory.store)
    }

    fn judge_the_end(&mut self) {
        if !self.messages.is_empty() {
            let left: BTreeSet<String> = self.messages.values().map(|message| format!("{:?}", message.job)).collect();
            let running = self.messages.values().filter(|message| message.running).count();
            self.oracle.violations.push(format!("messages never settled ({running} at work): {left:?}"));
        }
        for row in super::oracle::all_rows(&self.memory.store) {
            if let Some(reason) = row.reason {
                self.coverage.met(format!("reason: {}", reason.name()));
            }
        }
        let published: Vec<BusEntry> = self.memory.bus.peek();
        let time = self.time();
        self.oracle.judge_the_end(&self.memory.store, &self.agents, &published, time);
    }
}
