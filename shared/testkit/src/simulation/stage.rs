//! The stage: virtual time, tasks, messages, streams.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tidegate_domain::command::Command;
use tidegate_domain::ids::{DeviceUuid, RolloutId};
use tidegate_domain::rollout::Rollout;
use tidegate_engine::commands::Commanded;
use tidegate_engine::entities::{devices, events, rows};
use tidegate_engine::error::EngineError;
use tidegate_engine::memory::RolloutMemory;
use tidegate_engine::poll::Answer;
use tidegate_engine::ports::{BusEntry, Job, Ports, Store, Table};
use tidegate_engine::report::Accepted;
use tidegate_engine::settings::Settings;
use tidegate_engine::webhook::Ingested;
use tidegate_engine::{deadlines, plan, publish, record, resolve, step};

use super::agent::Agent;
use super::oracle::Oracle;
use super::sabotage::Sabotaged;
use super::scenario::Scenario;
use super::{Coverage, Mutant, Report};
use crate::entropy::SeededEntropy;
use crate::memory::{MemoryPorts, MemoryStore, StreamRecord};
use crate::world::{Call, Driver, Gate, TaskId, Ticket};

/// A message that was not taken back comes again after this, in milliseconds.
const VISIBILITY: i64 = 90_000;
/// A function is ended after this, in milliseconds; an API's sooner than a worker's.
const WORKER_TIMEOUT: i64 = 60_000;
const API_TIMEOUT: i64 = 10_000;
/// Between two sweeps, in milliseconds.
const SWEEP: i64 = 60_000;
/// Receives after which a message is given up: what the template says.
const RECEIVES: u32 = 50;
/// No run takes longer than this after its active time, in milliseconds.
const PATIENCE: i64 = 40 * 3_600_000;

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
    /// An operator acts.
    Order(u32),
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
    /// Somebody starts this version on a device.
    Hand(usize, u32),
    /// The oracle compares counts and rows.
    Audit,
    /// Operators settle what is left open.
    Settle(u32),
}

/// Whose task it is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Owner {
    Message(u64),
    Stream {
        shard: usize,
        upto: usize,
    },
    Publisher {
        upto: usize,
    },
    Sweep,
    Push(usize),
    Command {
        rollout: RolloutId,
        command: Command,
        status_before: String,
    },
    Poll(usize),
    Report {
        agent: usize,
        ids: Vec<String>,
    },
    Join(DeviceUuid),
    Leave(usize),
    /// Nobody waits for it any more: its caller gave up, or asked twice.
    Nobody,
}

/// What a task returns.
pub(super) enum Value {
    Done(Result<(), EngineError>),
    Polled(Result<Answer, EngineError>),
    Reported(Result<Accepted, EngineError>),
    Commanded(Result<Commanded, EngineError>),
    Ingested(Result<Ingested, EngineError>),
}

struct Message {
    job: Job,
    receives: u32,
    running: bool,
}

/// One shard of the devices' stream: in order, each batch until it succeeds.
#[derive(Default)]
struct Shard {
    records: VecDeque<StreamRecord>,
    running: bool,
}

pub(super) struct Stage {
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
    pub oracle: Oracle,
    pub coverage: Coverage,
    story: Option<Vec<String>>,
    pub faults: bool,
    rollouts_written: bool,
}

impl Stage {
    pub(super) fn new(seed: u64, mutant: Option<Mutant>, tell: bool) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let scenario = Scenario::new(&mut rng, seed);
        let memory = MemoryPorts { store: Arc::new(MemoryStore::new(2_000)), ..MemoryPorts::default() };
        let gate = Arc::new(Gate::default());
        let mut ports = memory.gated(&gate, Arc::new(SeededEntropy::new(seed)));
        if let Some(mutant) = mutant {
            ports.store = Arc::new(Sabotaged { inner: ports.store, mutant }) as Arc<dyn Store>;
        }
        let instances = (0..3).map(|_| (Arc::default(), rng.random_range(-800..800))).collect();
        let start = scenario.start.as_millisecond();
        let mut stage = Self {
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
            oracle: Oracle::new(scenario.policy.clone(), scenario.twins()),
            scenario,
            coverage: Coverage::default(),
            story: tell.then(Vec::new),
            faults: true,
            rollouts_written: false,
        };
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
        for order in &scenario.orders {
            self.at(start + order.at, Event::Order(order.dice));
        }
        for at in &scenario.joiners {
            self.at(start + at, Event::Join);
        }
        for (at, who) in &scenario.leavers {
            self.at(start + at, Event::Leave(*who));
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
        !self.faults && self.oracle.at_rest && self.owners.is_empty() && self.messages.is_empty()
    }

    fn happen(&mut self, event: &Event) {
        match *event {
            Event::Call(ticket) => self.decide(ticket),
            Event::Timeout(task) => self.crash(task, "times out"),
            Event::Deliver(message) => self.deliver(message),
            Event::Pump(shard) => self.pump(shard),
            Event::Sweep => {
                let ports = self.ports.clone();
                self.spawn(
                    Owner::Sweep,
                    WORKER_TIMEOUT,
                    async move { Value::Done(step::sweep(&ports).await.map(|_| ())) },
                );
                self.after(SWEEP, Event::Sweep);
            }
            Event::Push(n, repeat) => self.push(n, repeat),
            Event::Order(dice) => self.order(dice),
            Event::Poll(agent) => self.poll(agent),
            Event::Worked(agent, turn) => self.worked(agent, turn),
            Event::Tell(agent) => self.report(agent),
            Event::Join => self.join(),
            Event::Leave(agent) => self.leave(agent),
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

    fn decide(&mut self, ticket: Ticket) {
        let Some(waiting) = self.driver.waiting().into_iter().find(|waiting| waiting.ticket == ticket) else { return };
        let recorder = matches!(self.owners.get(&waiting.task), Some(Owner::Stream { .. }));
        if self.faults && recorder && self.scenario.crash > 0 && self.one_in_thousand(20) {
            return self.given_up(waiting.task, ticket);
        }
        if self.faults && self.one_in_thousand(self.scenario.crash) {
            return match self.rng.random_range(0..3) {
                0 => self.given_up(waiting.task, ticket),
                _ => self.crash(waiting.task, "dies"),
            };
        }
        let decision = if self.faults {
            self.scenario.chances.draw(&waiting.call, &mut self.rng)
        } else {
            crate::world::Decision::Proceed
        };
        if decision != crate::world::Decision::Proceed {
            *self.injected.entry(waiting.task).or_insert(0) += 1;
            self.coverage.met(format!("fault: {}", fault_name(decision)));
        }
        if self.story.is_some() && matches!(*waiting.call, Call::Write { .. }) {
            let who = self.owners.get(&waiting.task).map(owner_name).unwrap_or_default();
            let call = waiting.call.to_string();
            self.tell(|| format!("{who}: {call} [{decision:?}]"));
        }
        if let Call::Write { writes } = &*waiting.call {
            self.rollouts_written |=
                writes.iter().any(|(_, key)| key.as_ref().is_some_and(|key| key.table == Table::Rollouts));
        }
        self.driver.resume(ticket, decision);
    }

    pub(super) fn crash(&mut self, task: TaskId, how: &str) {
        if self.driver.crash(task).is_none() {
            return;
        }
        self.coverage.met(format!("fault: a function {how}"));
        if let Some(owner) = self.owners.remove(&task) {
            let who = owner_name(&owner);
            self.tell(|| format!("{who} {how}"));
            self.failed(&owner);
        }
    }

    /// Its caller takes it for dead and asks again; it goes on all the same.
    fn given_up(&mut self, task: TaskId, ticket: Ticket) {
        let works = matches!(
            self.owners.get(&task),
            Some(Owner::Message(_) | Owner::Stream { .. } | Owner::Publisher { .. } | Owner::Sweep)
        );
        // A worker may stand still for longer than its message waits; an API's caller has hung up long before.
        let still = if works { self.rng.random_range(5..8_000) } else { self.rng.random_range(5..1_000) };
        self.after(still, Event::Call(ticket));
        if let Some(owner) = self.owners.insert(task, Owner::Nobody)
            && owner != Owner::Nobody
        {
            self.coverage.met("fault: a function is taken for dead");
            let who = owner_name(&owner);
            self.tell(|| format!("{who} is taken for dead, and goes on"));
            self.failed(&owner);
        }
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

    fn take_stream(&mut self) {
        for record in self.memory.store.take_stream() {
            if record.table == Table::Devices {
                if let Some(device) = record.new.as_ref().and_then(|item| devices::parse((**item).clone()).ok()) {
                    let old = record.old.as_ref().and_then(|item| devices::parse((**item).clone()).ok());
                    self.oracle.device_written(old.as_ref(), &device, self.now);
                }
                let shard = record.key.pk.bytes().map(usize::from).sum::<usize>() % self.shards.len();
                self.shards[shard].records.push_back(record);
                if self.shards[shard].records.len() == 1 {
                    let delay = self.rng.random_range(50..1_500);
                    self.after(delay, Event::Pump(shard));
                }
            } else {
                self.outbox.push_back(record);
                if !self.publishing && self.outbox.len() == 1 {
                    self.after(500, Event::Pump(usize::MAX));
                }
            }
        }
    }

    fn pump(&mut self, shard: usize) {
        if shard == usize::MAX {
            return self.publish();
        }
        let stream = &mut self.shards[shard];
        if stream.running || stream.records.is_empty() {
            return;
        }
        stream.running = true;
        let upto = stream.records.len().min(self.rng.random_range(1..30));
        let images: Vec<_> = stream
            .records
            .iter()
            .take(upto)
            .filter_map(|record| devices::parse((**record.new.as_ref()?).clone()).ok())
            .collect();
        let (ports, now) = (self.ports.clone(), self.time());
        self.spawn(Owner::Stream { shard, upto }, WORKER_TIMEOUT, async move {
            Value::Done(record::record(&ports, &images, now).await)
        });
    }

    fn publish(&mut self) {
        if self.publishing || self.outbox.is_empty() {
            return;
        }
        self.publishing = true;
        let upto = self.outbox.len().min(50);
        let mut entries: Vec<BusEntry> = Vec::new();
        for record in self.outbox.iter().take(upto) {
            let Some(new) = record.new.as_ref() else { continue };
            if record.table == Table::Events {
                entries.extend(events::parse((**new).clone()).ok().map(|event| publish::of_event(&event)));
            } else if let Ok(row) = rows::parse((**new).clone()) {
                let old = record.old.as_ref().and_then(|old| rows::parse((**old).clone()).ok());
                entries.extend(publish::of_row(old.as_ref(), &row));
            }
        }
        let ports = self.ports.clone();
        self.spawn(Owner::Publisher { upto }, WORKER_TIMEOUT, async move {
            Value::Done(publish::publish(&ports, &entries).await)
        });
    }

    fn take_messages(&mut self) {
        for sent in self.memory.queues.take() {
            let delay = i64::from(sent.delay_seconds) * 1_000;
            if self.faults && self.one_in_thousand(self.scenario.lose_message) {
                self.coverage.met("fault: a message is lost");
                continue;
            }
            let copies = if self.faults && self.one_in_thousand(self.scenario.double_message) { 2 } else { 1 };
            for copy in 0..copies {
                if copy > 0 {
                    self.coverage.met("fault: a message is doubled");
                }
                // Late, and so out of order.
                let late = match self.rng.random_range(0..50) {
                    0 if self.faults => self.rng.random_range(10_000..400_000),
                    _ => self.rng.random_range(5..400),
                };
                self.next_message += 1;
                let id = self.next_message;
                self.messages.insert(id, Message { job: sent.job.clone(), receives: 0, running: false });
                self.after(delay + late, Event::Deliver(id));
            }
        }
        for wake in self.memory.scheduler.peek() {
            if wake.at <= self.time() {
                for due in self.memory.scheduler.take_due(self.time()) {
                    self.next_message += 1;
                    let id = self.next_message;
                    let job = Job::Step { rollout_id: due.rollout_id.clone() };
                    self.messages.insert(id, Message { job, receives: 0, running: false });
                    self.after(1, Event::Deliver(id));
                }
                break;
            }
        }
    }

    fn deliver(&mut self, id: u64) {
        let Some(message) = self.messages.get_mut(&id) else { return };
        message.receives += 1;
        message.running = true;
        if message.receives > RECEIVES {
            let job = message.job.clone();
            self.oracle.violations.push(format!("a message went to the dead-letter queue: {job:?}"));
            return;
        }
        let (job, ports, memory, now) =
            (message.job.clone(), self.ports.clone(), Arc::clone(&self.worker), self.time());
        self.spawn(Owner::Message(id), WORKER_TIMEOUT, async move {
            Value::Done(match job {
                Job::Step { rollout_id } => step::run(&ports, &rollout_id, now).await.map(|_| ()),
                Job::Resolve { rollout_id } => resolve::resolve(&ports, &rollout_id).await,
                Job::Plan { rollout_id } => plan::freeze(&ports, &rollout_id).await,
                Job::PlanPage { rollout_id, page } => plan::assign_page(&ports, &memory, &rollout_id, page, now).await,
                Job::CheckDeadlines { rollout_id, shard } => {
                    deadlines::check(&ports, &memory, &rollout_id, shard, now).await.map(|_| ())
                }
            })
        });
    }

    fn finished(&mut self, owner: Owner, value: Value, injected: u32) {
        match (owner, value) {
            (
                owner @ (Owner::Message(_) | Owner::Stream { .. } | Owner::Publisher { .. } | Owner::Sweep),
                Value::Done(result),
            ) => match result {
                Ok(()) => self.succeeded(&owner),
                Err(error) => {
                    if !error.retryable() {
                        self.oracle.violations.push(format!("{} cannot succeed: {error}", owner_name(&owner)));
                    }
                    self.failed(&owner);
                }
            },
            (Owner::Poll(agent), Value::Polled(result)) => self.polled(agent, result),
            (Owner::Report { agent, ids }, Value::Reported(result)) => self.reported(agent, &ids, result),
            (Owner::Command { rollout, command, status_before }, Value::Commanded(result)) => {
                self.commanded(&rollout, &command, &status_before, &result, injected);
            }
            (Owner::Push(n), Value::Ingested(result)) => self.ingested(n, result),
            (Owner::Join(uuid), Value::Done(result)) => self.has_joined(uuid, result.is_ok()),
            (Owner::Leave(agent), Value::Done(result)) => {
                if result.is_ok() {
                    self.agents[agent].gone = true;
                }
            }
            (Owner::Nobody, _) => {}
            (owner, _) => unreachable!("{owner:?} returns something else"),
        }
    }

    fn succeeded(&mut self, owner: &Owner) {
        match *owner {
            Owner::Message(id) => {
                self.messages.remove(&id);
            }
            Owner::Stream { shard, upto } => {
                let again = self.faults && self.one_in_thousand(30);
                let stream = &mut self.shards[shard];
                stream.running = false;
                if again {
                    // The consumer's checkpoint was lost: the same records come again.
                    self.coverage.met("fault: stream records come again");
                } else {
                    stream.records.drain(..upto);
                }
                if !self.shards[shard].records.is_empty() {
                    self.after(20, Event::Pump(shard));
                }
            }
            Owner::Publisher { upto } => {
                self.publishing = false;
                self.outbox.drain(..upto);
                if !self.outbox.is_empty() {
                    self.after(20, Event::Pump(usize::MAX));
                }
            }
            _ => {}
        }
    }

    fn failed(&mut self, owner: &Owner) {
        match *owner {
            Owner::Message(id) => {
                if let Some(message) = self.messages.get_mut(&id) {
                    message.running = false;
                }
                self.after(VISIBILITY, Event::Deliver(id));
            }
            Owner::Stream { shard, .. } => {
                self.shards[shard].running = false;
                self.after(1_000, Event::Pump(shard));
            }
            Owner::Publisher { .. } => {
                self.publishing = false;
                self.after(1_000, Event::Pump(usize::MAX));
            }
            Owner::Sweep | Owner::Command { .. } | Owner::Nobody => {}
            // The registry sends again.
            Owner::Push(n) => self.after(15_000, Event::Push(n, 0)),
            Owner::Poll(agent) => {
                self.agents[agent].asking = false;
                self.after(5_000, Event::Poll(agent));
            }
            Owner::Report { agent, .. } => {
                self.agents[agent].asking = false;
                self.after(5_000, Event::Tell(agent));
            }
            Owner::Join(_) => {
                self.after(20_000, Event::Join);
            }
            Owner::Leave(agent) => self.after(20_000, Event::Leave(agent)),
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

fn owner_name(owner: &Owner) -> String {
    match owner {
        Owner::Message(id) => format!("message {id}"),
        Owner::Stream { shard, .. } => format!("recorder {shard}"),
        Owner::Publisher { .. } => "publisher".to_owned(),
        Owner::Sweep => "sweep".to_owned(),
        Owner::Push(n) => format!("push {n}"),
        Owner::Command { command, .. } => format!("operator ({})", command.name()),
        Owner::Poll(agent) => format!("poll of device {agent}"),
        Owner::Report { agent, .. } => format!("report of device {agent}"),
        Owner::Join(_) => "enrolment".to_owned(),
        Owner::Leave(agent) => format!("removal of device {agent}"),
        Owner::Nobody => "a function that nobody waits for".to_owned(),
    }
}

fn fault_name(decision: crate::world::Decision) -> &'static str {
    use crate::world::Decision as D;
    match decision {
        D::Proceed => "none",
        D::FailBefore => "a call is throttled",
        D::FailAfter => "a call's answer is lost",
        D::FailHalfway => "a call is half done",
        D::Conflict => "a transaction is in the way",
        D::Stale { .. } => "a read is stale",
        D::ShortPage { .. } => "a page is short",
    }
}
