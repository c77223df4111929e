//! `status`: what runs, what is deployed, and what waits in its queues.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::access::Access;
use super::emulator::Emulator;
use super::project::Project;
use super::script::Scripts;
use super::venv;
use crate::progress::Progress;

/// The queues of the template: the name shown and the output that has the address.
const QUEUES: [(&str, &str); 8] = [
    ("step", "StepQueueUrl"),
    ("batch", "BatchQueueUrl"),
    ("step dead letters", "StepDeadLettersUrl"),
    ("batch dead letters", "BatchDeadLettersUrl"),
    ("stream dead letters", "StreamDeadLettersUrl"),
    ("delivery dead letters", "DeliveryDeadLettersUrl"),
    ("captured events", "CapturedEventsUrl"),
    ("captured alerts", "CapturedAlertsUrl"),
];

/// What there is.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Status {
    /// Where the AWS interfaces are; none before `up`.
    pub endpoint: Option<String>,
    /// The emulator that `up` started; none where there is none, or the endpoint is the user's own.
    pub emulator: Option<EmulatorStatus>,
    /// Where the API is.
    pub url: Option<String>,
    /// Name of the stack.
    pub stack: Option<String>,
    /// What is deployed; none when the endpoint does not answer.
    pub deployed: Option<Deployed>,
}

/// The emulator's process.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct EmulatorStatus {
    /// Its process id.
    pub pid: u32,
    /// Whether the process is there.
    pub running: bool,
    /// Whether it answers.
    pub healthy: bool,
}

/// What `CloudFormation`, Lambda and SQS say.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Deployed {
    /// The stack's status, or `not deployed`.
    pub status: String,
    /// The functions.
    pub functions: Vec<Function>,
    /// What feeds functions from queues and streams.
    pub mappings: Vec<Mapping>,
    /// The queues.
    pub queues: Vec<Queue>,
}

/// A function.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Function {
    /// Its name, without the stack's.
    pub name: String,
    /// Hash of its code, as Lambda gives it.
    pub code: String,
    /// When it was changed last.
    pub changed_at: String,
}

/// An event source mapping.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Mapping {
    /// The function that it feeds.
    pub function: String,
    /// Its state.
    pub state: String,
    /// How its last batch ended.
    pub last: String,
}

/// A queue.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Queue {
    /// Its name, as shown.
    pub name: String,
    /// Messages that can be received now.
    pub waiting: u64,
    /// Messages that were received and not yet deleted.
    pub in_flight: u64,
    /// Messages that are not due yet.
    pub delayed: u64,
}

#[derive(Serialize)]
struct Request<'a> {
    stack: &'a str,
    queues: BTreeMap<&'a str, &'a str>,
}

/// Looks at the local stack; changes nothing.
pub(crate) async fn status(project: &Project, progress: &Progress) -> Result<Status> {
    let Some(access) = Access::read(project)?.filter(|access| !access.endpoint.is_empty()) else {
        return Ok(Status { endpoint: None, emulator: None, url: None, stack: None, deployed: None });
    };
    let own = Emulator::recorded(project).filter(|emulator| emulator.endpoint() == access.endpoint);
    let emulator = match own {
        None => None,
        Some(emulator) => Some(EmulatorStatus {
            pid: emulator.pid,
            running: emulator.is_running(project).await,
            healthy: emulator.is_healthy().await,
        }),
    };
    let answers = emulator.as_ref().is_none_or(|emulator| emulator.running && emulator.healthy);
    let deployed = if answers {
        let step = progress.step("Asking the stack");
        let scripts = Scripts { project, python: venv::interpreter(project), endpoint: &access.endpoint };
        let queues = QUEUES.iter().filter_map(|(name, output)| Some((*name, access.output(output).ok()?))).collect();
        Some(scripts.run("status.py", &Request { stack: &access.stack, queues }, &step).await?)
    } else {
        None
    };
    Ok(Status { endpoint: Some(access.endpoint), emulator, url: Some(access.url), stack: Some(access.stack), deployed })
}
