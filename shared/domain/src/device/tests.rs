use serde_json::json;

use super::*;
use crate::assignment::Reason;
use crate::counts::Class;
use crate::testing::*;

/// The baseline and the resting image of a device that stood so when a newer place replaced its own.
fn replaced(progress: Progress, status: Status, auto_rollback: bool, resting: Option<Pin>) -> (Pin, Option<Pin>) {
    let mut device = placed(progress);
    let track = track(&mut device);
    track.resting = resting;
    let old = known(crate::testing::rollout(status), json!({"auto_rollback": auto_rollback}));
    track.replace(Assignment::new(id("R3"), 3, 0, 1), &old.rollout.policy_id, Some(&old), None, at(0));
    assert_eq!(track.last.as_ref().unwrap().rollout_id, id("R"));
    (track.baseline.clone().unwrap(), track.resting.clone())
}

#[test]
fn the_baseline_advances_only_when_healthy_and_completed() {
    for status in Status::ALL {
        for progress in every_progress() {
            let (baseline, _) = replaced(progress.clone(), status, true, None);
            let proven = progress == Progress::Healthy && status == Status::Completed;
            assert_eq!(baseline, if proven { pin(2) } else { pin(1) }, "{progress:?} in {status:?}");
        }
    }
}

#[test]
fn healthy_in_a_rollout_that_ended_early_is_rested_on() {
    for status in [Status::Superseded, Status::Cancelled, Status::Failed] {
        assert_eq!(replaced(Progress::Healthy, status, true, None), (pin(1), Some(pin(2))), "{status:?}");
        let kept = replaced(failed(Reason::Unhealthy, true), status, false, None);
        assert_eq!(kept, (pin(1), Some(pin(2))), "{status:?}: it does not go back by itself");
    }
    assert_eq!(replaced(Progress::Healthy, Status::Completed, true, Some(pin(9))), (pin(2), None));
    assert_eq!(replaced(Progress::Healthy, Status::RolledBack, true, Some(pin(9))), (pin(1), None));
}

#[test]
fn who_never_swapped_rests_on_what_it_rested_on() {
    let untouched = [
        Progress::Waiting,
        Progress::Deferred,
        Progress::Offered,
        Progress::Pulled,
        blocked(true),
        failed(Reason::PullFailed, false),
        skipped(Reason::Removed),
    ];
    for progress in untouched {
        for status in Status::ALL {
            let (baseline, resting) = replaced(progress.clone(), status, true, Some(pin(9)));
            assert_eq!((baseline, resting), (pin(1), Some(pin(9))), "{progress:?} in {status:?}");
        }
        let (_, resting) = replaced(progress.clone(), Status::RolledBack, true, Some(pin(2)));
        assert_eq!(resting, None, "{progress:?}: never on what was taken back");
    }
    for progress in [back(Reason::Unhealthy), Progress::Reverting, failed(Reason::Unhealthy, true)] {
        let (_, resting) = replaced(progress.clone(), Status::Superseded, true, Some(pin(9)));
        assert_eq!(resting, None, "{progress:?} went back to its baseline");
    }
}

#[test]
fn a_latecomer_that_was_brought_there_has_proven_it() {
    for (status, ran, baseline) in [
        (Status::Completed, Some(digest(2)), pin(2)),
        (Status::Completed, Some(digest(1)), pin(1)),
        (Status::Completed, None, pin(1)),
        (Status::Cancelled, Some(digest(2)), pin(1)),
    ] {
        let mut device = placed(Progress::Waiting);
        let old = known(crate::testing::rollout(status), json!({}));
        let track = track(&mut device);
        track.replace(Assignment::new(id("R3"), 3, 0, 1), &old.rollout.policy_id, Some(&old), ran.as_ref(), at(0));
        assert_eq!(track.baseline, Some(baseline), "{status:?}, {ran:?}");
    }
}

#[test]
fn who_was_passed_over_has_proven_what_it_runs_as_well() {
    for (status, ran, baseline, resting) in [
        (Status::Completed, 2, pin(2), None),
        (Status::Completed, 1, pin(1), Some(pin(2))),
        (Status::Superseded, 2, pin(1), Some(pin(2))),
        (Status::RolledBack, 2, pin(1), None),
    ] {
        let mut device = placed(skipped(Reason::UpToDate));
        let old = known(crate::testing::rollout(status), json!({}));
        let track = track(&mut device);
        track.resting = Some(pin(2));
        track.replace(
            Assignment::new(id("R3"), 3, 0, 1),
            &old.rollout.policy_id,
            Some(&old),
            Some(&digest(ran)),
            at(0),
        );
        assert_eq!((&track.baseline, &track.resting), (&Some(baseline), &resting), "{status:?}, {ran}");
    }
}

#[test]
fn an_offer_that_is_replaced_is_withdrawn_in_its_row() {
    for progress in every_progress() {
        let mut device = placed(progress.clone());
        let old = known(crate::testing::rollout(Status::Superseded), json!({}));
        let log = track(&mut device).replace(
            Assignment::new(id("R3"), 3, 0, 1),
            &old.rollout.policy_id,
            Some(&old),
            None,
            at(0),
        );
        assert_eq!(log.len(), usize::from(progress.before_swap()), "{progress:?}");
        for entry in log {
            assert_eq!((entry.rollout_id, entry.reason), (id("R"), Some(Reason::Withdrawn)));
        }
    }
}

#[test]
fn a_swap_holds_a_newer_place_back() {
    for status in Status::ALL {
        for progress in every_progress() {
            let known = known(crate::testing::rollout(status), json!({}));
            let swap =
                matches!(progress, Progress::Swapping | Progress::Reverting | Progress::Failed { swapped: true, .. });
            let owed = status == Status::RollingBack && progress == Progress::Healthy;
            assert_eq!(holds(&place(progress.clone()), &known), swap || owed, "{progress:?} in {status:?}");
        }
    }
}

#[test]
fn another_policys_rollout_takes_a_device_out_of_what_waits_for_it() {
    for status in Status::ALL {
        for progress in every_progress() {
            let mut device = placed(progress.clone());
            let old = known(crate::testing::rollout(status), json!({}));
            let other = PolicyId::trusted("other");
            let log = track(&mut device).replace(Assignment::new(id("R3"), 3, 0, 1), &other, Some(&old), None, at(0));
            let told: Vec<_> = log.iter().map(|entry| (entry.class, entry.reason.clone())).collect();
            let waited_for = status.live() || matches!(status, Status::Expired | Status::RollingBack);
            let expected = if waited_for && progress.can_leave() {
                vec![(Some(Class::Skipped), Some(Reason::TakenOver))]
            } else if progress.before_swap() {
                vec![(Some(Class::Skipped), Some(Reason::Withdrawn))]
            } else {
                Vec::new()
            };
            assert_eq!(told, expected, "{progress:?} in {status:?}");
        }
    }
}

#[test]
fn who_is_moved_leaves_before_the_swap_and_at_once() {
    for status in Status::ALL {
        for progress in every_progress() {
            let known = knowledge([known(crate::testing::rollout(status), json!({}))]);
            let mut stays = placed(progress.clone());
            stays.leave(&known, |_, _| true, at(0));
            assert_eq!(stays, placed(progress.clone()), "{progress:?} in {status:?}: it is for the device still");
            let mut moved = placed(progress.clone());
            moved.leave(&known, |_, _| false, at(0));
            let waited_for = status.live() || matches!(status, Status::Expired | Status::RollingBack);
            let leaves = progress.before_swap() || waited_for && progress.can_leave();
            let place = track(&mut moved).current.clone().unwrap();
            let expected = if leaves { skipped(Reason::Removed) } else { progress.clone() };
            assert_eq!(place.progress, expected, "{progress:?} in {status:?}");
            assert_eq!(moved.log.len(), usize::from(leaves), "{progress:?} in {status:?}");
        }
    }
}

#[test]
fn nobody_waits_for_a_device_that_was_deleted() {
    for status in Status::ALL {
        for progress in every_progress() {
            let known = knowledge([known(crate::testing::rollout(status), json!({}))]);
            let mut gone = placed(progress.clone());
            gone.end(&known, at(0));
            let waited_for = progress.class().unsettled() || progress == Progress::Deferred;
            let owed = match status {
                Status::RollingBack => progress.is_owed_a_way_back(),
                Status::RolledBack => progress == Progress::Reverting,
                _ => false,
            };
            let ends = progress.before_swap() || owed || status.waits_for_devices() && waited_for;
            let place = track(&mut gone).current.clone().unwrap();
            let expected = if ends { skipped(Reason::Removed) } else { progress.clone() };
            assert_eq!(place.progress, expected, "{progress:?} in {status:?}");
            assert_eq!(gone.log.len(), usize::from(ends), "{progress:?} in {status:?}");
        }
    }
}

#[test]
fn what_an_unpinned_rollout_brought_is_known_by_its_content() {
    for (status, rests) in [(Status::Superseded, true), (Status::Completed, false)] {
        let mut device = placed(Progress::Healthy);
        let mut old = known(crate::testing::rollout(status), json!({}));
        old.rollout.target.digest = None;
        let by = old.rollout.policy_id.clone();
        track(&mut device).replace(Assignment::new(id("R3"), 3, 0, 1), &by, Some(&old), Some(&digest(2)), at(0));
        let track = track(&mut device);
        let brought = if rests { track.resting.clone() } else { track.baseline.clone() };
        assert_eq!(brought, Some(pin(2)), "{status:?}");
    }
}

#[test]
fn who_failed_on_what_it_pulled_rests_on_its_content() {
    let stays = json!({"auto_rollback": false});
    let (unhealthy, silent) = (Reason::Unhealthy, Reason::TimedOut);
    for (label, reason, pulled, ran, expected) in [
        ("it runs what it pulled", unhealthy.clone(), Some(2), Some(2), Some(2)),
        ("it runs something else", unhealthy.clone(), Some(7), Some(2), None),
        ("it told alone what was not healthy", unhealthy, None, Some(2), Some(2)),
        ("it told nothing since", silent.clone(), Some(2), None, Some(2)),
        ("it told nothing at all", silent.clone(), None, None, None),
        ("it may not have swapped", silent, None, Some(1), None),
    ] {
        let mut device = placed(failed(reason, true));
        let (pulled, ran, expected) = (pulled.map(digest), ran.map(digest), expected.map(digest));
        track(&mut device).current.as_mut().unwrap().pulled = pulled;
        let mut old = known(crate::testing::rollout(Status::Superseded), stays.clone());
        old.rollout.target.digest = None;
        let by = old.rollout.policy_id.clone();
        track(&mut device).replace(Assignment::new(id("R3"), 3, 0, 1), &by, Some(&old), ran.as_ref(), at(0));
        assert_eq!(track(&mut device).resting, Some(Pin { digest: expected, ..pin(2) }), "{label}");
    }
}
