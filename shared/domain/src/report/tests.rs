mod attempts;
mod events;
mod observed;

use serde_json::{Value, json};

use super::*;
use crate::device::{Service, Track};
use crate::pin::Pin;
use crate::rollout::{Rollout, Status};
use crate::testing::*;

/// A report of the tests' rollout about `web`.
pub(super) fn says(event: DeviceEvent, seq: u32) -> Report {
    Report {
        id: format!("{event}-{seq}"),
        service: Some("web".to_owned()),
        rollout_id: id("R"),
        attempt: 1,
        seq: Some(seq),
        event,
        message: None,
        until: None,
        digest: None,
    }
}

/// A body in which `web` runs this content.
pub(super) fn body(runs: u8, reports: Vec<Report>) -> Reports {
    let observed = Observed { digest: Some(digest(runs)), healthy: Some(true), ..Observed::default() };
    Reports { services: BTreeMap::from([("web".to_owned(), observed)]), platform: None, reports }
}

pub(super) fn told(device: &Device, body: &Reports, rollout: Rollout, fields: Value) -> Reported {
    report(device, body, &knowledge([known(rollout, fields)]), at(100))
}

/// One report of a device that runs `runs` in a rollout in progress: the verdict, and how the device then stands.
pub(super) fn one(from: &Progress, event: DeviceEvent, runs: u8) -> (Verdict, Progress, Option<Outcome>) {
    let device = placed(from.clone());
    let reported = told(&device, &body(runs, vec![says(event, 1)]), rollout(Status::InProgress), json!({}));
    let next = reported.device.unwrap_or(device);
    let outcome = next.log.first().and_then(|entry| entry.outcome);
    (reported.verdicts[0], progress(&next), outcome)
}
