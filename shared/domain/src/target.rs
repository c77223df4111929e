//! A device's target state, as it is told and hashed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::assignment::{Assignment, Progress};
use crate::context::{RolloutContext, RolloutContexts};
use crate::device::{Device, Track};
use crate::health::HealthCheck;
use crate::ids::{DeviceUuid, RolloutId};
use crate::image::{Digest, Repository};
use crate::pin::Pin;
use crate::rollout::Status;
use crate::strategy::Phase;
use crate::swap_time::{SwapTime, swap_time};

/// What a device should run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TargetState {
    /// The device.
    pub device_uuid: DeviceUuid,
    /// By service name. A service whose image nobody knows is left out.
    pub services: BTreeMap<String, ServiceTarget>,
}

/// What one service should run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ServiceTarget {
    /// The reference.
    pub image: String,
    /// The content, wherever it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// How the device finds out whether it is healthy; absent where checks are off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_check: Option<HealthCheck>,
    /// Present only while the service is to move in a rollout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Move>,
}

/// Which way a service is to move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// To the new image.
    Update,
    /// Back to the old one.
    Rollback,
}

/// A service's move in a rollout.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Move {
    /// The rollout.
    pub rollout_id: RolloutId,
    /// The batch that the device counts in.
    pub batch: u32,
    /// Raised for each repeated way back.
    pub attempt: u8,
    /// There or back.
    pub action: Action,
    /// How far.
    pub phase: Phase,
    /// Where the way back leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<PreviousImage>,
    /// Whether the device goes back by itself when it fails.
    pub auto_rollback: bool,
    /// How long it must be healthy.
    pub healthy_for_seconds: u32,
    /// All tries of the check, from container start to verdict.
    pub health_check_timeout_seconds: u32,
    /// From swap to verdict, the way back included.
    pub deadline_seconds: u32,
}

/// The image that a service goes back to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PreviousImage {
    /// The reference.
    pub image: String,
    /// The content, wherever it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

impl TargetState {
    /// A short hash of the target alone: a pause that changes nothing for the device does not change it.
    pub fn hash(&self) -> String {
        let body = serde_json::to_vec(self).unwrap_or_default();
        hex::encode(&Sha256::digest(body)[..12])
    }
}

/// The target that follows from the device's item and its rollouts as they are, without offering anything new.
pub fn target_state(device: &Device, known: &RolloutContexts, now: Timestamp) -> TargetState {
    let services = device
        .services
        .iter()
        .filter_map(|(name, service)| {
            let track = device.tracks.get(&service.repository)?;
            Some((name.clone(), service_target(device, name, &service.repository, track, known, now)?))
        })
        .collect();
    TargetState { device_uuid: device.device_uuid, services }
}

/// What the device's (first) service of one image should be.
pub(crate) fn image_target(
    device: &Device,
    repository: &Repository,
    known: &RolloutContexts,
    now: Timestamp,
) -> Option<ServiceTarget> {
    let (name, _) = device.services_of(repository).next()?;
    service_target(device, name, repository, device.tracks.get(repository)?, known, now)
}

/// What the device's image of one repository should be, and why.
fn service_target(
    device: &Device,
    name: &str,
    repository: &Repository,
    track: &Track,
    known: &RolloutContexts,
    now: Timestamp,
) -> Option<ServiceTarget> {
    let current = track.current.as_ref().and_then(|a| Some((a, known.get(&a.rollout_id)?)));
    let Some((assignment, known)) = current else {
        return Some(at_rest(repository, track.idle()?, None));
    };
    let rollout = &known.rollout;
    let new = |action| moving(repository, track, assignment, known, action);
    let stay = || Some(at_rest(repository, &rollout.target, Some(known)));
    let idle = || Some(at_rest(repository, track.idle_in(rollout)?, Some(known)));
    match &assignment.progress {
        // Latecomers and devices that were put off get what the rollout proved, inside their window.
        Progress::Waiting | Progress::Deferred if rollout.status == Status::Completed => {
            let there = device.certain_digest(repository).is_some_and(|runs| known.is_target(runs, None));
            match swap_time(&known.plan.policy, device.timezone.as_deref(), now) {
                SwapTime::Open(_) => stay(),
                SwapTime::Closed(_) | SwapTime::NoZone if there => stay(),
                SwapTime::Closed(_) | SwapTime::NoZone => idle(),
            }
        }
        Progress::Waiting | Progress::Deferred | Progress::Skipped { .. } | Progress::Failed { swapped: false, .. } => {
            idle()
        }
        Progress::Offered | Progress::Pulled | Progress::Blocked { .. } if rollout.status.withdraws() => idle(),
        Progress::Offered | Progress::Pulled | Progress::Blocked { .. } | Progress::Swapping => new(Action::Update),
        Progress::Failed { swapped: true, .. } if known.plan.policy.auto_rollback && track.baseline.is_some() => {
            new(Action::Rollback)
        }
        Progress::Healthy | Progress::Failed { swapped: true, .. } => stay(),
        Progress::Reverting | Progress::NotSeen => new(Action::Rollback),
        Progress::RolledBack { .. } => Some(at_rest(repository, track.baseline.as_ref()?, Some(known))),
        Progress::Stuck { .. } => {
            // Of one that told nothing since its swap nobody knows what it keeps: another image would be one more swap.
            let running = device.services.get(name)?.running.as_ref().filter(|running| !running.before_swap)?;
            let pin = Pin { tag: running.tag.clone(), digest: running.digest.clone() };
            Some(at_rest(repository, &pin, Some(known)))
        }
    }
}

fn at_rest(repository: &Repository, pin: &Pin, known: Option<&std::sync::Arc<RolloutContext>>) -> ServiceTarget {
    ServiceTarget {
        image: pin.image(repository),
        digest: pin.digest.clone(),
        health_check: known.and_then(|known| health_check(known)),
        rollout: None,
    }
}

fn health_check(known: &RolloutContext) -> Option<HealthCheck> {
    let health = &known.plan.policy.health;
    health.enabled.then(|| health.check.clone())
}

fn moving(
    repository: &Repository,
    track: &Track,
    assignment: &Assignment,
    known: &std::sync::Arc<RolloutContext>,
    action: Action,
) -> Option<ServiceTarget> {
    let policy = &known.plan.policy;
    let pin = match action {
        Action::Update => &known.rollout.target,
        Action::Rollback => track.baseline.as_ref()?,
    };
    let phase = match (action, &assignment.progress) {
        (Action::Update, Progress::Offered | Progress::Pulled | Progress::Blocked { .. }) => Phase::Download,
        _ => Phase::Swap,
    };
    let mut target = at_rest(repository, pin, Some(known));
    target.rollout = Some(Move {
        rollout_id: assignment.rollout_id.clone(),
        batch: assignment.batch,
        attempt: assignment.attempt,
        action,
        phase,
        previous: track
            .baseline
            .as_ref()
            .map(|pin| PreviousImage { image: pin.image(repository), digest: pin.digest.clone() }),
        auto_rollback: policy.auto_rollback,
        healthy_for_seconds: policy.health.healthy_for_seconds,
        health_check_timeout_seconds: policy.health.timeout_seconds,
        deadline_seconds: policy.deadline_seconds(),
    });
    Some(target)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::assignment::Reason;
    use crate::rollout::Rollout;
    use crate::testing::*;

    /// What a service is told: which tag, and which move.
    fn told(device: &Device, known: RolloutContext, now: i64) -> (String, Option<(Action, Phase)>) {
        let state = target_state(device, &knowledge([known]), at(now));
        let web = &state.services["web"];
        let tag = web.image.rsplit(':').next().unwrap().to_owned();
        (tag, web.rollout.as_ref().map(|moving| (moving.action, moving.phase)))
    }

    #[test]
    fn every_progress_in_every_status() {
        let download = Some((Action::Update, Phase::Download));
        let swap = Some((Action::Update, Phase::Swap));
        let rollback = Some((Action::Rollback, Phase::Swap));
        for status in Status::ALL {
            for progress in every_progress() {
                let mut device = placed(progress.clone());
                track(&mut device).resting = Some(pin(9));
                let expected = match &progress {
                    Progress::Waiting | Progress::Deferred if status == Status::Completed => ("v2", None),
                    Progress::Waiting
                    | Progress::Deferred
                    | Progress::Skipped { .. }
                    | Progress::Failed { swapped: false, .. } => ("v9", None),
                    Progress::Offered | Progress::Pulled | Progress::Blocked { .. } if status.withdraws() => {
                        ("v9", None)
                    }
                    Progress::Offered | Progress::Pulled | Progress::Blocked { .. } => ("v2", download),
                    Progress::Swapping => ("v2", swap),
                    Progress::Healthy => ("v2", None),
                    Progress::Failed { swapped: true, .. } | Progress::Reverting | Progress::NotSeen => {
                        ("v1", rollback)
                    }
                    Progress::RolledBack { .. } | Progress::Stuck { .. } => ("v1", None),
                };
                let (tag, moving) = told(&device, known(rollout(status), json!({})), 60);
                assert_eq!((tag.as_str(), moving), expected, "{progress:?} in {status:?}");
            }
        }
    }

    #[test]
    fn a_failed_device_stays_where_it_cannot_or_must_not_go_back() {
        let device = placed(failed(Reason::Unhealthy, true));
        let by_order = known(rollout(Status::InProgress), json!({"auto_rollback": false}));
        assert_eq!(told(&device, by_order, 60), ("v2".to_owned(), None));
        let mut first = device;
        track(&mut first).baseline = None;
        assert_eq!(told(&first, known(rollout(Status::InProgress), json!({})), 60), ("v2".to_owned(), None));
    }

    #[test]
    fn a_stuck_device_keeps_what_it_runs() {
        let mut device = placed(stuck(Reason::RollbackFailed));
        device.services.insert("web".to_owned(), service(7));
        assert_eq!(told(&device, known(rollout(Status::RolledBack), json!({})), 60), ("v7".to_owned(), None));
        device.swaps(&repository());
        let state = target_state(&device, &knowledge([known(rollout(Status::RolledBack), json!({}))]), at(60));
        assert!(state.services.is_empty(), "nobody said what runs since its swap");
    }

    #[test]
    fn a_latecomer_is_brought_to_the_promoted_image_inside_its_window() {
        let latecomer = placed(Progress::Waiting);
        let mut there = latecomer.clone();
        there.services.insert("web".to_owned(), service(2));
        for (label, device, now, tag) in [
            ("outside", &latecomer, HOUR, "v1"),
            ("inside", &latecomer, 3 * HOUR, "v2"),
            ("outside, and there already", &there, HOUR, "v2"),
        ] {
            let known = known(rollout(Status::Completed), nightly());
            assert_eq!(told(device, known, now), (tag.to_owned(), None), "{label}");
        }
    }

    #[test]
    fn nobody_rests_on_what_is_taken_back() {
        let up_to_date = Progress::Skipped { reason: Reason::UpToDate };
        for progress in [Progress::Waiting, Progress::Deferred, up_to_date] {
            let mut latecomer = placed(progress.clone());
            track(&mut latecomer).resting = Some(pin(2));
            for (status, tag) in [
                (Status::Completed, "v2"),
                (Status::Cancelled, "v2"),
                (Status::RollingBack, "v1"),
                (Status::RolledBack, "v1"),
            ] {
                let (told, moving) = told(&latecomer, known(rollout(status), json!({})), 60);
                assert_eq!((told.as_str(), moving), (tag, None), "{progress:?} in {status:?}");
            }
        }
    }

    #[test]
    fn without_a_rollout_it_rests() {
        let mut device = device();
        let state = |device: &Device| target_state(device, &RolloutContexts::new(), at(0));
        assert_eq!(state(&device).services["web"].digest, Some(digest(1)));
        track(&mut device).resting = Some(pin(9));
        assert_eq!(state(&device).services["web"].digest, Some(digest(9)), "what it rests on comes first");
        *track(&mut device) = Track::default();
        assert!(state(&device).services.is_empty(), "nobody knows what it should run");
    }

    #[test]
    fn a_move_says_all_that_the_device_needs() {
        let device = placed(Progress::Swapping);
        let state = target_state(&device, &knowledge([known(rollout(Status::InProgress), json!({}))]), at(0));
        assert_eq!(
            serde_json::to_value(&state.services["web"]).unwrap(),
            json!({
                "image": "docker.io/acme/app:v2", "digest": digest(2),
                "health_check": {"type": "container_running", "timeout_seconds": 30, "retry_count": 3,
                                 "interval_seconds": 30},
                "rollout": {"rollout_id": "R", "batch": 1, "attempt": 1, "action": "update", "phase": "swap",
                            "previous": {"image": "docker.io/acme/app:v1", "digest": digest(1)}, "auto_rollback": true,
                            "healthy_for_seconds": 60, "health_check_timeout_seconds": 300, "deadline_seconds": 900},
            })
        );
        let off = known(rollout(Status::InProgress), json!({"health_check_enabled": false}));
        let state = target_state(&device, &knowledge([off]), at(0));
        assert_eq!(state.services["web"].health_check, None);
    }

    #[test]
    fn the_hash_is_of_the_target_alone() {
        let hash = |device: &Device, rollout: Rollout| {
            target_state(device, &knowledge([known(rollout, json!({}))]), at(60)).hash()
        };
        let healthy = placed(Progress::Healthy);
        let before = hash(&healthy, rollout(Status::InProgress));
        let paused = Rollout { revision: 99, ..rollout(Status::Paused) };
        assert_eq!(hash(&healthy, paused), before, "a pause is no new target");
        let mut written = healthy.clone();
        written.rev += 1;
        assert_eq!(hash(&written, rollout(Status::InProgress)), before);
        assert_ne!(hash(&placed(Progress::Offered), rollout(Status::InProgress)), before);
    }
}
