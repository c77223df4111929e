mod batches;
mod ending;
mod start;

use serde_json::{Value, json};

use super::*;
use crate::counts::{Class, Counts};
use crate::failure_rules::Outcome;
use crate::journal::{BatchDelta, PageOutcome};
use crate::testing::{at, counts, known, pin, rollout};

/// A step of a rollout under a policy of these fields, after these pages.
pub(super) fn stepped(rollout: &Rollout, fields: Value, pages: &[(u32, Page)], now: i64) -> Step {
    let (preparation, standing) = (Preparation::default(), HeadState::default());
    let inputs = Inputs { pages, preparation: &preparation, standing: &standing, now: at(now) };
    step(rollout, &known(rollout.clone(), fields).plan, &inputs)
}

/// The rollout, its batches standing so; the first `batch` of them open.
pub(super) fn standing_at(status: Status, batch: u32, classes: [&[(Class, i64)]; 3]) -> Rollout {
    let mut rollout = rollout(status);
    for (n, (into, classes)) in (0..).zip(rollout.batches.iter_mut().zip(classes)) {
        into.counts = counts(classes);
        into.opened_at = (n < batch).then(|| at(0));
    }
    rollout.batch = batch;
    rollout.open_to = (batch as usize).checked_sub(1).map_or(0, |last| rollout.batches[last].end);
    rollout
}

/// A page on which so many devices of a batch go from updating to these outcomes.
pub(super) fn page(batch: u32, to: Class, outcomes: &[Outcome], now: i64) -> Page {
    let n = outcomes.len() as i64;
    let counts: Counts = counts(&[(Class::Updating, -n), (to, n)]);
    let outcome = |outcome: &Outcome| PageOutcome { batch, outcome: *outcome, at: at(now), digest: None };
    Page {
        deltas: vec![BatchDelta { batch, counts }],
        outcomes: outcomes.iter().map(outcome).collect(),
        ..Page::default()
    }
}

pub(super) fn events(step: &Step) -> Vec<ImageEvent> {
    let emitted = |effect: &Effect| if let Effect::Emit(event, _) = effect { Some(*event) } else { None };
    step.effects.iter().filter_map(emitted).collect()
}

pub(super) fn woken(step: &Step) -> Option<Timestamp> {
    step.effects.iter().find_map(|effect| if let Effect::Wake(at) = effect { Some(*at) } else { None })
}

#[test]
fn a_step_that_changes_nothing_is_not_stored() {
    let mut waiting =
        standing_at(Status::InProgress, 1, [&[(Class::Updating, 1)], &[(Class::Pending, 4)], &[(Class::Pending, 5)]]);
    let first = stepped(&waiting, json!({}), &[], 60);
    assert_eq!(first.next.revision, 8, "the deadline check was put down");
    waiting = first.next;
    let second = stepped(&waiting, json!({}), &[], 61);
    assert_eq!((second.next, second.effects), (waiting, Vec::new()));
    assert_eq!(second.report, "waiting for 1 of 1 devices in batch 1: 1 updating");
}

#[test]
fn late_devices_are_looked_for_every_few_minutes() {
    let waiting =
        standing_at(Status::InProgress, 1, [&[(Class::Updating, 1)], &[(Class::Pending, 4)], &[(Class::Pending, 5)]]);
    let mut rollout = stepped(&waiting, json!({}), &[], 0).next;
    for (now, checks) in [(1199, false), (1200, true), (1499, false), (1500, true), (1600, false), (1801, true)] {
        let step = stepped(&rollout, json!({}), &[], now);
        assert_eq!(step.effects.contains(&Effect::CheckDeadlines), checks, "second {now}");
        rollout = step.next;
    }
}

#[test]
fn pages_are_counted_once_and_in_order() {
    let open =
        standing_at(Status::InProgress, 1, [&[(Class::Updating, 1)], &[(Class::Pending, 4)], &[(Class::Pending, 5)]]);
    let pages = [(1, Page::default()), (2, page(1, Class::Healthy, &[Outcome::Healthy], 30))];
    let next = stepped(&open, json!({}), &pages, 60).next;
    assert_eq!((next.cursor, next.counts().of(Class::Healthy)), (2, 1));
    assert_eq!(next.last_healthy_at, Some(at(30)));
    assert_eq!(next.batches[0].completed_at, Some(at(60)));
}

#[test]
fn before_its_batches_are_known_pages_wait() {
    let pending = Rollout { batches: Vec::new(), total: 0, batch: 0, open_to: 0, ..rollout(Status::Pending) };
    let pages = [(1, page(1, Class::Healthy, &[Outcome::Healthy], 30))];
    assert_eq!(stepped(&pending, json!({}), &pages, 60).next.cursor, 0);
}

#[test]
fn outcomes_up_to_a_resume_are_counted_and_not_judged() {
    let open =
        standing_at(Status::InProgress, 2, [&[(Class::Healthy, 1)], &[(Class::Updating, 4)], &[(Class::Pending, 5)]]);
    let resumed = Rollout { resumed_at: Some(at(5)), judged_from: 2, ..open };
    let failed = |number| (number, page(2, Class::RolledBack, &[Outcome::Failed], 30));
    let before = stepped(&resumed, json!({}), &[failed(1), failed(2)], 60).next;
    assert_eq!((before.status, before.counts().of(Class::RolledBack)), (Status::InProgress, 2));
    let after = stepped(&before, json!({}), &[failed(3)], 60).next;
    assert_eq!(after.status, Status::Paused);
}

#[test]
fn an_unpinned_rollout_takes_what_its_first_batch_proved() {
    let unpinned = |classes| {
        let mut rollout = standing_at(Status::InProgress, 1, [classes, &[(Class::Pending, 4)], &[(Class::Pending, 5)]]);
        rollout.target.digest = None;
        rollout
    };
    let healthy = |digests: &[u8]| {
        let mut page = page(1, Class::Healthy, &vec![Outcome::Healthy; digests.len()], 30);
        for (outcome, n) in page.outcomes.iter_mut().zip(digests) {
            outcome.digest = pin(*n).digest;
        }
        [(1, page)]
    };
    let step = stepped(&unpinned(&[(Class::Updating, 2)]), json!({}), &healthy(&[5, 5]), 60);
    assert_eq!(step.next.target.digest, pin(5).digest);
    let step = stepped(&unpinned(&[(Class::Updating, 2)]), json!({}), &healthy(&[5, 6]), 60);
    assert_eq!((step.next.status, step.next.target.digest), (Status::Paused, None));
    assert!(step.report.contains("different contents"), "{}", step.report);
}

#[test]
fn what_devices_pulled_is_looked_at_before_they_swap() {
    let mut unpinned =
        standing_at(Status::InProgress, 1, [&[(Class::Updating, 2)], &[(Class::Pending, 4)], &[(Class::Pending, 5)]]);
    unpinned.target.digest = None;
    let digest = |n| pin(n).digest.unwrap();
    let pulled = [(1, Page { pulled: vec![digest(5), digest(6)], ..Page::default() })];
    let looked = |rollout: &Rollout, pages: &[(u32, Page)], bad: &[u8]| {
        let kept_out = bad.iter().map(|n| (digest(*n), "it crashed".to_owned())).collect();
        let (preparation, standing) = (Preparation::default(), HeadState { kept_out, ..HeadState::default() });
        let inputs = Inputs { pages, preparation: &preparation, standing: &standing, now: at(60) };
        step(rollout, &known(rollout.clone(), json!({})).plan, &inputs)
    };
    let fine = looked(&unpinned, &pulled, &[]).next;
    assert_eq!((fine.status, fine.admitted.clone()), (Status::InProgress, vec![digest(5), digest(6)]));
    let stopped = looked(&unpinned, &pulled, &[6]);
    assert_eq!((stopped.next.status, &stopped.next.admitted), (Status::Paused, &vec![digest(5)]));
    assert!(stopped.report.contains("kept out (it crashed)"), "{}", stopped.report);
    assert_eq!(events(&stopped), [ImageEvent::RolloutFailed, ImageEvent::RolloutPaused]);

    let resumed = Rollout { status: Status::InProgress, resumed_at: Some(at(50)), ..stopped.next };
    assert_eq!(looked(&resumed, &[], &[6]).next.status, Status::Paused, "while it is kept out");
    let cleared = looked(&resumed, &[], &[]).next;
    assert_eq!((cleared.status, cleared.admitted), (Status::InProgress, vec![digest(5), digest(6)]));

    let pinned = Rollout { target: pin(2), ..unpinned };
    assert_eq!(looked(&pinned, &pulled, &[6]).next.status, Status::InProgress, "what is pinned was looked at before");
}

#[test]
fn no_device_failed_where_what_it_pulled_is_kept_out() {
    let mut unpinned =
        standing_at(Status::InProgress, 1, [&[(Class::Updating, 2)], &[(Class::Pending, 4)], &[(Class::Pending, 5)]]);
    unpinned.target.digest = None;
    let pulled = [(1, Page { pulled: pin(6).digest.into_iter().collect(), ..Page::default() })];
    let kept_out = vec![(pin(6).digest.unwrap(), "it crashed".to_owned())];
    let (preparation, standing) = (Preparation::default(), HeadState { kept_out, ..HeadState::default() });
    let inputs = Inputs { pages: &pulled, preparation: &preparation, standing: &standing, now: at(60) };
    let plan = known(unpinned.clone(), json!({"on_failure": "rollback_all"})).plan;
    assert_eq!(step(&unpinned, &plan, &inputs).next.status, Status::Paused);
}
