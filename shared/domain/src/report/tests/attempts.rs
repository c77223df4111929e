//! Order, repeats, attempts, and reports of the rollout before.

use proptest::prelude::*;

use super::*;
use crate::device::LastPlace;

#[test]
fn a_repeat_changes_nothing() {
    let first = body(1, vec![says(DeviceEvent::ImagePulling, 1), says(DeviceEvent::ImagePulled, 2)]);
    let taken = told(&placed(Progress::Offered), &first, rollout(Status::InProgress), json!({}));
    let device = taken.device.unwrap();
    assert_eq!(progress(&device), Progress::Pulled);
    assert_eq!(device.tracks[&repository()].current.as_ref().unwrap().seq, 2);
    let again = told(&device, &first, rollout(Status::InProgress), json!({}));
    assert_eq!(again.verdicts, [Verdict::Duplicate, Verdict::Duplicate]);
    let below =
        told(&device, &body(1, vec![says(DeviceEvent::ImagePulling, 1)]), rollout(Status::InProgress), json!({}));
    assert_eq!(below.verdicts, [Verdict::Duplicate]);
}

#[test]
fn a_body_is_taken_by_seq_and_answered_in_its_own_order() {
    let told = told(
        &placed(Progress::Offered),
        &body(
            2,
            vec![
                says(DeviceEvent::HealthCheckPassed, 4),
                Report { rollout_id: id("unknown"), ..says(DeviceEvent::ImagePulled, 9) },
                says(DeviceEvent::ImagePulling, 1),
                says(DeviceEvent::ContainerUpdating, 3),
            ],
        ),
        rollout(Status::InProgress),
        json!({}),
    );
    assert_eq!(told.verdicts, [Verdict::Accepted, Verdict::NotAssigned, Verdict::Accepted, Verdict::Accepted]);
    let events: Vec<_> = told.device.unwrap().log.iter().filter_map(|entry| entry.event).collect();
    assert_eq!(events, [DeviceEvent::ImagePulling, DeviceEvent::ContainerUpdating, DeviceEvent::HealthCheckPassed]);
}

#[test]
fn without_seq_the_id_guards_repeats() {
    let report = Report { seq: None, ..says(DeviceEvent::ImagePulling, 1) };
    let device =
        told(&placed(Progress::Offered), &body(1, vec![report.clone()]), rollout(Status::InProgress), json!({}))
            .device
            .unwrap();
    let again = |report| told(&device, &body(1, vec![report]), rollout(Status::InProgress), json!({})).verdicts;
    assert_eq!(again(report.clone()), [Verdict::Duplicate]);
    assert_eq!(again(Report { id: "another".to_owned(), ..report }), [Verdict::Accepted]);
    let many: Vec<Report> =
        (0..40).map(|n| Report { id: n.to_string(), seq: None, ..says(DeviceEvent::ImagePulling, 1) }).collect();
    let next = told(&device, &body(1, many), rollout(Status::InProgress), json!({})).device.unwrap();
    assert_eq!(next.tracks[&repository()].current.as_ref().unwrap().seen.len(), REMEMBERED_IDS);
}

#[test]
fn a_way_back_is_tried_three_times() {
    for (from, status) in
        [(Progress::Reverting, Status::RollingBack), (failed(Reason::Unhealthy, true), Status::InProgress)]
    {
        let mut device = placed(from.clone());
        for attempt in 1..=ROLLBACK_ATTEMPTS {
            let failure = Report { attempt, ..says(DeviceEvent::RollbackFailed, 1) };
            device = told(&device, &body(2, vec![failure.clone()]), rollout(status), json!({})).device.unwrap();
            let current = device.tracks[&repository()].current.clone().unwrap();
            if attempt < ROLLBACK_ATTEMPTS {
                assert_eq!((current.attempt, current.seq), (attempt + 1, 1.min(current.seq)), "{from:?}");
                assert_eq!(current.progress, from, "attempt {attempt}");
                assert_eq!(current.offered_at, Some(at(100)), "each is a new offer");
            } else {
                assert_eq!(current.progress, stuck(Reason::RollbackFailed));
            }
            let again = told(&device, &body(2, vec![failure]), rollout(status), json!({}));
            assert_eq!(again.verdicts, [Verdict::Duplicate], "attempt {attempt}");
        }
    }
}

#[test]
fn each_attempt_counts_its_own_seq() {
    let mut device = placed(Progress::Reverting);
    track(&mut device).current.as_mut().unwrap().seq = 9;
    let failure = says(DeviceEvent::RollbackFailed, 10);
    device = told(&device, &body(2, vec![failure]), rollout(Status::RollingBack), json!({})).device.unwrap();
    let done = Report { attempt: 2, ..says(DeviceEvent::RolledBack, 1) };
    let told = told(&device, &body(1, vec![done]), rollout(Status::RollingBack), json!({}));
    assert_eq!(told.verdicts, [Verdict::Accepted], "attempt 2 begins at 1");
    assert_eq!(progress(&told.device.unwrap()), back(Reason::RollbackAll));
}

#[test]
fn a_first_word_of_a_failed_way_back_starts_a_new_attempt() {
    let failure = body(2, vec![says(DeviceEvent::RollbackFailed, 1)]);
    let next = told(&placed(Progress::Swapping), &failure, rollout(Status::InProgress), json!({})).device.unwrap();
    let current = next.tracks[&repository()].current.clone().unwrap();
    assert_eq!(current.progress, failed(Reason::RollbackFailed, true));
    assert_eq!(current.attempt, 2, "the device never repeats an attempt that it has finished");
    assert_eq!(next.log[0].outcome, Some(Outcome::Failed));
}

#[test]
fn nothing_is_retried_where_devices_do_not_go_back_by_themselves() {
    let by_order = json!({"auto_rollback": false});
    let failure = body(2, vec![says(DeviceEvent::RollbackFailed, 1)]);
    let device = placed(failed(Reason::Unhealthy, true));
    let next = told(&device, &failure, rollout(Status::InProgress), by_order).device.unwrap();
    assert_eq!(next.tracks[&repository()].current.as_ref().unwrap().attempt, 1);
}

#[test]
fn a_late_report_is_a_fact_for_its_row() {
    let mut device = placed(Progress::Healthy);
    track(&mut device).last = Some(LastPlace { rollout_id: id("Q"), attempt: 1, seq: 4 });
    let late = |attempt, seq| {
        let report = Report { rollout_id: id("Q"), attempt, seq, ..says(DeviceEvent::HealthCheckFailed, 1) };
        told(&device, &body(2, vec![report]), rollout(Status::InProgress), json!({}))
    };
    let cases = [
        (1, Some(4), Verdict::Duplicate),
        (1, Some(5), Verdict::Accepted),
        (1, None, Verdict::Accepted),
        (2, Some(1), Verdict::Accepted),
    ];
    for (attempt, seq, verdict) in cases {
        let reported = late(attempt, seq);
        assert_eq!(reported.verdicts, [verdict], "attempt {attempt}, seq {seq:?}");
        let next = reported.device.unwrap_or_else(|| device.clone());
        assert_eq!(progress(&next), Progress::Healthy);
        for entry in &next.log {
            assert_eq!((&entry.rollout_id, entry.class, entry.outcome), (&id("Q"), None, None));
        }
    }
}

fn event() -> impl Strategy<Value = DeviceEvent> {
    let told: Vec<_> = DeviceEvent::ALL.iter().copied().filter(|event| event.told_by_devices()).collect();
    proptest::sample::select(told)
}

proptest! {
    #[test]
    fn any_body_sent_twice_is_taken_once(
        events in proptest::collection::vec(event(), 1..8),
        from in proptest::sample::select(every_progress()),
        runs in 1_u8..4,
    ) {
        let reports = events.iter().zip(1..).map(|(event, seq)| says(*event, seq)).collect();
        let body = body(runs, reports);
        let device = placed(from);
        let first = told(&device, &body, rollout(Status::InProgress), json!({}));
        let known = first.device.clone().unwrap_or(device);
        let second = told(&known, &body, rollout(Status::InProgress), json!({}));
        for (first, second) in first.verdicts.iter().zip(&second.verdicts) {
            if *first == Verdict::Accepted {
                prop_assert_eq!(*second, Verdict::Duplicate);
            }
        }
        if first.verdicts.iter().all(|verdict| *verdict == Verdict::Accepted) {
            prop_assert_eq!(second.device.map(|next| next.tracks), None);
        }
    }

    #[test]
    fn an_item_stays_small(events in proptest::collection::vec(event(), 0..100), numbered: bool) {
        let reports = events.iter().zip(1_u32..).map(|(event, n)| {
            Report { seq: numbered.then_some(n), id: n.to_string(), ..says(*event, n) }
        });
        let next = told(&placed(Progress::Offered), &body(2, reports.collect()), rollout(Status::InProgress), json!({}));
        if let Some(next) = next.device {
            let without_log = Device { log: Vec::new(), ..next };
            prop_assert!(serde_json::to_vec(&without_log).unwrap().len() <= 1024);
        }
    }
}
