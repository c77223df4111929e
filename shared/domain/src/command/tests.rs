use super::*;
use crate::counts::Class;
use crate::testing::{DAY, at, counts, rollout};

const ROLLBACK: Command = Command::RollbackAll { respect_windows: false, max_in_flight: None };
const RESUME: Command = Command::Resume { skip_batch: false };

/// The contract: where each command leads from each status; `None` is a 409, the same status a 200 that changes nothing.
fn leads_to(wanted: &Command, from: Status) -> Option<Status> {
    use Status as S;
    match (wanted, from) {
        (Command::Pause, S::Scheduled | S::InProgress | S::Paused) => Some(S::Paused),
        (Command::Resume { .. }, S::Paused) => Some(S::InProgress),
        (
            Command::Cancel,
            S::Pending | S::AwaitingApproval | S::Scheduled | S::InProgress | S::Paused | S::Cancelled,
        ) => Some(S::Cancelled),
        (Command::Approve, S::AwaitingApproval) => Some(S::Scheduled),
        (Command::Approve, S::Expired) => Some(S::AwaitingApproval),
        (Command::Resume { .. }, S::InProgress | S::Scheduled)
        | (Command::Approve, S::Scheduled | S::InProgress | S::Completed)
        | (Command::RollbackAll { .. }, S::RollingBack | S::RolledBack) => Some(from),
        (Command::Reject, S::AwaitingApproval | S::Rejected) => Some(S::Rejected),
        (Command::RollbackAll { .. }, S::InProgress | S::Paused | S::Completed | S::Failed | S::Cancelled) => {
            Some(S::RollingBack)
        }
        _ => None,
    }
}

fn changed(from: &Rollout, wanted: &Command) -> Changed {
    match command(from, wanted, Some("why"), 42, at(60)) {
        Verdict::Changes(changed) => *changed,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_command_in_every_status() {
    for wanted in [Command::Pause, RESUME, Command::Cancel, Command::Approve, Command::Reject, ROLLBACK] {
        for from in Status::ALL {
            let label = format!("{} of {}", wanted.name(), from.name());
            match (command(&rollout(from), &wanted, None, 0, at(60)), leads_to(&wanted, from)) {
                (Verdict::Holds, Some(to)) => assert_eq!(to, from, "{label}"),
                (Verdict::Changes(changed), Some(to)) => {
                    assert_eq!(changed.next.status, to, "{label}");
                    assert_ne!(to, from, "{label}");
                    assert_eq!(changed.next.revision, 8, "{label}");
                    assert_eq!(changed.next.command_at, Some(at(60)), "{label}");
                    assert_eq!(changed.next.live.as_deref(), Some("1"), "{label}: the sweep must see it");
                }
                (Verdict::Refused { allowed, because }, None) => {
                    let expected: Vec<Status> = Status::ALL
                        .into_iter()
                        .filter(|status| leads_to(&wanted, *status).is_some_and(|to| to != *status))
                        .collect();
                    let sorted = Status::ALL.into_iter().filter(|status| allowed.contains(status));
                    assert_eq!(sorted.collect::<Vec<_>>(), expected, "{label}");
                    assert_eq!(because, None, "{label}");
                }
                (verdict, expected) => panic!("{label}: {verdict:?}, expected {expected:?}"),
            }
        }
    }
}

#[test]
fn a_pause_remembers_what_it_left() {
    for from in [Status::Scheduled, Status::InProgress] {
        let paused = changed(&rollout(from), &Command::Pause);
        assert_eq!((paused.event, paused.ban), (ImageEvent::RolloutPaused, false));
        assert_eq!(paused.next.reason.as_deref(), Some("why"));
        assert_eq!(changed(&paused.next, &RESUME).next.status, from);
    }
}

#[test]
fn a_resume_judges_anew() {
    let resumed = changed(&rollout(Status::Paused), &RESUME);
    assert_eq!(resumed.event, ImageEvent::RolloutResumed);
    assert_eq!((resumed.next.judged_from, resumed.next.resumed_at), (42, Some(at(60))));
    assert_eq!((resumed.next.batch, resumed.next.open_to), (1, 1), "in the same batch");
}

#[test]
fn a_batch_without_proof_is_left_only_by_name() {
    // (label, the open batch's classes, unproven)
    let cases = [
        ("all failed", vec![(Class::RolledBack, 1)], true),
        ("failed and offline", vec![(Class::Failed, 1), (Class::Deferred, 3)], true),
        ("one healthy", vec![(Class::RolledBack, 1), (Class::Healthy, 1)], false),
        ("one under way", vec![(Class::RolledBack, 1), (Class::Updating, 1)], false),
        ("all offline", vec![(Class::Deferred, 2)], false),
        ("nobody takes part", vec![(Class::Skipped, 2)], false),
    ];
    let skip = Command::Resume { skip_batch: true };
    for (label, classes, unproven) in cases {
        let mut paused = rollout(Status::Paused);
        paused.batches[0].counts = counts(&classes);
        match command(&paused, &RESUME, None, 0, at(60)) {
            Verdict::Refused { allowed, because } => {
                assert!(unproven, "{label}");
                assert_eq!(allowed, [Status::Paused]);
                assert!(because.unwrap().contains("skip_batch"), "{label}");
            }
            verdict => assert!(matches!(verdict, Verdict::Changes(_)) && !unproven, "{label}"),
        }
        assert_eq!(changed(&paused, &skip).next.skip_batch, unproven, "{label}: nothing else is skipped");
    }
}

#[test]
fn a_cancel_and_a_reject_end_at_once() {
    let cancelled = changed(&rollout(Status::InProgress), &Command::Cancel);
    assert_eq!((cancelled.event, cancelled.ban), (ImageEvent::RolloutCancelled, false));
    assert_eq!(cancelled.next.completed_at, Some(at(60)));
    let rejected = changed(&rollout(Status::AwaitingApproval), &Command::Reject);
    assert_eq!((rejected.event, rejected.ban), (ImageEvent::RolloutRejected, true), "final for the digest");
}

#[test]
fn an_old_yes_is_no_yes() {
    let expired = Rollout { asked_at: Some(at(-DAY)), wake_at: Some(at(0)), ..rollout(Status::Expired) };
    let asked = changed(&expired, &Command::Approve).next;
    assert_eq!((asked.status, asked.asked_at, asked.wake_at), (Status::AwaitingApproval, Some(at(60)), None));
    assert_eq!(changed(&asked, &Command::Approve).next.status, Status::Scheduled);
}

#[test]
fn a_rollback_of_everything_opens_at_once_or_in_strides() {
    for (max_in_flight, open_to) in [(None, u32::MAX), (Some(3), 3)] {
        let wanted = Command::RollbackAll { respect_windows: true, max_in_flight };
        let changed = changed(&rollout(Status::Completed), &wanted);
        assert_eq!((changed.event, changed.ban), (ImageEvent::RollbackStarted, true));
        let expected = Rollback { started_at: at(60), open_to, max_in_flight, respect_windows: true };
        assert_eq!(changed.next.rollback, Some(expected));
        assert_eq!(changed.next.check_at, None);
    }
}

#[test]
fn a_rollback_comes_within_thirty_days() {
    for from in [Status::Completed, Status::Failed, Status::Cancelled] {
        let ended = Rollout { completed_at: Some(at(0)), ..rollout(from) };
        let verdict = |now| command(&ended, &ROLLBACK, None, 0, at(now));
        assert!(matches!(verdict(30 * DAY), Verdict::Changes(_)), "{from:?}");
        let refused = matches!(verdict(30 * DAY + 1), Verdict::Refused { because: Some(_), .. });
        assert!(refused, "{from:?}");
    }
}
