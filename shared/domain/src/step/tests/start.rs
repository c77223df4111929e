//! Resolving, planning, approval.

use super::*;
use crate::testing::{DAY, digest, nightly};

fn pending() -> Rollout {
    Rollout { batches: Vec::new(), total: 0, batch: 0, open_to: 0, started_at: None, ..rollout(Status::Pending) }
}

/// Ten devices, planned on one page.
fn planned() -> Preparation {
    let delta = |batch, n| BatchDelta { batch, counts: counts(&[(Class::Pending, n)]) };
    Preparation {
        resolution: Some(Resolution::Digest(digest(2))),
        order: Some(Order { total: 10, pages: 1 }),
        missing_pages: Vec::new(),
        planned: Page { deltas: vec![delta(1, 1), delta(2, 4), delta(3, 5)], ..Page::default() },
    }
}

fn prepared(rollout: &Rollout, fields: Value, preparation: &Preparation, standing: &HeadState, now: i64) -> Step {
    step(rollout, &known(rollout.clone(), fields).plan, &Inputs { pages: &[], preparation, standing, now: at(now) })
}

fn free(rollout: &Rollout, fields: Value, preparation: &Preparation, now: i64) -> Step {
    prepared(rollout, fields, preparation, &HeadState::default(), now)
}

#[test]
fn a_digest_is_asked_for_and_then_gone_without() {
    let mut unpinned = pending();
    unpinned.target.digest = None;
    let asking = free(&unpinned, json!({}), &Preparation::default(), 119);
    assert!(asking.effects.contains(&Effect::Resolve));
    let given_up = free(&unpinned, json!({}), &Preparation::default(), 120);
    assert!(given_up.effects.contains(&Effect::Plan) && given_up.next.target.digest.is_none());
    let unresolved = Preparation { resolution: Some(Resolution::Unresolved("no".to_owned())), ..planned() };
    assert_eq!(free(&unpinned, json!({}), &unresolved, 0).next.target.digest, None);
    assert_eq!(free(&unpinned, json!({}), &planned(), 0).next.target.digest, Some(digest(2)));
}

#[test]
fn what_is_told_of_a_tag_again_is_asked_for_again() {
    let told_at = |second: i64, older: bool| {
        let mut rollout = pending();
        rollout.target.digest = None;
        let news = crate::news::News { taken_at: at(second), merged: 3, older, ..rollout.heard() };
        Rollout { news: Some(news), ..rollout }
    };
    let (nothing, told) = (Preparation::default(), told_at(100, false));
    assert!(free(&told, json!({}), &nothing, 219).effects.contains(&Effect::Resolve), "since the last notice");
    assert!(free(&told, json!({}), &nothing, 220).effects.contains(&Effect::Plan));
    let waits = HeadState { waits: true, ..HeadState::default() };
    let quiet = prepared(&told, json!({}), &nothing, &waits, 109);
    assert_eq!((quiet.effects.contains(&Effect::Resolve), woken(&quiet)), (false, Some(at(110))));
    assert!(prepared(&told, json!({}), &nothing, &waits, 110).effects.contains(&Effect::Resolve));

    let old = told_at(100, true);
    let unresolved = Preparation { resolution: Some(Resolution::Unresolved("gone".to_owned())), ..planned() };
    for (label, preparation, now) in
        [("the registry does not know it", &unresolved, 101), ("nobody answers", &nothing, 220)]
    {
        let ended = free(&old, json!({}), preparation, now).next;
        assert_eq!((ended.status, ended.reason.as_deref()), (Status::Cancelled, Some("stale")), "{label}");
        assert_ne!(free(&told, json!({}), preparation, now).next.status, Status::Cancelled, "{label}");
    }
    assert_eq!(free(&old, json!({}), &planned(), 101).next.target.digest, Some(digest(2)), "it means this now");
}

#[test]
fn nothing_is_offered_before_every_page_is_assigned() {
    let unordered = Preparation { order: None, ..planned() };
    assert!(free(&pending(), json!({}), &unordered, 0).effects.contains(&Effect::Plan));
    let missing = Preparation { missing_pages: vec![0], ..planned() };
    let step = free(&pending(), json!({}), &missing, 0);
    assert!(step.effects.contains(&Effect::PlanPages(vec![0])));
    assert_eq!((step.next.status, step.next.open_to), (Status::Pending, 0));
    let step = free(&pending(), json!({}), &planned(), 0);
    assert_eq!((step.next.status, step.next.total, step.next.open_to), (Status::InProgress, 10, 1));
    let ends: Vec<u32> = step.next.batches.iter().map(|batch| batch.end).collect();
    assert_eq!(ends, [1, 5, 10]);
    let nobody = Preparation { planned: Page::default(), ..planned() };
    assert_eq!(free(&pending(), json!({}), &nobody, 0).next.status, Status::Cancelled);
}

#[test]
fn a_waiting_rollout_takes_its_turn() {
    let queued = HeadState { waits: true, ..HeadState::default() };
    let step = prepared(&pending(), json!({}), &planned(), &queued, 0);
    assert_eq!((step.next.status, step.effects), (Status::Pending, Vec::new()));
    let turn = HeadState { may_take: true, ..queued };
    assert_eq!(prepared(&pending(), json!({}), &planned(), &turn, 0).effects, [Effect::TakeOver]);
}

#[test]
fn what_is_there_or_kept_out_is_not_rolled_out() {
    let mut unpinned = pending();
    unpinned.target.digest = None;
    let ahead = |waits| HeadState { ahead: Some(digest(2)), waits, ..HeadState::default() };
    let bad = HeadState { bad: Some("rolled back".to_owned()), ..HeadState::default() };
    let cases = [
        ("just resolved", &unpinned, ahead(false), Status::Cancelled),
        ("waiting behind it", &pending(), ahead(true), Status::Cancelled),
        ("kept out", &pending(), bad, Status::Cancelled),
        // It took the place of a newer one, which made devices leave what is promoted: that is how people go back.
        ("admitted with its digest", &pending(), ahead(false), Status::InProgress),
    ];
    for (label, rollout, standing, expected) in cases {
        let step = prepared(rollout, json!({}), &planned(), &standing, 0);
        assert_eq!(step.next.status, expected, "{label}: {}", step.report);
    }
}

#[test]
fn a_planned_rollout_waits_for_its_first_window() {
    let mut weekly = nightly();
    weekly["days"] = json!(["sun"]);
    assert_eq!(free(&pending(), weekly, &planned(), 0).next.status, Status::Scheduled);
    assert_eq!(free(&pending(), nightly(), &planned(), 3 * 3600).next.status, Status::InProgress);
}

#[test]
fn a_rollout_starts_no_earlier_than_it_may() {
    let at_noon = json!({"not_before": at(43_200).to_string()});
    let early = free(&pending(), at_noon.clone(), &planned(), 60);
    assert_eq!((early.next.status, woken(&early)), (Status::Scheduled, Some(at(43_200))));
    assert!(early.report.starts_with("starts no earlier than "), "{}", early.report);
    assert_eq!(free(&pending(), at_noon, &planned(), 43_200).next.status, Status::InProgress);
}

#[test]
fn an_approval_is_waited_for_and_expires() {
    let manual = json!({"update_strategy": "manual"});
    let step = free(&pending(), manual.clone(), &planned(), 60);
    assert_eq!((step.next.status, step.next.asked_at), (Status::AwaitingApproval, Some(at(60))));
    assert_eq!((step.next.open_to, woken(&step)), (0, Some(at(60 + 3 * DAY))));
    let waiting = step.next;
    assert_eq!(free(&waiting, manual.clone(), &planned(), 59 + 3 * DAY).next.status, Status::AwaitingApproval);
    let expired = free(&waiting, manual, &planned(), 60 + 3 * DAY);
    assert_eq!((expired.next.status, events(&expired)), (Status::Expired, vec![ImageEvent::RolloutExpired]));
    let short = free(&waiting, json!({"update_strategy": "manual", "approval_expiry_hours": 1}), &planned(), 3660);
    assert_eq!(short.next.status, Status::Expired);
}
