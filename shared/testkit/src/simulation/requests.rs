//! What devices ask and tell, over functions whose memories and clocks differ.

use std::sync::Arc;

use jiff::Timestamp;
use rand::Rng;
use tidegate_domain::device::Device;
use tidegate_engine::error::EngineError;
use tidegate_engine::poll::{Answer, Shown};
use tidegate_engine::report::Accepted;
use tidegate_engine::{poll, report};

use super::stage::{Event, Owner, Stage, Value};

impl Stage {
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

    pub(super) fn report(&mut self, n: usize) {
        if !self.can_ask(n, Event::Tell(n)) {
            return;
        }
        let agent = &mut self.agents[n];
        if agent.outbox.is_empty() && !agent.untold {
            return self.after(200, Event::Poll(n));
        }
        agent.asking = true;
        let (uuid, body) = (agent.uuid, agent.body());
        if let Some(terse) = &agent.terse {
            self.coverage.met(format!("device: tells what runs {}", terse.name()));
        }
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
}
