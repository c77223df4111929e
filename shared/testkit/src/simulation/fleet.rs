//! Devices, operators and registries on the stage.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use rand::Rng;
use tidegate_domain::command::Command;
use tidegate_domain::device::{Device, Running, Service, Track};
use tidegate_domain::event::DeviceEvent;
use tidegate_domain::ids::{DeviceUuid, RolloutId};
use tidegate_domain::image::{Digest, ImageRef, Repository, Tag};
use tidegate_domain::pin::Pin;
use tidegate_domain::rollout::Status;
use tidegate_domain::target::{Action, Move, Phase};
use tidegate_domain::webhook::{Headers, Request};
use tidegate_engine::commands::{self, Commanded};
use tidegate_engine::entities::device_images::{self, DeviceImage};
use tidegate_engine::entities::{devices, policies};
use tidegate_engine::error::EngineError;
use tidegate_engine::poll::{Answer, Shown};
use tidegate_engine::ports::{Resolved, Store};
use tidegate_engine::report::Accepted;
use tidegate_engine::webhook::{Ingested, ingest};
use tidegate_engine::{enrol, poll, report};

use super::agent::{Agent, SERVICE, Todo, Work};
use super::oracle::is_at_rest;
use super::scenario::{FLEET, REPOSITORY, digest, other_digest};
use super::stage::{Event, Owner, Stage, Value};
use crate::memory::Answer as RegistryAnswer;

const ZONES: [&str; 4] = ["Europe/Berlin", "America/Sao_Paulo", "Asia/Kolkata", "Mars/Olympus"];

fn repository() -> Repository {
    Repository::parse(REPOSITORY).expect("a repository")
}

/// The enrolment by which this device becomes known.
fn newcomer(device: &Device) -> enrol::Newcomer {
    let image = ImageRef::tagged(repository(), Tag::parse("v1").expect("a tag"));
    enrol::Newcomer {
        device_uuid: device.device_uuid,
        name: None,
        fleet_id: device.fleet_id.clone(),
        tags: BTreeMap::new(),
        timezone: device.timezone.clone(),
        platform: None,
        services: BTreeMap::from([(SERVICE.to_owned(), image)]),
        token_hash: device.token_hash.clone(),
        current_token_hash: None,
        fleets: None,
    }
}

fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => unreachable!("the memory store answers at once"),
    }
}

impl Stage {
    pub(super) fn set_up_fleet(&mut self) {
        let policy = self.scenario.policy.clone();
        let store = Arc::clone(&self.memory.store);
        ready(store.write(&[policies::create(&policy)])).expect("an empty store takes a policy");
        for push in self.scenario.pushes.clone() {
            let tag = Tag::parse(&format!("v{}", push.version)).expect("a tag");
            let image = ImageRef::tagged(repository(), tag);
            let answer = if push.resolvable {
                RegistryAnswer::Resolved(Resolved { digest: digest(push.version), platforms: BTreeMap::new() })
            } else {
                RegistryAnswer::NotPossible
            };
            self.memory.registry.set(image.clone(), answer.clone());
            if !push.resolvable {
                self.memory.registry.set(image.pinned(digest(push.version)), answer);
            }
        }
        for n in 0..self.scenario.devices {
            let device = self.new_device();
            let image = DeviceImage {
                device_uuid: device.device_uuid,
                fleet_id: device.fleet_id.clone(),
                tags: device.tags.clone(),
            };
            let writes = [devices::create(&device), device_images::put(&repository(), &image)];
            ready(store.write(&writes)).expect("an empty store takes devices");
            self.add_agent(&device);
            let first = self.rng.random_range(0..300_000);
            self.after(first, Event::Poll(n));
        }
    }

    fn new_device(&mut self) -> Device {
        let uuid = uuid::Builder::from_random_bytes(self.rng.random()).into_uuid();
        let pin = Pin { tag: Some(Tag::parse("v1").expect("a tag")), digest: Some(digest(1)) };
        let running = Running { tag: pin.tag.clone(), digest: pin.digest.clone(), status: None, healthy: true };
        // Some enrol with a tag alone; their first report tells the digest.
        let told = self.rng.random_range(0..4) > 0;
        let pin = Pin { digest: pin.digest.filter(|_| told), ..pin };
        let now = self.time();
        Device {
            device_uuid: DeviceUuid(uuid),
            rev: 1,
            name: None,
            fleet_id: FLEET.to_owned(),
            tags: BTreeMap::new(),
            timezone: Some(ZONES[self.rng.random_range(0..ZONES.len())].to_owned()),
            platform: None,
            token_hash: "hash".to_owned(),
            next_token_hash: None,
            reenrol_until: None,
            services: BTreeMap::from([(
                SERVICE.to_owned(),
                Service { repository: repository(), running: told.then_some(running) },
            )]),
            tracks: BTreeMap::from([(repository(), Track { baseline: Some(pin), ..Track::default() })]),
            enrolled_at: now,
            last_seen: now,
            deleted_at: None,
            log: Vec::new(),
        }
    }

    fn add_agent(&mut self, device: &Device) {
        let liar = self.one_in_thousand(self.scenario.lying);
        let mut agent = Agent::new(device.device_uuid, ("v1".to_owned(), digest(1)), liar);
        agent.untold = device.services.values().any(|service| service.running.is_none());
        self.agents.push(agent);
    }

    pub(super) fn join(&mut self) {
        let device = self.new_device();
        let newcomer = newcomer(&device);
        let (ports, now) = (self.ports.clone(), self.time());
        let uuid = device.device_uuid;
        self.spawn_api(Owner::Join(uuid), async move {
            Value::Done(match enrol::enrol(&ports, &newcomer, now).await {
                Err(enrol::EnrolError::Engine(error)) => Err(error),
                Ok(_) | Err(_) => Ok(()),
            })
        });
    }

    /// It is enrolled, or half so: the agent lives all the same, and asks.
    pub(super) fn has_joined(&mut self, uuid: DeviceUuid, whole: bool) {
        if !whole {
            return;
        }
        self.coverage.met("fleet: a device joins");
        let liar = self.one_in_thousand(self.scenario.lying);
        let mut agent = Agent::new(uuid, ("v1".to_owned(), digest(1)), liar);
        agent.untold = true;
        self.agents.push(agent);
        let n = self.agents.len() - 1;
        self.after(1_000, Event::Poll(n));
    }

    pub(super) fn leave(&mut self, agent: usize) {
        let (ports, now, uuid) = (self.ports.clone(), self.time(), self.agents[agent].uuid);
        self.coverage.met("fleet: a device is deleted");
        self.spawn_api(
            Owner::Leave(agent),
            async move { Value::Done(enrol::delete(&ports, uuid, now).await.map(|_| ())) },
        );
    }

    /// Somebody starts another image on a device that is at nothing.
    pub(super) fn change_by_hand(&mut self, n: usize, version: u32) {
        let now = self.now;
        let agent = &mut self.agents[n];
        let image = (format!("v{version}"), digest(version));
        if agent.gone || agent.work != Work::Idle || agent.runs == image {
            return;
        }
        agent.runs = image;
        agent.healthy = true;
        agent.untold = true;
        agent.hand_at = Some(now);
        self.coverage.met("device: is changed by hand");
        self.tell(|| format!("somebody starts v{version} on device {n}"));
        self.after(500, Event::Tell(n));
    }

    /// Whether the device can make a request now; one that is away makes it when it is back.
    fn can_ask(&mut self, n: usize, when_back: Event) -> bool {
        let agent = &self.agents[n];
        let (busy, back) = (agent.gone || agent.asking, agent.away_until);
        if !busy && back > self.now && back < i64::MAX {
            self.at(back, when_back);
        }
        !busy && back <= self.now
    }

    pub(super) fn poll(&mut self, n: usize) {
        if !self.can_ask(n, Event::Poll(n)) {
            return;
        }
        let agent = &mut self.agents[n];
        if !agent.outbox.is_empty() || agent.untold {
            return self.report(n);
        }
        agent.asking = true;
        let (uuid, seen) = (agent.uuid, agent.seen.clone());
        let (memory, clock) = self.instance();
        let (ports, pace) = (self.ports.clone(), self.settings.pace);
        self.spawn_api(Owner::Poll(n), async move {
            let shown = |_: &Device| Shown::Current;
            Value::Polled(poll::answer(&ports, &memory, pace, uuid, shown, &seen, clock).await)
        });
    }

    /// One of the function's instances, and what its clock says.
    fn instance(&mut self) -> (Arc<tidegate_engine::memory::RolloutMemory>, Timestamp) {
        let i = self.rng.random_range(0..self.instances.len());
        if self.faults && self.one_in_thousand(10) {
            self.instances[i].0 = Arc::default();
        }
        let (memory, skew) = &self.instances[i];
        (Arc::clone(memory), Timestamp::from_millisecond(self.now + skew).expect("within the calendar"))
    }

    pub(super) fn polled(&mut self, n: usize, result: Result<Answer, EngineError>) {
        self.agents[n].asking = false;
        let lost = self.faults && self.one_in_thousand(20);
        match result {
            Err(_) => self.after(10_000, Event::Poll(n)),
            Ok(_) if lost => {
                self.coverage.met("fault: an answer to a poll is lost");
                self.after(15_000, Event::Poll(n));
            }
            Ok(Answer::Gone) => self.agents[n].gone = true,
            Ok(Answer::Unauthorized) => self.after(60_000, Event::Poll(n)),
            Ok(Answer::Target { state, seen, poll_after }) => {
                self.agents[n].seen = vec![seen];
                self.agents[n].poll_after = poll_after;
                let todo = self.agents[n].consider(&state);
                self.act(n, todo, i64::from(poll_after) * 1_000);
            }
        }
    }

    fn act(&mut self, n: usize, todo: Todo, poll_after: i64) {
        match todo {
            Todo::Wait => {
                if !matches!(self.agents[n].work, Work::Swapping(_) | Work::Converging | Work::Pulling(_)) {
                    self.after(poll_after, Event::Poll(n));
                }
            }
            Todo::Pull(wanted) => self.pull(n, &wanted),
            Todo::Swap(wanted, image) => self.swap(n, *wanted, image),
            Todo::Converge(image) => {
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

    fn pull(&mut self, n: usize, wanted: &Move) {
        self.agents[n].tell(wanted, DeviceEvent::ImagePulling, None, None);
        if self.one_in_thousand(self.scenario.pull_fails) {
            self.coverage.met("device: a pull fails");
            self.agents[n].tell(wanted, DeviceEvent::UpdateFailed, Some("no space left on device"), None);
            self.finish(n, wanted);
            self.set_work(n, Work::Idle);
        } else {
            self.agents[n].tell(wanted, DeviceEvent::ImagePulled, None, None);
            self.set_work(n, Work::Pulling(wanted.rollout_id.clone()));
        }
        self.work_for(n, 1_000..90_000);
    }

    fn finish(&mut self, n: usize, of: &Move) {
        let back = of.action == Action::Rollback;
        self.agents[n].finished.insert((of.rollout_id.clone(), of.attempt, back));
    }

    fn swap(&mut self, n: usize, wanted: Move, (tag, known): (String, Option<Digest>)) {
        let is_update = wanted.action == Action::Update;
        if is_update && self.one_in_thousand(self.scenario.locked) {
            self.coverage.met("device: a lock holds the swap");
            let until = self.time().saturating_add(jiff::SignedDuration::from_secs(self.rng.random_range(60..5_000)));
            self.agents[n].tell(&wanted, DeviceEvent::UpdateBlocked, Some("in use"), until.ok());
            self.set_work(n, Work::Ready(wanted.rollout_id.clone()));
            return self.work_for(n, 500..2_000);
        }
        let version: u32 = tag.trim_start_matches('v').parse().unwrap_or(0);
        let moved = known.is_none() && version.is_multiple_of(2) && n % 7 == 3;
        let image = known.unwrap_or_else(|| if moved { other_digest(version) } else { digest(version) });
        let time = self.now;
        if is_update && !self.agents[n].liar {
            let uuid = self.agents[n].uuid;
            self.oracle.swap_begins(&self.memory.store, uuid, &wanted.rollout_id, time);
        }
        self.tell(|| format!("device {n} {:?}s to {tag}", wanted.action));
        self.agents[n].runs = (tag, image);
        self.agents[n].healthy = true;
        if is_update {
            self.agents[n].tell(&wanted, DeviceEvent::ContainerUpdating, None, None);
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
        let bad = self.scenario.bad.contains(&version) || self.one_in_thousand(self.scenario.unhealthy);
        if !bad {
            return self.agents[n].tell(wanted, DeviceEvent::HealthCheckPassed, None, None);
        }
        self.coverage.met("device: is unhealthy");
        self.agents[n].tell(wanted, DeviceEvent::HealthCheckFailed, Some("status 503"), None);
        self.agents[n].healthy = false;
        if let (true, Some(previous)) = (wanted.auto_rollback, &wanted.previous) {
            let tag = previous.image.rsplit_once(':').map_or("v1", |(_, tag)| tag).to_owned();
            let version: u32 = tag.trim_start_matches('v').parse().unwrap_or(1);
            self.agents[n].runs = (tag, previous.digest.clone().unwrap_or_else(|| digest(version)));
            self.agents[n].healthy = true;
            let back = Move { action: Action::Rollback, phase: Phase::Swap, ..wanted.clone() };
            self.agents[n].tell(wanted, DeviceEvent::RolledBack, None, None);
            self.finish(n, &back);
        }
    }

    pub(super) fn report(&mut self, n: usize) {
        if !self.can_ask(n, Event::Tell(n)) {
            return;
        }
        let agent = &mut self.agents[n];
        if agent.outbox.is_empty() && !agent.untold {
            return self.after(200, Event::Poll(n));
        }
        agent.asking = true;
        let lie = agent.liar.then(|| digest(1));
        let (uuid, body) = (agent.uuid, agent.body(lie.as_ref()));
        let ids = body.reports.iter().map(|report| report.id.clone()).collect();
        let twice = self.faults && self.one_in_thousand(50);
        for owner in [Some(Owner::Report { agent: n, ids }), twice.then_some(Owner::Nobody)].into_iter().flatten() {
            let (memory, clock) = self.instance();
            let (ports, body) = (self.ports.clone(), body.clone());
            self.spawn_api(owner, async move {
                let shown = |_: &Device| Shown::Current;
                Value::Reported(report::accept(&ports, &memory, uuid, shown, &body, clock).await)
            });
        }
    }

    pub(super) fn reported(&mut self, n: usize, ids: &[String], result: Result<Accepted, EngineError>) {
        self.agents[n].asking = false;
        let lost = self.faults && self.one_in_thousand(30);
        match result {
            Err(_) => self.after(10_000, Event::Tell(n)),
            Ok(_) if lost => {
                self.coverage.met("fault: an answer to a report is lost");
                self.after(8_000, Event::Tell(n));
            }
            Ok(Accepted::Gone) => self.agents[n].gone = true,
            Ok(Accepted::Unauthorized) => self.after(60_000, Event::Tell(n)),
            Ok(Accepted::Reports { seen, verdicts, .. }) => {
                for verdict in verdicts {
                    self.coverage.met(format!("report: {verdict:?}"));
                }
                self.agents[n].acknowledged(ids);
                self.agents[n].untold = false;
                self.agents[n].seen.push(seen);
                self.after(300, Event::Poll(n));
            }
        }
    }

    pub(super) fn push(&mut self, n: usize, repeat: usize) {
        let push = self.scenario.pushes[n].clone();
        let version = push.version;
        let at = self.scenario.start.as_millisecond() + push.at;
        let mut target = serde_json::json!({
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "repository": "acme/app",
            "tag": format!("v{version}"),
            "url": format!("https://docker.io/v2/acme/app/manifests/v{version}"),
        });
        if push.pinned {
            target["digest"] = digest(version).as_str().into();
        }
        let twin = u32::from(push.has_own_id(repeat));
        let body = serde_json::json!({ "events": [{
            "id": format!("00000000-0000-4000-8000-{twin:04}{version:08}"),
            "timestamp": Timestamp::from_millisecond(at).expect("within the calendar").to_string(),
            "action": "push", "target": target,
        }] });
        let headers: Headers =
            [("content-type", "application/vnd.docker.distribution.events.v1+json")].into_iter().collect();
        let body = body.to_string();
        let request = Request { headers: &headers, path_token: None, body: body.as_bytes() };
        let delivery = tidegate_domain::webhook::read(&request, None).expect("a delivery that can be read");
        self.coverage.met(if repeat > 0 { "push: comes again" } else { "push: comes" });
        self.tell(|| format!("push of v{version}, delivery {repeat}"));
        let (ports, settings, now) = (self.ports.clone(), self.settings.clone(), self.time());
        self.spawn_api(Owner::Push(n), async move {
            Value::Ingested(ingest(&ports, &settings, "docker-registry", &delivery, now).await)
        });
    }

    pub(super) fn ingested(&mut self, n: usize, result: Result<Ingested, EngineError>) {
        match result {
            Err(_) => self.after(15_000, Event::Push(n, 0)),
            Ok(ingested) => {
                for told in ingested.deliveries {
                    self.coverage.met(format!("webhook: {}", told.status));
                }
            }
        }
    }

    pub(super) fn order(&mut self, dice: u32) {
        let rollouts = self.rollouts();
        if rollouts.is_empty() {
            return;
        }
        let newest = !dice.is_multiple_of(4);
        let n = if newest { rollouts.len() - 1 } else { self.rng.random_range(0..rollouts.len()) };
        let rollout = &rollouts[n];
        let back = Command::RollbackAll {
            respect_windows: self.rng.random_range(0..6) == 0,
            max_in_flight: (self.rng.random_range(0..4) == 0).then_some(2),
        };
        let command = match dice {
            0..30 => Command::Pause,
            30..50 => Command::Resume { skip_batch: dice.is_multiple_of(2) },
            50..62 => Command::Cancel,
            62..80 => back,
            80..95 => Command::Approve,
            _ => Command::Reject,
        };
        // What suits the status is worth more than what does not.
        let command = match (rollout.status, dice % 3) {
            (Status::AwaitingApproval, 0 | 1) => Command::Approve,
            (Status::Paused, 0) => Command::Resume { skip_batch: true },
            _ => command,
        };
        self.command(rollout.rollout_id.clone(), command, rollout.status);
    }

    fn command(&mut self, id: RolloutId, command: Command, status: Status) {
        let (ports, now) = (self.ports.clone(), self.time());
        self.tell(|| format!("operator: {} {id} ({})", command.name(), status.name()));
        let owner =
            Owner::Command { rollout: id.clone(), command: command.clone(), status_before: status.name().to_owned() };
        self.spawn_api(owner, async move {
            Value::Commanded(commands::carry_out(&ports, &id, &command, Some("the simulation says so"), now).await)
        });
    }

    pub(super) fn commanded(
        &mut self,
        id: &RolloutId,
        command: &Command,
        before: &str,
        result: &Result<Commanded, EngineError>,
        injected: u32,
    ) {
        let how = match result {
            Ok(Commanded::Done { changed: true, .. }) => "changes",
            Ok(Commanded::Done { changed: false, .. }) => "holds already",
            Ok(Commanded::Refused { .. }) => "is refused",
            Ok(Commanded::Newer(_)) => "is refused for a newer rollout",
            Err(_) => "fails",
        };
        self.coverage.met(format!("command: {} {how}", command.name()));
        if let Ok(Commanded::Done { rollout, changed: true }) = result {
            self.oracle.command_done(id, command, rollout.status);
        }
        if let Err(EngineError::Contended { .. }) = result
            && injected == 0
        {
            self.oracle.violations.push(format!("{} of {id} ({before}) lost to others", command.name()));
        }
    }

    /// Faults end; operators settle what is open, round by round, and in the end stop it.
    pub(super) fn settle(&mut self, round: u32) {
        self.faults = false;
        for rollout in self.rollouts() {
            let command = match rollout.status {
                Status::Paused if round < 3 && self.rng.random_range(0..2) == 0 => Command::Resume { skip_batch: true },
                Status::Paused if self.rng.random_range(0..2) == 0 => {
                    Command::RollbackAll { respect_windows: false, max_in_flight: None }
                }
                Status::Paused => Command::Cancel,
                Status::AwaitingApproval => Command::Approve,
                Status::InProgress | Status::Scheduled | Status::Pending if round > 100 => Command::Cancel,
                _ => continue,
            };
            self.command(rollout.rollout_id.clone(), command, rollout.status);
        }
        self.after(20 * 60_000, Event::Settle(round + 1));
        let (store, agents) = (Arc::clone(&self.memory.store), &self.agents);
        let at_rest = is_at_rest(&store, agents);
        self.oracle.at_rest = at_rest && round > 0;
    }
}
