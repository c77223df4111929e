//! What the tests of the decisions are built from: one device, one rollout of `v2` over `v1`, and policies that are read
//! as an operator writes them.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::assignment::{Assignment, Progress, Reason};
use crate::context::{Plan, RolloutContext, RolloutContexts};
use crate::counts::{Class, Counts};
use crate::device::{Device, Running, Service, Track};
use crate::failure_rules::FailureRules;
use crate::ids::{DeviceUuid, PolicyId, RolloutId};
use crate::image::{Digest, Repository, Tag};
use crate::pin::Pin;
use crate::policy::{Origin, Policy, PolicyDefaults, RawPolicy, Strategy};
use crate::rollout::{Batch, Rollback, Rollout, Status, Trigger};

/// Seconds after the tests' beginning: midnight of Monday, 2026-06-01, in UTC.
pub(crate) fn at(seconds: i64) -> Timestamp {
    let start: Timestamp = "2026-06-01T00:00:00Z".parse().unwrap();
    start + SignedDuration::from_secs(seconds)
}

pub(crate) const HOUR: i64 = 3600;
pub(crate) const DAY: i64 = 24 * HOUR;

/// A policy that says these fields beside its name and pattern.
pub(crate) fn policy(fields: Value) -> Policy {
    let mut written = json!({"name": "app", "image_pattern": "acme/app:*"});
    if let Value::Object(fields) = fields {
        written.as_object_mut().unwrap().extend(fields);
    }
    let raw = RawPolicy::from_json("", &written).unwrap();
    raw.validate(&PolicyDefaults::default(), PolicyId::trusted("p"), at(0), Origin::Api).unwrap()
}

/// The fields of a nightly window from 02:00 to 04:00 UTC.
pub(crate) fn nightly() -> Value {
    json!({"maintenance_window_start": "02:00:00", "maintenance_window_end": "04:00:00", "timezone": "UTC"})
}

pub(crate) fn repository() -> Repository {
    Repository::parse("acme/app").unwrap()
}

pub(crate) fn digest(n: u8) -> Digest {
    Digest::parse(&format!("sha256:{}", format!("{n:02x}").repeat(32))).unwrap()
}

/// `v1` is content 1, `v2` content 2, and so on.
pub(crate) fn pin(n: u8) -> Pin {
    Pin { tag: Some(Tag::parse(&format!("v{n}")).unwrap()), digest: Some(digest(n)) }
}

pub(crate) fn id(name: &str) -> RolloutId {
    RolloutId::trusted(name)
}

pub(crate) fn uuid(n: u32) -> DeviceUuid {
    DeviceUuid(Uuid::from_u128(0x4000_8000_0000_0000_0000 + u128::from(n)))
}

/// A batch's counts.
pub(crate) fn counts(classes: &[(Class, i64)]) -> Counts {
    let mut counts = Counts::default();
    for (class, n) in classes {
        counts.add(*class, *n);
    }
    counts
}

/// Rollout `R` of `v2`, generation 2: 10 devices in batches of 1, 4 and 5, the first of them open.
pub(crate) fn rollout(status: Status) -> Rollout {
    let batch = |end, opened_at, devices| Batch {
        end,
        opened_at,
        completed_at: None,
        counts: counts(&[(Class::Pending, devices)]),
    };
    let rollback = status.takes_back().then(|| Rollback {
        started_at: at(0),
        open_to: u32::MAX,
        max_in_flight: None,
        respect_windows: false,
    });
    Rollout {
        rollout_id: id("R"),
        repository: repository(),
        policy_id: PolicyId::trusted("p"),
        policy: "app".to_owned(),
        generation: 2,
        revision: 7,
        status,
        resume_to: None,
        target: pin(2),
        old_tag: None,
        strategy: Strategy::Staged,
        triggered_by: Trigger::Webhook,
        news: None,
        overridden: None,
        created_at: at(0),
        started_at: Some(at(0)),
        completed_at: None,
        asked_at: None,
        total: 10,
        zones: crate::counts::Zones::default(),
        open_to: 1,
        batch: 1,
        batches: vec![batch(1, Some(at(0)), 1), batch(5, None, 4), batch(10, None, 5)],
        cursor: 0,
        failure_rules: FailureRules::default(),
        judged_from: 0,
        command_at: None,
        resumed_at: None,
        skip_batch: false,
        rollback,
        reason: None,
        decided: None,
        last_healthy_at: None,
        observed: None,
        admitted: Vec::new(),
        kept_out: Vec::new(),
        check_at: None,
        wake_at: None,
        live: Some("1".to_owned()),
    }
}

/// A rollout under a policy of these fields.
pub(crate) fn known(rollout: Rollout, fields: Value) -> RolloutContext {
    RolloutContext { rollout, plan: Plan::of(policy(fields)) }
}

pub(crate) fn knowledge(rollouts: impl IntoIterator<Item = RolloutContext>) -> RolloutContexts {
    rollouts.into_iter().map(|known| (known.rollout.rollout_id.clone(), Arc::new(known))).collect()
}

/// A device with the service `web` on `v1`, heard of just now, in no rollout.
pub(crate) fn device() -> Device {
    let track = Track { baseline: Some(pin(1)), ..Track::default() };
    Device {
        device_uuid: uuid(1),
        rev: 3,
        name: None,
        fleet_id: "vans".to_owned(),
        tags: BTreeMap::new(),
        timezone: None,
        platform: None,
        token_hash: "hash".to_owned(),
        next_token_hash: None,
        reenrol_until: None,
        services: BTreeMap::from([("web".to_owned(), service(1))]),
        tracks: BTreeMap::from([(repository(), track)]),
        enrolled_at: at(0),
        last_seen: at(0),
        deleted_at: None,
        log: Vec::new(),
    }
}

/// A service that runs this content of the tests' image.
pub(crate) fn service(n: u8) -> Service {
    let running = Running {
        tag: pin(n).tag,
        digest: Some(digest(n)),
        status: Some("running".to_owned()),
        healthy: Some(true),
        before_swap: false,
    };
    Service { repository: repository(), running: Some(running) }
}

/// The first place of rollout `R`, this far; offered at the beginning where it was offered at all.
pub(crate) fn place(progress: Progress) -> Assignment {
    let offered = !matches!(progress, Progress::Waiting | Progress::Deferred | Progress::Skipped { .. });
    Assignment { progress, offered_at: offered.then(|| at(0)), ..Assignment::new(id("R"), 2, 0, 1) }
}

/// The device at the first place of rollout `R`, this far.
pub(crate) fn placed(progress: Progress) -> Device {
    let mut device = device();
    track(&mut device).current = Some(place(progress));
    device
}

pub(crate) fn track(device: &mut Device) -> &mut Track {
    device.tracks.entry(repository()).or_default()
}

/// Where the device stands in its current rollout.
pub(crate) fn progress(device: &Device) -> Progress {
    device.tracks[&repository()].current.as_ref().unwrap().progress.clone()
}

pub(crate) fn failed(reason: Reason, swapped: bool) -> Progress {
    Progress::Failed { reason, swapped }
}

pub(crate) fn skipped(reason: Reason) -> Progress {
    Progress::Skipped { reason }
}

pub(crate) fn back(reason: Reason) -> Progress {
    Progress::RolledBack { reason }
}

pub(crate) fn stuck(reason: Reason) -> Progress {
    Progress::Stuck { reason }
}

/// Locked until an hour after the beginning.
pub(crate) fn blocked(pulled: bool) -> Progress {
    Progress::Blocked { since: at(0), until: at(HOUR), pulled }
}

/// One of every progress.
pub(crate) fn every_progress() -> Vec<Progress> {
    vec![
        Progress::Waiting,
        Progress::Deferred,
        Progress::Offered,
        Progress::Pulled,
        blocked(false),
        blocked(true),
        Progress::Swapping,
        Progress::Healthy,
        failed(Reason::Unhealthy, true),
        failed(Reason::TimedOut, true),
        failed(Reason::PullFailed, false),
        Progress::Reverting,
        back(Reason::Unhealthy),
        stuck(Reason::RollbackFailed),
        Progress::NotSeen,
        skipped(Reason::Removed),
    ]
}
