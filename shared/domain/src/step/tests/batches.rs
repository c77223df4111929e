//! Opening batches, and stopping.

use super::*;

type Classes = &'static [(Class, i64)];

const PENDING: [Classes; 3] = [&[(Class::Pending, 1)], &[(Class::Pending, 4)], &[(Class::Pending, 5)]];

#[test]
fn a_rollout_goes_through_its_batches() {
    let scheduled = standing_at(Status::Scheduled, 0, PENDING);
    let fields = json!({"batch_delay": "30m", "soak_seconds": 600});
    let step = stepped(&scheduled, fields.clone(), &[], 0);
    assert_eq!(events(&step), [ImageEvent::RolloutStarted, ImageEvent::RolloutBatchStarted]);
    assert_eq!((step.next.batch, step.next.open_to, step.next.started_at), (1, 1, Some(at(0))));
    let healthy = |number, batch, n: i64, now| {
        let mut page = page(batch, Class::Healthy, &vec![Outcome::Healthy; n as usize], now);
        page.deltas[0].counts = counts(&[(Class::Pending, -n), (Class::Healthy, n)]);
        [(number, page)]
    };
    let step = stepped(&step.next, fields.clone(), &healthy(1, 1, 1, 100), 100);
    assert_eq!(events(&step), [ImageEvent::RolloutBatchCompleted]);
    assert_eq!(woken(&step), Some(at(1900)));
    assert_eq!(step.report, "batch 2 opens at 2026-06-01T00:31:40Z");
    let early = stepped(&step.next, fields.clone(), &[], 1899);
    assert_eq!(early.next.batch, 1);
    let step = stepped(&early.next, fields.clone(), &[], 1900);
    assert_eq!((step.next.batch, step.next.open_to), (2, 5));
    let step = stepped(&step.next, fields.clone(), &healthy(2, 2, 4, 2000), 2000);
    let step = stepped(&step.next, fields.clone(), &[], 3800);
    assert_eq!((step.next.batch, step.next.open_to), (3, 10));
    let step = stepped(&step.next, fields, &healthy(3, 3, 5, 4000), 4000);
    assert_eq!(step.next.status, Status::Completed);
    assert_eq!(events(&step), [ImageEvent::RolloutBatchCompleted, ImageEvent::RolloutCompleted]);
    assert!(step.effects.contains(&Effect::Promote));
}

#[test]
fn the_next_batch_waits_for_the_later_of_delay_and_soak() {
    for (delay, soak, opens) in [(0, 0, 100), (60, 0, 160), (0, 600, 690), (1800, 600, 1900)] {
        let mut settled = standing_at(Status::InProgress, 1, [&[(Class::Healthy, 1)], PENDING[1], PENDING[2]]);
        settled.batches[0].completed_at = Some(at(100));
        settled.last_healthy_at = Some(at(90));
        let fields = json!({"batch_delay": format!("{delay}s"), "soak_seconds": soak});
        assert_eq!(stepped(&settled, fields.clone(), &[], opens - 1).next.batch, 1, "delay {delay}, soak {soak}");
        assert_eq!(stepped(&settled, fields, &[], opens).next.batch, 2, "delay {delay}, soak {soak}");
    }
}

#[test]
fn a_batch_opens_inside_the_window() {
    let fields = crate::testing::nightly();
    let scheduled = standing_at(Status::Scheduled, 0, PENDING);
    let step = stepped(&scheduled, fields.clone(), &[], 0);
    assert_eq!((step.next.status, woken(&step)), (Status::Scheduled, Some(at(7200))));
    assert_eq!(step.report, "window opens at 2026-06-01 02:00 UTC");
    assert_eq!(stepped(&step.next, fields.clone(), &[], 7200).next.status, Status::InProgress);
    let mut settled = standing_at(Status::InProgress, 1, [&[(Class::Healthy, 1)], PENDING[1], PENDING[2]]);
    settled.batches[0].completed_at = Some(at(0));
    let closed = stepped(&settled, fields, &[], 15_000);
    assert_eq!((closed.next.batch, closed.report.as_str()), (1, "window opens at 2026-06-02 02:00 UTC"));
    let own =
        json!({"maintenance_window_start": "02:00:00", "maintenance_window_end": "04:00:00", "timezone": "device"});
    assert_eq!(stepped(&scheduled, own, &[], 0).next.batch, 1, "each device waits by itself");
}

#[test]
fn an_empty_batch_is_passed_over() {
    let first_empty = standing_at(Status::Scheduled, 0, [&[], &[(Class::Skipped, 4)], PENDING[2]]);
    let step = stepped(&first_empty, json!({}), &[], 0);
    assert_eq!((step.next.batch, step.next.open_to), (3, 10));
    let mut last_empty = standing_at(Status::InProgress, 1, [&[(Class::Healthy, 1)], &[], &[(Class::Skipped, 5)]]);
    last_empty.batches[0].completed_at = Some(at(0));
    assert_eq!(stepped(&last_empty, json!({}), &[], 7200).next.status, Status::Completed);
}

#[test]
fn nothing_proven_is_no_success() {
    let many: &[(Class, i64)] = &[(Class::Pending, 4)];
    let unproven = (Status::Paused, "settled with no healthy device");
    let cases: [(&str, Classes, (Status, &str)); 3] = [
        ("all offline", &[(Class::Deferred, 2)], (Status::InProgress, "every device of batch 1 is offline")),
        ("all failed", &[(Class::RolledBack, 2)], unproven),
        ("failed and offline", &[(Class::Unchanged, 1), (Class::Deferred, 1)], unproven),
    ];
    for (label, classes, (status, words)) in cases {
        let settled = standing_at(Status::InProgress, 1, [classes, many, PENDING[2]]);
        let step = stepped(&settled, json!({}), &[], 9000);
        assert_eq!((step.next.status, step.next.batch), (status, 1), "{label}");
        assert!(step.report.contains(words), "{label}: {}", step.report);
        let skipping = Rollout { skip_batch: true, ..settled };
        let left = stepped(&skipping, json!({"batch_delay": "0s"}), &[], 9000).next;
        assert_eq!((left.batch, left.skip_batch), (2, false), "{label}: only this batch is left");
    }
}

#[test]
fn a_rule_pauses_or_rolls_back() {
    let open = standing_at(Status::InProgress, 1, [&[(Class::Updating, 1)], PENDING[1], PENDING[2]]);
    let failed = [(1, page(1, Class::RolledBack, &[Outcome::Failed], 30))];
    let paused = stepped(&open, json!({}), &failed, 60);
    assert_eq!((paused.next.status, paused.next.resume_to), (Status::Paused, Some(Status::InProgress)));
    assert_eq!(events(&paused), [ImageEvent::RolloutFailed, ImageEvent::RolloutPaused]);
    assert_eq!(paused.next.reason.as_deref(), Some("1 of 1 devices of the batch failed, more than 20%"));
    let back = stepped(&open, json!({"on_failure": "rollback_all"}), &failed, 60);
    assert_eq!(back.next.status, Status::RollingBack);
    assert_eq!(events(&back), [ImageEvent::RolloutFailed, ImageEvent::RollbackStarted]);
    assert!(back.effects.iter().any(|effect| matches!(effect, Effect::Ban(_))));
    let rollback = back.next.rollback.unwrap();
    assert_eq!((rollback.open_to, rollback.respect_windows), (u32::MAX, false));
}

#[test]
fn while_paused_outcomes_are_judged() {
    let paused = standing_at(Status::Paused, 2, [&[(Class::Healthy, 1)], &[(Class::Updating, 4)], PENDING[2]]);
    let good = stepped(&paused, json!({}), &[(1, page(2, Class::Healthy, &[Outcome::Healthy; 4], 30))], 60);
    assert_eq!((good.next.status, good.next.batch, events(&good)), (Status::Paused, 2, Vec::new()), "never better");
    let bad = stepped(&paused, json!({}), &[(1, page(2, Class::RolledBack, &[Outcome::Failed], 30))], 60);
    assert_eq!(events(&bad), [ImageEvent::RolloutFailed]);
    assert!(bad.report.contains(": 1 of 4"), "{}", bad.report);
}

#[test]
fn only_so_many_are_in_flight() {
    let fields = json!({"max_in_flight": 2});
    let scheduled = standing_at(Status::Scheduled, 0, [&[(Class::Pending, 1)], PENDING[1], PENDING[2]]);
    assert_eq!(stepped(&scheduled, fields.clone(), &[], 0).next.open_to, 1, "a batch's end is the limit");
    let last = |open_to, classes: &[(Class, i64)]| {
        let mut rollout = standing_at(Status::InProgress, 3, [&[(Class::Healthy, 1)], &[(Class::Healthy, 4)], classes]);
        rollout.open_to = open_to;
        stepped(&rollout, fields.clone(), &[], 60).next.open_to
    };
    assert_eq!(last(7, &[(Class::Pending, 3), (Class::Updating, 2)]), 7, "two are at work");
    assert_eq!(last(7, &[(Class::Pending, 3), (Class::Updating, 1), (Class::Healthy, 1)]), 8, "one is done");
    assert_eq!(last(7, &[(Class::Pending, 3), (Class::Healthy, 2)]), 9, "both are");
    assert_eq!(last(9, &[(Class::Pending, 1), (Class::Healthy, 4)]), 10, "no further than the batch");
    assert_eq!(last(7, &[(Class::Updating, 2), (Class::Skipped, 3)]), 7, "who takes no part makes no room");
}

#[test]
fn a_settled_batch_is_opened_no_further() {
    let second = |classes: &[(Class, i64)], after: i64| {
        let mut rollout = standing_at(Status::InProgress, 2, [&[(Class::Healthy, 1)], classes, PENDING[2]]);
        rollout.open_to = 2;
        stepped(&rollout, json!({"max_in_flight": 1}), &[], after).next
    };
    let paused = second(&[(Class::Failed, 1), (Class::Skipped, 3)], 60);
    assert_eq!((paused.status, paused.open_to), (Status::Paused, 2), "nothing is proven, and nothing opens");
    let waits = second(&[(Class::Healthy, 1), (Class::Skipped, 3)], 60);
    assert_eq!((waits.batch, waits.open_to), (2, 2), "the delay");
    let mut settled = standing_at(
        Status::InProgress,
        2,
        [&[(Class::Healthy, 1)], &[(Class::Healthy, 1), (Class::Skipped, 3)], PENDING[2]],
    );
    (settled.open_to, settled.batches[1].completed_at) = (2, Some(at(0)));
    let opened = stepped(&settled, json!({"max_in_flight": 1}), &[], 9000).next;
    assert_eq!((opened.batch, opened.open_to), (3, 6), "places that nobody takes do not count against the limit");
}
