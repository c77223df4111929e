//! The server, as far as one rollout on one device goes: the device's routes, and what it heard on them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use uuid::Uuid;

/// The token of every device here.
pub(super) const TOKEN: &str = "made-for-a-test-and-known-to-all";
const ROLLOUT: &str = "0193d0a0-0000-7000-8000-000000000001";

/// How far the device is, as the server sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// Nothing is offered yet.
    Resting,
    Offered,
    Pulled,
    Blocked,
    Swapping,
    Healthy,
    /// Whether something was replaced.
    Failed(bool),
    RolledBack,
    Skipped,
}

/// What it thinks of the device itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Known,
    Revoked,
    Deleted,
}

/// A report that was heard.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Heard {
    id: String,
    service: String,
    rollout_id: String,
    attempt: u32,
    seq: u32,
    pub(super) event: String,
    #[serde(default)]
    pub(super) details: Details,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub(super) struct Details {
    reason: Option<String>,
    pub(super) message: Option<String>,
}

impl Heard {
    /// The event and its reason.
    fn in_short(&self) -> String {
        let event = self.event.trim_start_matches("device.");
        self.details.reason.as_ref().map_or_else(|| event.to_owned(), |reason| format!("{event} {reason}"))
    }
}

/// What a device says that a service runs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Runs {
    pub(super) image: String,
    pub(super) digest: Option<String>,
    pub(super) healthy: bool,
}

#[derive(Debug, Deserialize)]
struct Body {
    #[serde(default)]
    services: std::collections::BTreeMap<String, Runs>,
    #[serde(default)]
    reports: Vec<Heard>,
}

/// What is talked about, and was.
#[derive(Debug)]
pub(super) struct Talk {
    uuid: Uuid,
    old: Value,
    new: Value,
    /// Where the health check asks.
    port: u16,
    pub(super) progress: Progress,
    pub(super) standing: Standing,
    /// Each report once, in order.
    pub(super) heard: Vec<Heard>,
    /// What the device said last that it runs.
    pub(super) runs: Option<Runs>,
    /// How often it was asked for the target.
    pub(super) asked: usize,
    /// What breaks the contract.
    pub(super) wrong: Vec<String>,
}

impl Talk {
    /// All that was heard, in short.
    pub(super) fn story(&self) -> String {
        self.heard.iter().map(Heard::in_short).collect::<Vec<_>>().join(", ")
    }

    /// Whether the rollout has come to its end on this device.
    pub(super) fn ended(&self) -> Option<()> {
        match self.progress {
            Progress::Healthy | Progress::Failed(false) | Progress::RolledBack | Progress::Skipped => Some(()),
            Progress::Resting
            | Progress::Offered
            | Progress::Pulled
            | Progress::Blocked
            | Progress::Swapping
            | Progress::Failed(true) => None,
        }
    }

    fn target(&self) -> Value {
        let (image, rollout) = match self.progress {
            Progress::Offered | Progress::Blocked => (&self.new, Some(("update", "download"))),
            Progress::Pulled | Progress::Swapping => (&self.new, Some(("update", "swap"))),
            Progress::Healthy => (&self.new, None),
            Progress::Failed(true) => (&self.old, Some(("rollback", "swap"))),
            Progress::Resting | Progress::Failed(false) | Progress::RolledBack | Progress::Skipped => (&self.old, None),
        };
        let mut service = image.clone();
        service["health_check"] = json!({ "type": "http", "endpoint": format!("http://localhost:{}/health", self.port),
            "expected_status": 200, "timeout_seconds": 2, "retry_count": 2, "interval_seconds": 1 });
        if let Some((action, phase)) = rollout {
            service["rollout"] = json!({ "rollout_id": ROLLOUT, "batch": 1, "attempt": 1, "action": action,
                "phase": phase, "previous": self.old, "auto_rollback": true, "healthy_for_seconds": 0,
                "health_check_timeout_seconds": 30, "deadline_seconds": 90 });
        }
        json!({ "device_uuid": self.uuid, "services": { "web": service } })
    }

    fn hear(&mut self, body: Body) -> Value {
        let (mut accepted, mut duplicates) = (0, 0);
        for (service, runs) in body.services {
            if service == "web" {
                self.runs = Some(runs);
            } else {
                self.wrong.push(format!("a service {service}"));
            }
        }
        for report in body.reports {
            if let Some(known) = self.heard.iter().find(|known| known.seq == report.seq) {
                if *known != report {
                    self.wrong.push(format!("one number for two reports: {known:?} {report:?}"));
                }
                duplicates += 1;
                continue;
            }
            // Of a device whose identity was made elsewhere nobody knows what it used before: it begins where it likes.
            let next = self.heard.last().map_or(report.seq, |last| last.seq + 1);
            let known = (report.seq, report.attempt, &*report.rollout_id, &*report.service);
            if known != (next, 1, ROLLOUT, "web") || self.heard.iter().any(|one| one.id == report.id) {
                self.wrong.push(format!("not the next report, which has number {next}: {report:?}"));
            }
            self.progress = self.after(&report.event);
            self.heard.push(report);
            accepted += 1;
        }
        json!({ "accepted": accepted, "duplicates": duplicates, "ignored": [] })
    }

    fn after(&self, event: &str) -> Progress {
        match (self.progress, event) {
            (Progress::Offered | Progress::Blocked, "device.image_pulled") => Progress::Pulled,
            (Progress::Offered | Progress::Pulled, "device.update_blocked") => Progress::Blocked,
            (_, "device.container_updating") => Progress::Swapping,
            (_, "device.health_check_passed") => Progress::Healthy,
            (_, "device.update_skipped") => Progress::Skipped,
            (before, "device.update_failed" | "device.health_check_failed") => {
                Progress::Failed(before == Progress::Swapping)
            }
            (_, "device.rolled_back") => Progress::RolledBack,
            (before, _) => before,
        }
    }
}

/// The server, until its owner ends.
pub(super) struct Server {
    host: String,
    talk: Arc<Mutex<Talk>>,
    _serving: JoinSet<()>,
}

impl Server {
    pub(super) async fn start(uuid: Uuid, old: Value, new: Value, port: u16) -> Result<Self> {
        let talk = Arc::new(Mutex::new(Talk {
            uuid,
            old,
            new,
            port,
            progress: Progress::Resting,
            standing: Standing::Known,
            heard: Vec::new(),
            runs: None,
            asked: 0,
            wrong: Vec::new(),
        }));
        let router =
            Router::new().route("/api/v1/device/{uuid}/state", get(tell).patch(hear)).with_state(Arc::clone(&talk));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let host = listener.local_addr()?.to_string();
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.expect("it serves without end") });
        Ok(Self { host, talk, _serving: serving })
    }

    /// Host and port.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// What was talked about so far.
    pub(super) fn talk(&self) -> MutexGuard<'_, Talk> {
        self.talk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Offers the new image, or asks again where the device said "not now".
    pub(super) fn offer(&self) {
        let mut talk = self.talk();
        talk.progress = if talk.progress == Progress::Blocked { Progress::Pulled } else { Progress::Offered };
    }
}

type Shared = State<Arc<Mutex<Talk>>>;

/// Refuses who is not, or no longer, the device.
fn refusal(talk: &Talk, uuid: Uuid, headers: &HeaderMap) -> Option<Response> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let is_device = uuid == talk.uuid && bearer == Some(&format!("Bearer {TOKEN}"));
    let status = match talk.standing {
        Standing::Deleted => StatusCode::GONE,
        Standing::Known if is_device => return None,
        Standing::Known | Standing::Revoked => StatusCode::UNAUTHORIZED,
    };
    let problem = json!({ "type": "about:blank", "title": status.canonical_reason(), "status": status.as_u16() });
    Some((status, [(header::CONTENT_TYPE, "application/problem+json")], problem.to_string()).into_response())
}

async fn tell(State(talk): Shared, Path(uuid): Path<Uuid>, headers: HeaderMap) -> Response {
    let mut talk = talk.lock().unwrap_or_else(PoisonError::into_inner);
    talk.asked += 1;
    if let Some(refusal) = refusal(&talk, uuid, &headers) {
        return refusal;
    }
    let target = talk.target();
    let hash = hex::encode(&Sha256::digest(target.to_string())[..8]);
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let same = known.split(',').any(|etag| etag.trim().trim_matches('"').split('.').next() == Some(&*hash));
    let told = [("etag", format!("\"{hash}.1.1\"")), ("tidegate-poll-after", "1".to_owned())];
    if same { (StatusCode::NOT_MODIFIED, told).into_response() } else { (told, Json(target)).into_response() }
}

async fn hear(State(talk): Shared, Path(uuid): Path<Uuid>, headers: HeaderMap, Json(body): Json<Body>) -> Response {
    let mut talk = talk.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(refusal) = refusal(&talk, uuid, &headers) {
        return refusal;
    }
    ([("etag", "\"0.1.1\"")], Json(talk.hear(body))).into_response()
}
