//! What each event does to each progress.

use super::*;

const ACCEPTED: Verdict = Verdict::Accepted;

/// The device's own word for `until`-less locks, from the reports' time.
fn locked(since: i64, pulled: bool) -> Progress {
    Progress::Blocked { since: at(since), until: at(100 + LOCK_MINUTES * 60), pulled }
}

/// How the device stands afterwards, and its outcome.
type Becomes = (Progress, Option<Outcome>);

#[test]
fn before_and_in_the_swap() {
    use DeviceEvent as E;
    let unhealthy = failed(Reason::Unhealthy, true);
    let failure = Some(Outcome::Failed);
    // From Offered, Pulled, Blocked (not pulled), Blocked (pulled), Swapping.
    let from = [Progress::Offered, Progress::Pulled, blocked(false), blocked(true), Progress::Swapping];
    let all = |to: Progress, outcome: Option<Outcome>| std::array::from_fn::<_, 5, _>(|_| (to.clone(), outcome));
    let cases: [(E, [Becomes; 5]); 9] = [
        (
            E::ImagePulling,
            [
                (Progress::Offered, None),
                (Progress::Pulled, None),
                (Progress::Offered, None),
                (Progress::Offered, None),
                (Progress::Swapping, None),
            ],
        ),
        (
            E::ImagePulled,
            [
                (Progress::Pulled, None),
                (Progress::Pulled, None),
                (Progress::Pulled, None),
                (Progress::Pulled, None),
                (Progress::Swapping, None),
            ],
        ),
        (E::ContainerUpdating, all(Progress::Swapping, None)),
        (E::UpdateCompleted, all(Progress::Swapping, None)),
        (E::HealthCheckPassed, all(Progress::Healthy, Some(Outcome::Healthy))),
        (E::HealthCheckFailed, all(unhealthy, failure)),
        (
            E::UpdateFailed,
            [
                (failed(Reason::PullFailed, false), failure),
                (failed(Reason::PullFailed, false), failure),
                (failed(Reason::PullFailed, false), failure),
                (failed(Reason::PullFailed, false), failure),
                (failed(Reason::UpdateFailed, true), failure),
            ],
        ),
        (
            E::UpdateBlocked,
            [
                (locked(100, false), None),
                (locked(100, true), None),
                (locked(0, false), None),
                (locked(0, true), None),
                (locked(100, true), None),
            ],
        ),
        (
            E::UpdateSkipped,
            [
                (skipped(Reason::NotApplicable), None),
                (skipped(Reason::NotApplicable), None),
                (skipped(Reason::NotApplicable), None),
                (skipped(Reason::NotApplicable), None),
                (Progress::Swapping, None),
            ],
        ),
    ];
    for (event, expected) in cases {
        for (from, (to, outcome)) in from.iter().zip(expected) {
            assert_eq!(one(from, event, 2), (ACCEPTED, to, outcome), "{event} at {from:?}");
        }
    }
}

#[test]
fn a_device_back_on_its_old_image() {
    let failure = Some(Outcome::Failed);
    let reverted = |reason| (ACCEPTED, back(reason), failure);
    assert_eq!(one(&Progress::Swapping, DeviceEvent::RolledBack, 1), reverted(Reason::Unhealthy));
    assert_eq!(one(&Progress::Offered, DeviceEvent::RolledBack, 1), reverted(Reason::UpdateFailed));
    let ends = |from, reason, outcome| {
        assert_eq!(one(&from, DeviceEvent::RolledBack, 1), (ACCEPTED, back(reason), outcome), "{from:?}");
    };
    ends(failed(Reason::Unhealthy, true), Reason::Unhealthy, None);
    ends(failed(Reason::TimedOut, true), Reason::TimedOut, Some(Outcome::FailedAfterAll));
    ends(Progress::Reverting, Reason::RollbackAll, None);
    ends(Progress::NotSeen, Reason::RollbackAll, None);
    ends(stuck(Reason::RollbackFailed), Reason::RollbackFailed, None);
}

#[test]
fn the_new_image_running_contradicts_a_way_back() {
    for from in [Progress::Swapping, stuck(Reason::RollbackFailed)] {
        let (verdict, to, _) = one(&from, DeviceEvent::RolledBack, 2);
        assert_eq!((verdict, &to), (Verdict::DigestMismatch, &from));
    }
    // It has finished this attempt, and needs another one to do anything at all; up to the limit.
    let going =
        [failed(Reason::Unhealthy, true), failed(Reason::TimedOut, true), Progress::Reverting, Progress::NotSeen];
    for from in going {
        let mut device = placed(from.clone());
        for attempt in 1..=ROLLBACK_ATTEMPTS {
            let says = Report { attempt, ..says(DeviceEvent::RolledBack, 1) };
            let reported = told(&device, &body(2, vec![says]), rollout(Status::InProgress), json!({}));
            assert_eq!(reported.verdicts, [Verdict::DigestMismatch], "{from:?}");
            device = reported.device.expect("another attempt, or the end of them");
            assert_eq!(device.log.last().expect("an entry").event, Some(DeviceEvent::RollbackFailed), "{from:?}");
            let expected = if attempt < ROLLBACK_ATTEMPTS { from.clone() } else { stuck(Reason::RollbackFailed) };
            assert_eq!(progress(&device), expected, "{from:?} after attempt {attempt}");
        }
    }
}

#[test]
fn healthy_is_only_who_runs_the_target() {
    let offered = Progress::Swapping;
    assert_eq!(one(&offered, DeviceEvent::HealthCheckPassed, 1), (Verdict::DigestMismatch, offered.clone(), None));
    let silent = Reports { services: BTreeMap::new(), ..body(1, vec![says(DeviceEvent::HealthCheckPassed, 1)]) };
    let mut device = placed(offered);
    device.services.get_mut("web").unwrap().running = None;
    let reported = told(&device, &silent, rollout(Status::InProgress), json!({}));
    assert_eq!(reported.verdicts, [Verdict::DigestMismatch], "nobody told what runs");
}

#[test]
fn an_ignored_report_starts_no_clock_again() {
    let device = placed(Progress::Swapping);
    let reported =
        told(&device, &body(1, vec![says(DeviceEvent::HealthCheckPassed, 1)]), rollout(Status::InProgress), json!({}));
    assert_eq!(reported.verdicts, [Verdict::DigestMismatch]);
    assert_eq!(reported.device, None, "nothing to write");
}

#[test]
fn the_platforms_own_digest_is_the_target() {
    let mut device = placed(Progress::Swapping);
    device.platform = Some("linux/arm64".to_owned());
    let mut known = known(rollout(Status::InProgress), json!({}));
    known.plan.platforms =
        BTreeMap::from([("linux/arm64".to_owned(), digest(22)), ("linux/amd64".to_owned(), digest(23))]);
    let known = knowledge([known]);
    for (runs, verdict) in [(2, ACCEPTED), (22, ACCEPTED), (23, Verdict::DigestMismatch)] {
        let reported = report(&device, &body(runs, vec![says(DeviceEvent::HealthCheckPassed, 1)]), &known, at(100));
        assert_eq!(reported.verdicts, [verdict], "runs {runs}");
    }
}

#[test]
fn an_unpinned_rollout_learns_what_runs() {
    let mut unpinned = rollout(Status::InProgress);
    unpinned.target.digest = None;
    let reported =
        told(&placed(Progress::Swapping), &body(5, vec![says(DeviceEvent::HealthCheckPassed, 1)]), unpinned, json!({}));
    let next = reported.device.unwrap();
    assert_eq!(progress(&next), Progress::Healthy);
    assert_eq!(next.log[0].digest, Some(digest(5)));
}

#[test]
fn with_checks_off_the_update_alone_counts() {
    let off = json!({"health_check_enabled": false});
    for (from, runs, to) in [
        (Progress::Swapping, 2, Progress::Healthy),
        (Progress::Swapping, 1, Progress::Swapping),
        (failed(Reason::TimedOut, true), 2, Progress::Healthy),
    ] {
        let device = placed(from.clone());
        let completed = body(runs, vec![says(DeviceEvent::UpdateCompleted, 1)]);
        let next = told(&device, &completed, rollout(Status::InProgress), off.clone()).device.unwrap_or(device);
        assert_eq!(progress(&next), to, "{from:?} runs {runs}");
    }
}

#[test]
fn the_truth_replaces_the_guess() {
    use DeviceEvent as E;
    let guess = |swapped| failed(Reason::TimedOut, swapped);
    let after_all = Some(Outcome::FailedAfterAll);
    let cases = [
        (true, E::HealthCheckPassed, 2, Progress::Healthy, Some(Outcome::Recovered)),
        (true, E::HealthCheckFailed, 2, failed(Reason::Unhealthy, true), after_all),
        (false, E::HealthCheckFailed, 2, failed(Reason::Unhealthy, true), after_all),
        (true, E::UpdateFailed, 1, failed(Reason::UpdateFailed, true), after_all),
        (false, E::UpdateFailed, 1, failed(Reason::PullFailed, false), after_all),
        (false, E::ImagePulled, 1, guess(false), None),
        (false, E::ContainerUpdating, 1, guess(true), None),
        (false, E::UpdateCompleted, 2, guess(true), None),
        (true, E::RollbackFailed, 2, guess(true), after_all),
    ];
    for (swapped, event, runs, to, outcome) in cases {
        assert_eq!(one(&guess(swapped), event, runs), (ACCEPTED, to, outcome), "{event}, swapped: {swapped}");
    }
    let device = placed(guess(true));
    let late = body(2, vec![says(E::HealthCheckPassed, 1)]);
    let next = told(&device, &late, rollout(Status::RollingBack), json!({})).device.unwrap();
    assert_eq!(progress(&next), guess(true), "a rollback of everything wants it back all the same");
}

#[test]
fn what_is_settled_is_only_noted() {
    let settled = [
        Progress::Healthy,
        back(Reason::Unhealthy),
        stuck(Reason::NoPrevious),
        skipped(Reason::Withdrawn),
        failed(Reason::Unhealthy, true),
        failed(Reason::PullFailed, false),
        Progress::Reverting,
    ];
    for from in settled {
        for event in [DeviceEvent::ImagePulled, DeviceEvent::HealthCheckPassed, DeviceEvent::HealthCheckFailed] {
            let device = placed(from.clone());
            let reported = told(&device, &body(1, vec![says(event, 1)]), rollout(Status::InProgress), json!({}));
            let next = reported.device.unwrap();
            assert_eq!((reported.verdicts[0], progress(&next)), (ACCEPTED, from.clone()), "{event}");
            assert_eq!((next.log[0].class, next.log[0].outcome), (None, None), "{event} at {from:?}");
            assert_eq!(next.log[0].event, Some(event));
        }
    }
}

#[test]
fn what_devices_cannot_tell() {
    for event in DeviceEvent::ALL.iter().copied().filter(|event| !event.told_by_devices()) {
        assert_eq!(one(&Progress::Offered, event, 1).0, Verdict::NotADeviceEvent, "{event}");
    }
    for from in [Progress::Waiting, Progress::Deferred] {
        assert_eq!(one(&from, DeviceEvent::ImagePulling, 1).0, Verdict::NotOffered, "{from:?}");
    }
    let reported =
        told(&device(), &body(1, vec![says(DeviceEvent::ImagePulling, 1)]), rollout(Status::InProgress), json!({}));
    assert_eq!(reported.verdicts, [Verdict::NotAssigned]);
    assert_eq!(reported.device, None);
}

#[test]
fn a_lock_lasts_as_long_as_the_device_says() {
    let lock = Report { until: Some(at(5000)), ..says(DeviceEvent::UpdateBlocked, 1) };
    let reported = told(&placed(Progress::Pulled), &body(1, vec![lock]), rollout(Status::InProgress), json!({}));
    let expected = Progress::Blocked { since: at(100), until: at(5000), pulled: true };
    assert_eq!(progress(&reported.device.unwrap()), expected);
}

#[test]
fn every_service_of_the_image_must_be_healthy() {
    let mut device = placed(Progress::Swapping);
    device.services.insert("api".to_owned(), service(1));
    let run_both = |reports| {
        let mut body = body(2, reports);
        body.services.insert("api".to_owned(), body.services["web"].clone());
        body
    };
    let about = |name: &str, event, seq| Report { service: Some(name.to_owned()), ..says(event, seq) };
    let passed = DeviceEvent::HealthCheckPassed;
    let tell = |device: &Device, reports| {
        told(device, &run_both(reports), rollout(Status::InProgress), json!({})).device.unwrap()
    };
    let first = tell(&device, vec![about("web", passed, 1)]);
    assert_eq!(progress(&first), Progress::Swapping);
    assert_eq!(progress(&tell(&first, vec![about("web", passed, 2)])), Progress::Swapping, "the same one again");
    let both = tell(&first, vec![about("api", passed, 2)]);
    assert_eq!(progress(&both), Progress::Healthy);
    let one_fails = tell(&first, vec![about("api", DeviceEvent::HealthCheckFailed, 2)]);
    assert_eq!(progress(&one_fails), failed(Reason::Unhealthy, true), "when one fails, all go back");
}

#[test]
fn a_service_of_another_image_proves_nothing() {
    let mut device = placed(Progress::Swapping);
    device.services.insert("api".to_owned(), service(2));
    let other = Repository::parse("acme/db").unwrap();
    device.services.insert("db".to_owned(), Service { repository: other, ..service(2) });
    let about_db = Report { service: Some("db".to_owned()), ..says(DeviceEvent::HealthCheckPassed, 1) };
    let about_web = says(DeviceEvent::HealthCheckPassed, 2);
    let reported = told(&device, &body(2, vec![about_db, about_web]), rollout(Status::InProgress), json!({}));
    assert_eq!(progress(&reported.device.unwrap()), Progress::Swapping, "`api` has not passed");
}

#[test]
fn what_an_unpinned_device_pulled_is_kept_and_told_once() {
    for (label, pinned, told) in [("unpinned", false, true), ("pinned", true, false)] {
        let mut facts = known(rollout(Status::InProgress), json!({}));
        if !pinned {
            facts.rollout.target.digest = None;
        }
        let pulled = Report { digest: Some(digest(5)), ..says(DeviceEvent::ImagePulled, 1) };
        let reports = Reports { reports: vec![pulled], ..Reports::default() };
        let next = report(&placed(Progress::Offered), &reports, &knowledge([facts]), at(60)).device.unwrap();
        let place = next.tracks[&repository()].current.clone().unwrap();
        let expected = told.then(|| digest(5));
        assert_eq!((place.pulled, next.log[0].digest.clone()), (expected.clone(), expected), "{label}");
    }
}
