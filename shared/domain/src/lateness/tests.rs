use serde_json::{Value, json};

use super::*;
use crate::rollout::{Rollback, Rollout};
use crate::row::Row;
use crate::testing::*;

/// What the device becomes because nothing was heard of it until `now`.
fn late(device: &Device, rollout: Rollout, fields: Value, now: i64) -> Option<Progress> {
    overdue(device, &id("R"), &knowledge([known(rollout, fields)]), at(now)).map(|next| progress(&next))
}

/// The device, offered and last heard of at these seconds.
fn heard(progress: Progress, offered: i64, reported: Option<i64>) -> Device {
    let mut device = placed(progress);
    let current = track(&mut device).current.as_mut().unwrap();
    (current.offered_at, current.progress_at) = (Some(at(offered)), reported.map(at));
    device
}

const STALL: i64 = 1200;
const TOTAL: i64 = 7200;

#[test]
fn a_deleted_device_is_not_waited_for_by_what_is_taken_back_later() {
    for (status, ends) in [(Status::Completed, false), (Status::RollingBack, true)] {
        let facts = knowledge([known(rollout(status), json!({}))]);
        let stays = placed(Progress::Healthy);
        assert_eq!(ended(&stays, &facts, at(0)), None, "it was not deleted");
        let gone = Device { deleted_at: Some(at(0)), ..stays };
        let next = ended(&gone, &facts, at(0));
        assert_eq!(next.map(|next| next.log[0].class), ends.then_some(Some(Class::Skipped)), "{status:?}");
    }
}

#[test]
fn two_clocks_run_from_the_offer() {
    let silent = |swapped| Some(failed(Reason::TimedOut, swapped));
    // (label, last report, now, late)
    let cases = [
        ("in time", None, STALL - 1, false),
        ("stalled", None, STALL, true),
        ("a report starts the stall clock again", Some(600), 600 + STALL - 1, false),
        ("stalled after a report", Some(600), 600 + STALL, true),
        ("reports do not start the total clock", Some(TOTAL - 60), TOTAL - 1, false),
        ("past the total", Some(TOTAL - 60), TOTAL, true),
    ];
    for (label, reported, now, late_by_then) in cases {
        for (from, swapped) in [(Progress::Offered, false), (Progress::Pulled, false), (Progress::Swapping, true)] {
            let expected = if late_by_then { silent(swapped) } else { None };
            let device = heard(from.clone(), 0, reported);
            assert_eq!(late(&device, rollout(Status::InProgress), json!({}), now), expected, "{label}, {from:?}");
        }
    }
}

#[test]
fn silence_is_written_as_a_failure() {
    let known = knowledge([known(rollout(Status::InProgress), json!({}))]);
    let next = overdue(&heard(Progress::Swapping, 0, None), &id("R"), &known, at(STALL)).unwrap();
    let entry = &next.log[0];
    assert_eq!((entry.event, entry.outcome), (Some(DeviceEvent::UpdateTimedOut), Some(Outcome::TimedOut)));
    assert_eq!(entry.reason, Some(Reason::TimedOut));
    assert_eq!(overdue(&next, &id("R"), &known, at(2 * TOTAL)), None, "once");
}

#[test]
fn the_clocks_stop_and_start() {
    let paused = Rollout { status: Status::Paused, ..rollout(Status::InProgress) };
    for from in [Progress::Offered, Progress::Pulled] {
        assert_eq!(late(&heard(from, 0, None), paused.clone(), json!({}), DAY), None, "stopped while paused");
    }
    let swapping = heard(Progress::Swapping, 0, None);
    let timed_out = Some(failed(Reason::TimedOut, true));
    for status in Status::ALL.into_iter().filter(|status| !status.takes_back()) {
        assert_eq!(late(&swapping, rollout(status), json!({}), STALL), timed_out, "past the swap in {status:?}");
    }
    let resumed = Rollout { resumed_at: Some(at(DAY)), ..rollout(Status::InProgress) };
    assert_eq!(late(&heard(Progress::Pulled, 0, None), resumed.clone(), json!({}), DAY + STALL - 1), None);
    assert!(late(&heard(Progress::Pulled, 0, None), resumed, json!({}), DAY + STALL).is_some(), "from the resume on");
}

#[test]
fn a_window_stops_the_clocks_before_the_swap() {
    let opens = DAY + 2 * HOUR;
    // Offered in the first night's window, and not swapped in it.
    let cases = [
        ("past the cutoff", 4 * HOUR - 60, false),
        ("by day", 12 * HOUR, false),
        ("at the next opening", opens, false),
        ("in time after it", opens + STALL - 1, false),
        ("late after it", opens + STALL, true),
    ];
    for from in [Progress::Offered, Progress::Pulled] {
        for (label, now, expected) in cases {
            let device = heard(from.clone(), 3 * HOUR + 45 * 60, None);
            let verdict = late(&device, rollout(Status::InProgress), nightly(), now);
            assert_eq!(verdict.is_some(), expected, "{label}, {from:?}");
        }
    }
}

#[test]
fn a_swap_in_a_later_window_is_in_time() {
    // Offered in the first night's window; the swap was allowed in the second night's.
    let opens = DAY + 2 * HOUR;
    let device = heard(Progress::Swapping, 3 * HOUR + 45 * 60, Some(3 * HOUR + 50 * 60));
    let cases = [
        ("just after the opening", opens + 300, false),
        ("the stall clock runs from the opening", opens + STALL, true),
    ];
    for (label, now, expected) in cases {
        let verdict = late(&device, rollout(Status::InProgress), nightly(), now);
        assert_eq!(verdict.is_some(), expected, "{label}");
    }
    let closes = DAY + 4 * HOUR;
    let begun_late = heard(Progress::Swapping, 3 * HOUR + 45 * 60, Some(closes - 700));
    let mut patient = nightly();
    patient["total_seconds"] = json!(5 * HOUR);
    assert_eq!(late(&begun_late, rollout(Status::InProgress), patient.clone(), closes + 60), None, "it finishes");
    let silent = late(&begun_late, rollout(Status::InProgress), patient, closes - 700 + STALL);
    assert_eq!(silent, Some(failed(Reason::TimedOut, true)), "a closed window stops no clock of a swap");
}

#[test]
fn who_was_never_offered_anything_is_put_off() {
    let open = rollout(Status::InProgress);
    let resumed = Rollout { resumed_at: Some(at(DAY)), ..open.clone() };
    let closed = Rollout { open_to: 0, ..open.clone() };
    let deferred = Some(Progress::Deferred);
    let cases = [
        ("in time", open.clone(), json!({}), DAY - 1, None),
        ("after the grace", open.clone(), json!({}), DAY, deferred.clone()),
        ("a grace of its own", open.clone(), json!({"offline_grace_hours": 1}), HOUR, deferred.clone()),
        ("from the resume", resumed.clone(), json!({}), 2 * DAY - 1, None),
        ("after the resume", resumed, json!({}), 2 * DAY, deferred.clone()),
        ("not open so far", closed, json!({}), 9 * DAY, None),
        ("paused", Rollout { status: Status::Paused, ..open.clone() }, json!({}), 9 * DAY, None),
        ("from its own window", open.clone(), nightly(), 2 * HOUR + DAY - 1, None),
        ("after its own window", open, nightly(), 2 * HOUR + DAY, deferred),
    ];
    for (label, rollout, fields, now, expected) in cases {
        assert_eq!(late(&placed(Progress::Waiting), rollout, fields, now), expected, "{label}");
    }
}

#[test]
fn a_lock_holds_its_batch_for_its_grace() {
    for pulled in [true, false] {
        let locked = placed(blocked(pulled));
        for status in [Status::InProgress, Status::Paused] {
            assert_eq!(late(&locked, rollout(status), json!({}), DAY - 1), None, "no clock but the grace");
            assert_eq!(late(&locked, rollout(status), json!({}), DAY), Some(Progress::Deferred));
        }
    }
}

#[test]
fn an_ended_rollout_takes_its_offers_back() {
    for status in Status::ALL {
        for progress in every_progress().into_iter().filter(Progress::before_swap) {
            let verdict = late(&placed(progress.clone()), rollout(status), json!({}), 60);
            let withdrawn = status.withdraws().then_some(skipped(Reason::Withdrawn));
            assert_eq!(verdict, withdrawn, "{progress:?} in {status:?}");
        }
    }
}

#[test]
fn an_offer_that_outlives_its_rollout_has_clocks() {
    let verdict = late(&heard(Progress::Offered, 0, None), rollout(Status::Completed), json!({}), STALL);
    assert_eq!(verdict, Some(failed(Reason::TimedOut, false)));
}

#[test]
fn a_rollback_of_everything_gives_up_who_is_not_seen() {
    let rolling = |open_to| Rollout {
        rollback: Some(Rollback { started_at: at(0), open_to, max_in_flight: None, respect_windows: false }),
        ..rollout(Status::RollingBack)
    };
    let owed = [Progress::Swapping, Progress::Healthy, failed(Reason::Unhealthy, true), Progress::Reverting];
    for progress in owed {
        let device = placed(progress.clone());
        assert_eq!(late(&device, rolling(u32::MAX), json!({}), DAY - 1), None, "{progress:?}");
        assert_eq!(late(&device, rolling(u32::MAX), json!({}), DAY), Some(Progress::NotSeen), "{progress:?}");
        assert_eq!(late(&device, rolling(0), json!({}), DAY), None, "{progress:?}: not open so far");
        let over = Rollout { status: Status::RolledBack, ..rolling(u32::MAX) };
        let again = (progress == Progress::Reverting).then_some(Progress::NotSeen);
        assert_eq!(late(&device, over, json!({}), DAY), again, "{progress:?}: only who came back late is owed one");
    }
    let reported = heard(Progress::Reverting, 0, Some(HOUR));
    assert_eq!(late(&reported, rolling(u32::MAX), json!({}), DAY), None, "it was seen since");
}

#[test]
fn who_waits_for_its_window_is_no_absentee() {
    let weekly = json!({"maintenance_window_start": "02:00:00", "maintenance_window_end": "04:00:00",
                        "timezone": "UTC", "days": ["thu"]});
    let rolling = |respect_windows| Rollout {
        rollback: Some(Rollback { started_at: at(0), open_to: u32::MAX, max_in_flight: None, respect_windows }),
        ..rollout(Status::RollingBack)
    };
    let thursday = 3 * DAY + 2 * HOUR;
    let not_seen = Some(Progress::NotSeen);
    for (label, respect, now, expected) in [
        ("windows are ignored", false, DAY, not_seen.clone()),
        ("its window has not opened", true, thursday - 60, None),
        ("within the grace of its window", true, thursday + DAY - 60, None),
        ("past the grace of its window", true, thursday + DAY, not_seen),
    ] {
        assert_eq!(late(&placed(Progress::Healthy), rolling(respect), weekly.clone(), now), expected, "{label}");
    }
}

#[test]
fn what_is_settled_is_never_late() {
    let settled = [
        Progress::Healthy,
        Progress::Deferred,
        failed(Reason::Unhealthy, true),
        failed(Reason::PullFailed, false),
        back(Reason::Unhealthy),
        stuck(Reason::RollbackFailed),
        Progress::NotSeen,
        skipped(Reason::Removed),
    ];
    for progress in settled {
        for status in Status::ALL.into_iter().filter(|status| *status != Status::RollingBack) {
            assert_eq!(late(&placed(progress.clone()), rollout(status), json!({}), 30 * DAY), None, "{progress:?}");
        }
    }
}

#[test]
fn a_row_whose_device_has_no_place_is_given_up_unless_it_moved_on() {
    let rollout = rollout(Status::InProgress);
    assert_eq!(without_place(&placed(Progress::Swapping), Class::Updating, &rollout, at(0)), None);
    let mut taken = device();
    taken.tracks.get_mut(&repository()).unwrap().current = Some(Assignment::new(id("Y"), 9, 0, 1));
    for (label, device, reason) in [("taken", taken, Reason::TakenOver), ("anew", device(), Reason::Removed)] {
        let next = without_place(&device, Class::Healthy, &rollout, at(0)).unwrap();
        let (entry, revision) = (&next.log[0], next.rev);
        assert_eq!((entry.class, entry.reason.clone()), (Some(Class::Skipped), Some(reason)), "{label}");
        assert_eq!(revision, device.rev + 1, "{label}");
        for (class, applied) in [(Class::Healthy, Class::Skipped), (Class::RolledBack, Class::RolledBack)] {
            let mut row = Row::planned(id("R"), device.device_uuid, (0, 1), (class, None), None, at(0));
            row.apply(revision, &next.log).unwrap();
            assert_eq!(row.class, applied, "{label}: a row that went on meanwhile stays");
        }
    }
}
