//! A device's body, read leniently: unknown fields are passed over, and one bad report does not stop the others.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidegate_domain::event::DeviceEvent;
use tidegate_domain::fields::FieldError;
use tidegate_domain::ids::RolloutId;
use tidegate_domain::image::{Digest, ImageRef};
use tidegate_domain::platform;
use tidegate_domain::report::{Observed, Report, Reports, Verdict};
use utoipa::ToSchema;

use crate::input::{Mistakes, fields};
use crate::problem::Problem;
use crate::schemas::words::{DeviceEventName, IgnoredReportReason, UNREAD_REASONS};

/// Most reports in one body.
const REPORTS_MAX: usize = 100;
/// Most services that are looked at, and the longest texts that are kept, in characters.
const SERVICES_MAX: usize = 16;
const TEXT_MAX: usize = 64;
const MESSAGE_MAX: usize = 1000;

/// What a device tells. Only its description: it is read field by field.
#[derive(ToSchema)]
#[expect(dead_code, reason = "this type is read by the description alone")]
#[schema(example = json!({
    "services": {"web": {
        "image": "docker.io/iotistic/app:v2.0.1",
        "digest": "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "status": "running",
        "healthy": true,
    }},
    "reports": [{
        "id": "8b1c6c6e-1f0a-4c52-9a0c-3f7f5f1f9d10", "at": "2026-11-23T10:15:00Z", "service": "web",
        "rollout_id": "01JDE8Z0V4Q6W3T5X7Y9A1B2C3", "attempt": 1, "seq": 5,
        "event": "device.health_check_passed", "details": {"message": "200 in 31 ms"},
    }],
}))]
pub(super) struct ReportBody {
    /// What runs, by service name.
    services: Option<BTreeMap<String, ReportedService>>,
    /// What happened, oldest first; at most 100.
    reports: Option<Vec<ReportedEvent>>,
    /// The device's platform, where it changed.
    #[schema(example = "linux/arm64/v8")]
    platform: Option<String>,
}

/// What a service runs, as the device sees it.
#[derive(Deserialize, ToSchema)]
pub(super) struct ReportedService {
    /// The reference that it was started by.
    image: Option<String>,
    /// What it runs.
    digest: Option<String>,
    /// The container's state, in the engine's word.
    #[schema(example = "running")]
    status: Option<String>,
    /// Whether it is healthy.
    healthy: Option<bool>,
}

/// One report of work.
#[derive(Deserialize, ToSchema)]
pub(super) struct ReportedEvent {
    /// Its id, of the device's making.
    #[schema(format = Uuid)]
    id: String,
    /// When, by the device's clock; noted at most.
    #[schema(format = DateTime)]
    #[expect(dead_code, reason = "what counts is the server's time")]
    at: Option<String>,
    /// The service that it is about.
    service: Option<String>,
    /// The rollout.
    rollout_id: String,
    /// The attempt; by default 1.
    attempt: Option<u8>,
    /// Its place among the attempt's reports, from 1.
    seq: Option<u32>,
    /// What happened.
    #[schema(value_type = DeviceEventName)]
    event: String,
    /// What else there is to say.
    details: Option<ReportedDetails>,
}

/// What else there is to say of an event.
#[derive(Default, Deserialize, ToSchema)]
pub(super) struct ReportedDetails {
    /// A stable word.
    reason: Option<String>,
    /// The device's words.
    message: Option<String>,
    /// The content that it is about.
    digest: Option<String>,
    /// Until when a lock lasts.
    #[schema(format = DateTime)]
    until: Option<String>,
}

/// What became of a body's reports.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReportAnswer {
    /// Reports that were taken.
    accepted: usize,
    /// Reports that were known already.
    duplicates: usize,
    /// Reports that were not taken.
    ignored: Vec<IgnoredReport>,
}

/// A report that was not taken.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct IgnoredReport {
    /// Its id, where it has one.
    #[schema(required = true)]
    id: Option<String>,
    /// Why.
    #[schema(value_type = IgnoredReportReason)]
    reason: &'static str,
}

/// A body that was read.
pub(super) struct Taken {
    /// What could be read.
    pub(super) reports: Reports,
    unread: Vec<IgnoredReport>,
}

impl Taken {
    /// Reads a body.
    pub(super) fn read(body: &Value, mut mistakes: Mistakes) -> Result<Self, Problem> {
        let Some(body) = body.as_object() else {
            return Err(Problem::invalid(vec![FieldError::new("", "expected an object")]));
        };
        // What is said twice in one of them says nothing, and costs the others nothing.
        let unclear = mistakes.take_within(&["/reports", "/services"]);
        let is_clear = |of: &str, name: &str| {
            let pointer = FieldError::pointer_to(of, name);
            !unclear.iter().any(|twice| {
                twice.pointer.strip_prefix(&pointer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
        };
        let none = Vec::new();
        let given = match body.get("reports") {
            None | Some(Value::Null) => &none,
            Some(Value::Array(reports)) if reports.len() <= REPORTS_MAX => reports,
            Some(Value::Array(_)) => {
                let detail = format!("expected at most {REPORTS_MAX} reports in one body");
                mistakes.tell(FieldError::new("/reports", detail));
                &none
            }
            Some(_) => {
                mistakes.tell(FieldError::new("/reports", "expected a list"));
                &none
            }
        };
        mistakes.finish()?;
        let (mut reports, mut unread) = (Vec::new(), Vec::new());
        for (n, value) in given.iter().enumerate() {
            let read = if is_clear("/reports", &n.to_string()) { report(value) } else { Err("unreadable") };
            match read {
                Ok(report) => reports.push(report),
                Err(reason) => {
                    let id = value.get("id").and_then(Value::as_str).map(|id| shortened(id, TEXT_MAX));
                    unread.push(IgnoredReport { id, reason });
                }
            }
        }
        let services = body.get("services").and_then(Value::as_object).into_iter().flatten().take(SERVICES_MAX);
        // A name that acts on a terminal is passed over, like a field that nobody knows; the reports count all the same.
        let services = services.filter(|(name, _)| {
            let fits = (1..=TEXT_MAX).contains(&name.chars().count()) && tidegate_domain::text::name(name).is_ok();
            fits && is_clear("/services", name)
        });
        let reports = Reports {
            services: services.filter_map(|(name, value)| Some((name.clone(), observed(value)?))).collect(),
            platform: body
                .get("platform")
                .and_then(Value::as_str)
                .filter(|text| platform::check(text).is_ok())
                .map(str::to_owned),
            reports,
        };
        Ok(Self { reports, unread })
    }

    /// What became of each report.
    pub(super) fn answer(self, verdicts: &[Verdict]) -> ReportAnswer {
        let count = |wanted: Verdict| verdicts.iter().filter(|verdict| **verdict == wanted).count();
        let refused = self.reports.reports.iter().zip(verdicts).filter_map(|(report, verdict)| {
            verdict.reason().map(|reason| IgnoredReport { id: Some(report.id.clone()), reason })
        });
        ReportAnswer {
            accepted: count(Verdict::Accepted),
            duplicates: count(Verdict::Duplicate),
            ignored: refused.chain(self.unread).collect(),
        }
    }
}

fn report(value: &Value) -> Result<Report, &'static str> {
    let [unreadable, unknown_event] = UNREAD_REASONS;
    let told = fields::<ReportedEvent>(value.clone()).map_err(|_| unreadable)?;
    if told.id.is_empty() || told.id.chars().count() > TEXT_MAX || told.seq == Some(0) || told.attempt == Some(0) {
        return Err(unreadable);
    }
    let event = DeviceEvent::parse(&told.event).ok_or(unknown_event)?;
    // What cannot be a rollout's id is no assignment of this device.
    let rollout_id = RolloutId::parse(&told.rollout_id).ok_or("not_assigned")?;
    let details = told.details.unwrap_or_default();
    // A content that was told and cannot be read must not pass for one that was not told.
    let digest = details.digest.map(|digest| Digest::told(&digest)).transpose().map_err(|_| unreadable)?;
    let words = match (details.reason, details.message) {
        (Some(reason), Some(message)) => Some(format!("{reason}: {message}")),
        (reason, message) => reason.or(message),
    };
    Ok(Report {
        id: told.id,
        service: told.service,
        rollout_id,
        attempt: told.attempt.unwrap_or(1),
        seq: told.seq,
        event,
        message: words.map(|words| shortened(&words, MESSAGE_MAX)),
        until: details.until.and_then(|until| until.parse::<Timestamp>().ok()),
        digest,
    })
}

/// What can be read of a service; `None` where nothing can.
fn observed(value: &Value) -> Option<Observed> {
    let told = fields::<ReportedService>(value.clone()).ok()?;
    let digest = told.digest.map(|digest| Digest::told(&digest));
    Some(Observed {
        image: told.image.and_then(|image| ImageRef::parse(&image).ok()),
        unread_digest: digest.as_ref().is_some_and(Result::is_err),
        digest: digest.and_then(Result::ok),
        status: told.status.map(|status| shortened(&status, TEXT_MAX)),
        healthy: told.healthy,
    })
}

fn shortened(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ROLLOUT: &str = "01JD000000000000000000000A";

    #[test]
    fn bad_reports_do_not_stop_the_others() {
        let body = json!({
            "services": {"web": {"image": "docker.io/o/app:1", "digest": "nonsense", "more": 1}, "x": 5},
            "reports": [
                {"id": "a", "rollout_id": ROLLOUT, "event": "device.image_pulling", "seq": 1, "new_field": {}},
                {"id": "b", "rollout_id": ROLLOUT, "event": "device.dreaming"},
                {"id": "c", "rollout_id": "nonsense", "event": "device.image_pulled"},
                {"rollout_id": ROLLOUT, "event": "device.image_pulled"},
                "nonsense",
            ],
            "more": true,
        });
        let taken = Taken::read(&body, Mistakes::default()).unwrap();
        assert_eq!(taken.reports.reports.len(), 1);
        assert_eq!(taken.reports.services.len(), 1, "x tells nothing");
        assert!(taken.reports.services["web"].digest.is_none());
        let answer = taken.answer(&[Verdict::NotAssigned]);
        let ignored: Vec<_> = answer.ignored.iter().map(|ignored| (ignored.id.as_deref(), ignored.reason)).collect();
        let expected = [
            (Some("a"), "not_assigned"),
            (Some("b"), "unknown_event"),
            (Some("c"), "not_assigned"),
            (None, "unreadable"),
            (None, "unreadable"),
        ];
        assert_eq!(ignored, expected);
    }

    #[test]
    fn a_list_is_no_report_and_no_service() {
        let report = json!(["a", null, null, ROLLOUT, null, 1, "device.image_pulling", null]);
        let body = json!({"services": {"web": ["docker.io/o/app:1", null, "running", true]}, "reports": [report]});
        let taken = Taken::read(&body, Mistakes::default()).unwrap();
        assert!(taken.reports.services.is_empty() && taken.reports.reports.is_empty());
        assert_eq!(taken.answer(&[]).ignored[0].reason, "unreadable");
    }

    #[test]
    fn a_name_that_acts_on_a_terminal_costs_no_report() {
        let services = ["web", "w\u{1b}[2Jeb", "we\nb", "we\u{202e}b", "we\u{200b}b", "we\u{9b}b"];
        let services: serde_json::Map<String, Value> =
            services.into_iter().map(|name| (name.to_owned(), json!({"healthy": true}))).collect();
        let body = json!({"services": services, "reports": [
            {"id": "a", "rollout_id": ROLLOUT, "event": "device.image_pulling", "seq": 1, "service": "w\u{1b}[2Jeb"},
        ]});
        let taken = Taken::read(&body, Mistakes::default()).unwrap();
        assert_eq!(taken.reports.services.keys().collect::<Vec<_>>(), ["web"]);
        assert_eq!(taken.reports.reports.len(), 1);
    }

    #[test]
    fn a_body_is_an_object_with_at_most_a_hundred_reports() {
        for body in [json!([]), json!({"reports": vec![json!({}); 101]}), json!({"reports": {}})] {
            assert!(Taken::read(&body, Mistakes::default()).is_err(), "{body}");
        }
        assert!(Taken::read(&json!({}), Mistakes::default()).is_ok());
    }
}
