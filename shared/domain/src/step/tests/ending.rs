//! Ends, rollbacks of everything, and what comes after.

use super::*;
use crate::rollout::Rollback;

const OLD: &[(Class, i64)] = &[(Class::Healthy, 1)];

#[test]
fn an_end_waits_until_no_older_copy_is_in_use() {
    let all: [&[(Class, i64)]; 3] = [OLD, &[(Class::Healthy, 4)], &[(Class::Healthy, 3), (Class::RolledBack, 2)]];
    let mut done = standing_at(Status::InProgress, 3, all);
    done.command_at = Some(at(100));
    let early = stepped(&done, json!({}), &[], 100 + SETTLE_SECONDS - 1);
    assert_eq!((early.next.status, woken(&early)), (Status::InProgress, Some(at(165))));
    assert_eq!(stepped(&done, json!({}), &[], 100 + SETTLE_SECONDS).next.status, Status::Completed);
}

#[test]
fn deferred_devices_do_not_hold_the_end() {
    let done = standing_at(
        Status::InProgress,
        3,
        [OLD, &[(Class::Healthy, 3), (Class::Deferred, 1)], &[(Class::Deferred, 5)]],
    );
    let step = stepped(&done, json!({}), &[], 9000);
    assert_eq!(step.next.status, Status::Completed);
    assert_eq!(step.report, "4 devices are healthy, 6 were offline");
}

#[test]
fn everybody_settled_and_nobody_healthy_is_failed() {
    let none: [&[(Class, i64)]; 3] =
        [&[(Class::RolledBack, 1)], &[(Class::Unchanged, 4)], &[(Class::Failed, 4), (Class::Skipped, 1)]];
    for status in [Status::InProgress, Status::Paused] {
        let step = stepped(&standing_at(status, 3, none), json!({}), &[], 9000);
        assert_eq!((step.next.status, step.next.completed_at), (Status::Failed, Some(at(9000))), "{status:?}");
        assert_eq!(events(&step), [ImageEvent::RolloutFailed]);
        assert!(step.effects.iter().any(|effect| matches!(effect, Effect::Ban(_))), "the digest is bad");
    }
    let last = [(1, page(3, Class::RolledBack, &[Outcome::Failed], 30))];
    let mut almost = standing_at(Status::InProgress, 3, [none[0], none[1], &[(Class::Updating, 1)]]);
    almost.batches[2].end = 6;
    assert_eq!(stepped(&almost, json!({}), &last, 9000).next.status, Status::Failed, "instead of a pause");
    let early = standing_at(Status::InProgress, 1, [none[0], &[(Class::Pending, 4)], &[(Class::Pending, 5)]]);
    assert_eq!(stepped(&early, json!({}), &[], 9000).next.status, Status::Paused, "not the whole plan");
}

#[test]
fn nobody_left_is_no_failure() {
    let nobody: [&[(Class, i64)]; 3] = [&[(Class::Skipped, 1)], &[(Class::Skipped, 4)], &[(Class::Skipped, 5)]];
    for (status, batch) in [(Status::Scheduled, 0), (Status::InProgress, 3)] {
        let step = stepped(&standing_at(status, batch, nobody), json!({}), &[], 9000);
        assert_eq!(step.next.status, Status::Cancelled, "{status:?}");
        assert_eq!(events(&step).last(), Some(&ImageEvent::RolloutCancelled), "{status:?}");
    }
}

#[test]
fn a_rollback_of_everything_ends_when_nobody_owes_anything() {
    let back = |classes: &[(Class, i64)]| {
        let mut rollout =
            standing_at(Status::RollingBack, 1, [classes, &[(Class::Pending, 4)], &[(Class::Pending, 5)]]);
        rollout.command_at = Some(at(0));
        rollout.rollback =
            Some(Rollback { started_at: at(0), open_to: u32::MAX, max_in_flight: None, respect_windows: false });
        rollout
    };
    for class in [Class::Healthy, Class::Updating, Class::Blocked, Class::Failed, Class::Reverting] {
        assert_eq!(stepped(&back(&[(class, 1)]), json!({}), &[], 9000).next.status, Status::RollingBack, "{class:?}");
    }
    for class in [Class::RolledBack, Class::Stuck, Class::NotSeen, Class::Unchanged, Class::Deferred, Class::Skipped] {
        let waits = stepped(&back(&[(class, 1)]), json!({}), &[], SETTLE_SECONDS - 1);
        assert_eq!(waits.next.status, Status::RollingBack, "{class:?}");
        let step = stepped(&back(&[(class, 1)]), json!({}), &[], SETTLE_SECONDS);
        assert_eq!((step.next.status, events(&step)), (Status::RolledBack, vec![ImageEvent::RollbackCompleted]));
    }
}

#[test]
fn a_rollback_of_everything_strides() {
    let back = |open_to, reverting: i64| {
        let mut rollout = standing_at(
            Status::RollingBack,
            3,
            [OLD, &[(Class::Healthy, 4)], &[(Class::Healthy, 5 - reverting), (Class::Reverting, reverting)]],
        );
        rollout.rollback =
            Some(Rollback { started_at: at(0), open_to, max_in_flight: Some(3), respect_windows: false });
        stepped(&rollout, json!({}), &[], 60).next.rollback.unwrap().open_to
    };
    assert_eq!(back(3, 3), 3, "three are on their way");
    assert_eq!(back(3, 2), 4);
    assert_eq!(back(9, 0), 10, "no further than the plan");
}

#[test]
fn an_ended_rollout_settles_and_leaves_the_sweep() {
    for status in [Status::Completed, Status::Cancelled, Status::Superseded, Status::RolledBack] {
        let busy = standing_at(status, 1, [&[(Class::Updating, 1)], &[(Class::Pending, 4)], &[(Class::Pending, 5)]]);
        let step = stepped(&busy, json!({}), &[], 60);
        assert!(step.next.live.is_some(), "{status:?}");
        let failed = [(1, page(1, Class::RolledBack, &[Outcome::Failed], 30))];
        let step = stepped(&step.next, json!({}), &failed, 90);
        assert_eq!((step.next.status, step.next.live), (status, None), "the verdict stands, the counts move");
        assert_eq!(step.next.batches[0].counts.of(Class::RolledBack), 1);
    }
    let mut commanded = standing_at(Status::Cancelled, 1, [OLD, &[], &[]]);
    commanded.command_at = Some(at(0));
    assert!(stepped(&commanded, json!({}), &[], SETTLE_SECONDS - 1).next.live.is_some());
    assert_eq!(stepped(&commanded, json!({}), &[], SETTLE_SECONDS).next.live, None);
}
