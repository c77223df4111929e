//! The server, as far as one rollout on one device goes, and the way to it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;
use tidegate_agent::image::Image;
use tidegate_agent::server::link::{Link, LinkError, Polled, Reported};
use tidegate_agent::server::report::{StateReport, Taken};
use tidegate_agent::server::target::TargetState;
use tidegate_domain::event::DeviceEvent;

use super::failpoint::Failpoint;

/// How far the device is, as the server sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    Offered,
    Pulled,
    Healthy,
    Failed,
    RolledBack,
}

#[derive(Debug)]
pub(super) struct Server {
    pub(super) progress: Progress,
    /// All that it heard, by attempt and number.
    pub(super) heard: BTreeMap<(u32, u32), DeviceEvent>,
    /// Why what failed did, in the device's words.
    pub(super) why: Vec<String>,
    /// What the device said last that it runs.
    pub(super) runs: Option<(String, bool)>,
    old: Image,
    new: Image,
    /// Where the health check asks.
    port: u16,
}

impl Server {
    pub(super) fn new(old: Image, new: Image, port: u16) -> Self {
        Self { progress: Progress::Offered, heard: BTreeMap::new(), why: Vec::new(), runs: None, old, new, port }
    }

    fn target(&self) -> TargetState {
        let (image, rollout) = match self.progress {
            Progress::Offered => (&self.new, Some(("update", "download"))),
            Progress::Pulled => (&self.new, Some(("update", "swap"))),
            Progress::Healthy => (&self.new, None),
            Progress::Failed => (&self.old, Some(("rollback", "swap"))),
            Progress::RolledBack => (&self.old, None),
        };
        let mut service = json!(image);
        service["health_check"] = json!({"type": "http", "endpoint": format!("http://localhost:{}/health", self.port),
            "expected_status": 200, "timeout_seconds": 1, "retry_count": 2, "interval_seconds": 1});
        if let Some((action, phase)) = rollout {
            service["rollout"] = json!({"rollout_id": "R", "attempt": 1, "action": action, "phase": phase,
                "previous": self.old, "auto_rollback": true, "healthy_for_seconds": 0,
                "health_check_timeout_seconds": 60});
        }
        serde_json::from_value(json!({"services": {"web": service}})).expect("a target")
    }

    fn hear(&mut self, body: &StateReport) {
        if let Some(runs) = body.services.get("web") {
            self.runs = Some((runs.image.clone(), runs.healthy));
        }
        for report in &body.reports {
            let place = (report.attempt, report.seq);
            if let Some(known) = self.heard.insert(place, report.event) {
                assert_eq!(known, report.event, "one number {place:?} for two reports");
                continue;
            }
            self.why.extend(report.details.message.iter().map(|why| format!("{}: {why}", report.event)));
            self.progress = match (self.progress, report.event) {
                (Progress::Offered, DeviceEvent::ImagePulled) => Progress::Pulled,
                (Progress::Offered | Progress::Pulled, DeviceEvent::HealthCheckPassed) => Progress::Healthy,
                (_, DeviceEvent::HealthCheckFailed | DeviceEvent::UpdateFailed) => Progress::Failed,
                (_, DeviceEvent::RolledBack) => Progress::RolledBack,
                (progress, _) => progress,
            };
        }
    }
}

/// The way to it, which breaks like everything else: then nobody knows whether a word arrived.
pub(super) struct Line {
    pub(super) server: Arc<Mutex<Server>>,
    pub(super) failpoint: Arc<Failpoint>,
}

impl Link for Line {
    async fn poll(&mut self, _known: &[String]) -> Result<Polled, LinkError> {
        self.failpoint.pass("poll").await;
        let target = self.server.lock().unwrap_or_else(PoisonError::into_inner).target();
        Ok(Polled::Target { target, etag: None, after: Duration::from_secs(10) })
    }

    async fn report(&mut self, body: &StateReport) -> Result<Reported, LinkError> {
        self.failpoint.pass("report").await;
        self.server.lock().unwrap_or_else(PoisonError::into_inner).hear(body);
        self.failpoint.pass("reported").await;
        Ok(Reported { taken: Taken::default(), etag: None })
    }
}
