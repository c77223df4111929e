//! The agent against a scripted server, in virtual time.

mod crash_points;
mod down_services;
mod stories;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};

use super::{Agent, Ports, Setting};
use crate::host::Host;
use crate::image::Image;
use crate::runtime::Runtime;
use crate::server::link::{Link, LinkError, Polled, Reported};
use crate::server::report::StateReport;
use crate::simulated::digest_of;
use crate::state::memory::Memory;
use crate::state::snapshot::Snapshot;
use crate::state::store::StateStore;

/// What the server answers to one poll.
#[derive(Clone)]
enum Answer {
    Target(Value),
    Unchanged,
    Fails(LinkError),
}

/// A server that answers polls in this order, and the last one for ever; takes every report.
struct Script {
    answers: VecDeque<Answer>,
    refuse_reports: u32,
    told: Arc<Mutex<Vec<String>>>,
}

impl Link for Script {
    async fn poll(&mut self, known: &[String]) -> Result<Polled, LinkError> {
        self.tell(format!("poll [{}]", known.join(" ")));
        let after = Duration::from_secs(10);
        match self.answers.pop_front() {
            Some(Answer::Target(target)) => {
                let etag = Some(format!("t{}", self.answers.len()));
                Ok(Polled::Target { target: serde_json::from_value(target).expect("a target"), etag, after })
            }
            Some(Answer::Fails(error)) => Err(error),
            Some(Answer::Unchanged) | None => Ok(Polled::Unchanged { after }),
        }
    }

    async fn report(&mut self, body: &StateReport) -> Result<Reported, LinkError> {
        if self.refuse_reports > 0 {
            self.refuse_reports -= 1;
            self.tell("report fails".to_owned());
            return Err(LinkError::Later { after: None, why: "503".to_owned() });
        }
        let services = body.services.iter().map(|(name, runs)| {
            let tag = runs.image.rsplit(':').next().unwrap_or_default();
            format!("{name}={tag}{}", if runs.healthy { "" } else { "!" })
        });
        let reports = body.reports.iter().map(|report| {
            let name = report.event.name().trim_start_matches("device.");
            format!("{}.{} {name}", report.attempt, report.seq)
        });
        self.tell(format!("report {}", services.chain(reports).collect::<Vec<_>>().join(", ")));
        Ok(Reported { etag: Some("p".to_owned()), ..Reported::default() })
    }
}

impl Script {
    fn tell(&self, line: String) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }
}

fn image(tag: &str) -> Value {
    let name = format!("docker.io/a/b:{tag}");
    json!({"image": name, "digest": digest_of(&name)})
}

fn check() -> Value {
    json!({"type": "container_running", "timeout_seconds": 5, "retry_count": 1, "interval_seconds": 1})
}

fn target(tag: &str, rollout: Option<(&str, &str, u32)>) -> Answer {
    let mut service = image(tag);
    service["health_check"] = check();
    if let Some((action, phase, attempt)) = rollout {
        service["rollout"] = json!({"rollout_id": "R", "batch": 1, "attempt": attempt, "action": action, "phase": phase,
            "previous": image("v1"), "auto_rollback": true, "healthy_for_seconds": 2,
            "health_check_timeout_seconds": 60, "deadline_seconds": 120});
    }
    Answer::Target(json!({"device_uuid": "d", "services": {"app": service}}))
}

fn clock() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

/// An agent over these ports.
fn agent<L: Link, R: Runtime, H: Host, S: StateStore>(
    ports: Ports<L, R, H, S>,
    memory: Memory,
) -> (Agent<L, R, H, S>, watch::Receiver<Snapshot>) {
    let (sender, receiver) = watch::channel(Snapshot::default());
    let setting = Setting { draw: 1, clock, seen: sender, wake: Arc::new(Notify::new()) };
    (Agent::new(ports, memory, setting), receiver)
}

/// The image of this tag, as the device has it.
fn pinned(tag: &str) -> Image {
    serde_json::from_value(image(tag)).expect("an image")
}
