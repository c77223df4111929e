use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::assignment::Progress;
use crate::image::ImageRef;
use crate::report::{Observed, Reports, report};
use crate::rollout::{Rollout, Status};
use crate::strategy::compile;
use crate::testing::{
    at, back, device, digest, failed, id, knowledge, known, pin, place as stood, placed, policy, progress, repository,
    rollout, service, skipped, stuck, track, uuid,
};

/// The newer rollout `R3` of `v3`, being planned.
fn newer(fields: Value) -> RolloutContext {
    known(Rollout { rollout_id: id("R3"), generation: 3, target: pin(3), ..rollout(Status::Pending) }, fields)
}

/// Where the device, whose rollout `R` stands so, is put in `R3`.
fn placed_in(device: &Device, new: &RolloutContext, old: Status) -> Placed {
    place(device, new, (4, 2), &knowledge([known(rollout(old), json!({}))]), at(0))
}

fn assigned(placed: Placed) -> (Device, Row) {
    match placed {
        Placed::Assigned(placed) => *placed,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_device_gets_its_place() {
    let (next, row) = assigned(placed_in(&device(), &newer(json!({})), Status::Completed));
    let current = next.tracks[&repository()].current.clone().unwrap();
    assert_eq!((current.generation, current.position, current.batch), (3, 4, 2));
    assert_eq!((next.rev, current.progress), (4, Progress::Waiting));
    assert_eq!((row.position, row.batch, row.class, row.rev), (4, 2, Class::Pending, 0));
    assert_eq!((row.planned, row.old), (Some((2, Class::Pending)), Some(pin(1))));
}

#[test]
fn planning_again_changes_nothing() {
    let new = newer(json!({}));
    let (next, row) = assigned(placed_in(&device(), &new, Status::Completed));
    assert_eq!(placed_in(&next, &new, Status::Completed), Placed::Known(row));
    let mut ahead = device();
    track(&mut ahead).current = Some(Assignment::new(id("R4"), 4, 0, 1));
    assert!(matches!(placed_in(&ahead, &new, Status::Completed), Placed::Known(_)), "a newer rollout has it");
}

#[test]
fn a_newer_place_replaces_or_waits_behind_a_swap() {
    for stood in crate::testing::every_progress() {
        let device = placed(stood.clone());
        let (next, row) = assigned(placed_in(&device, &newer(json!({})), Status::Superseded));
        let track = &next.tracks[&repository()];
        let swap = matches!(stood, Progress::Swapping | Progress::Reverting | Progress::Failed { swapped: true, .. });
        let current = track.current.as_ref().unwrap();
        assert_eq!(current.rollout_id, if swap { id("R") } else { id("R3") }, "{stood:?}");
        assert_eq!(track.next.as_ref().map(|next| next.rollout_id.clone()), swap.then(|| id("R3")), "{stood:?}");
        assert_eq!(row.rollout_id, id("R3"));
    }
}

#[test]
fn only_a_swap_that_ends_lets_the_next_one_in() {
    let (waiting, _) = assigned(placed_in(&placed(Progress::Swapping), &newer(json!({})), Status::Superseded));
    let again = RolloutContext {
        rollout: Rollout { rollout_id: id("R4"), generation: 4, ..newer(json!({})).rollout },
        ..newer(json!({}))
    };
    let (next, _) = assigned(placed_in(&waiting, &again, Status::Superseded));
    assert_eq!(next.tracks[&repository()].next.as_ref().unwrap().rollout_id, id("R4"), "the newest waits");
}

#[test]
fn what_was_proven_becomes_the_way_back() {
    let cases = [
        ("healthy and completed", Progress::Healthy, Status::Completed, pin(2), None),
        ("healthy and superseded", Progress::Healthy, Status::Superseded, pin(1), Some(pin(2))),
        ("healthy and cancelled", Progress::Healthy, Status::Cancelled, pin(1), Some(pin(2))),
        ("failed before the swap", failed(Reason::PullFailed, false), Status::Completed, pin(1), None),
        ("skipped", skipped(Reason::Removed), Status::Completed, pin(1), None),
    ];
    for (label, stood, status, baseline, resting) in cases {
        let (next, row) = assigned(placed_in(&placed(stood), &newer(json!({})), status));
        let track = &next.tracks[&repository()];
        assert_eq!((track.baseline.as_ref(), &track.resting), (Some(&baseline), &resting), "{label}");
        assert_eq!(row.old, Some(baseline), "{label}");
    }
}

#[test]
fn who_takes_no_part_has_a_row_all_the_same() {
    type Change = fn(&mut Device);
    let cases: [(&str, Change, Reason); 4] = [
        ("deleted", |device| device.deleted_at = Some(at(0)), Reason::Removed),
        ("no service", |device| device.services.clear(), Reason::Removed),
        ("another fleet", |device| device.fleet_id = "ships".to_owned(), Reason::Removed),
        ("another platform", |device| device.platform = Some("linux/s390x".to_owned()), Reason::NotApplicable),
    ];
    let mut new = newer(json!({"fleet_id": "vans"}));
    new.plan.platforms = BTreeMap::from([("linux/arm64".to_owned(), digest(33))]);
    for (label, change, reason) in cases {
        let mut device = device();
        device.platform = Some("linux/arm64".to_owned());
        change(&mut device);
        let Placed::Skipped(row) = placed_in(&device, &new, Status::Completed) else { panic!("{label}") };
        assert_eq!((row.class, row.reason), (Class::Skipped, Some(reason)), "{label}");
        assert_eq!(row.planned, Some((2, Class::Skipped)), "{label}");
    }
    for content in [3, 33] {
        let mut device = Device { platform: Some("linux/arm64".to_owned()), ..device() };
        device.services.insert("web".to_owned(), service(content));
        let (_, row) = assigned(placed_in(&device, &new, Status::Completed));
        assert_eq!((row.class, row.reason), (Class::Skipped, Some(Reason::UpToDate)), "content {content}");
    }
}

/// The device, whose rollout `R` stands so, after somebody started content 7 on it.
fn drifted(device: &Device, old: Status) -> Device {
    let observed =
        Observed { image: Some(pin_of(7)), digest: Some(digest(7)), healthy: Some(true), ..Observed::default() };
    let body = Reports { services: BTreeMap::from([("web".to_owned(), observed)]), ..Reports::default() };
    report(device, &body, &knowledge([known(rollout(old), json!({}))]), at(0)).device.unwrap()
}

fn pin_of(n: u8) -> ImageRef {
    ImageRef::tagged(repository(), pin(n).tag.unwrap())
}

#[test]
fn a_device_that_drifted() {
    let cases = [
        ("never in a rollout", device(), Status::Completed, pin(1)),
        ("passed over", placed(skipped(Reason::Removed)), Status::Completed, pin(1)),
        ("waits", placed(Progress::Waiting), Status::Superseded, pin(1)),
        ("fetches", placed(Progress::Pulled), Status::Superseded, pin(1)),
        ("healthy and proven", on_new(Progress::Healthy), Status::Completed, pin(2)),
        ("healthy and superseded", on_new(Progress::Healthy), Status::Superseded, pin(1)),
        ("went back", placed(back(Reason::Unhealthy)), Status::Superseded, pin(1)),
    ];
    for (label, device, old, proven) in cases {
        let drifted = drifted(&device, old);
        for (on_drift, baseline) in [("converge", proven.clone()), ("adopt", pin(7))] {
            let (next, row) = assigned(placed_in(&drifted, &newer(json!({"on_drift": on_drift})), old));
            let track = &next.tracks[&repository()];
            assert_eq!(track.baseline, Some(baseline.clone()), "{label}, {on_drift}");
            assert_eq!(track.drifted.is_some(), on_drift == "converge", "{label}, {on_drift}");
            assert_eq!((row.class, row.old), (Class::Pending, Some(baseline)), "{label}, {on_drift}");
        }
        let hold = newer(json!({"on_drift": "hold"}));
        let (held, row) = assigned(placed_in(&drifted, &hold, old));
        assert_eq!((row.class, &row.reason), (Class::Skipped, &Some(Reason::Pinned)), "{label}");
        assert_eq!(progress(&held), skipped(Reason::Pinned), "{label}");
        assert_eq!(placed_in(&held, &hold, old), Placed::Known(row), "{label}, planned again");
        assigned(placed_in(&device, &hold, old));
    }
}

/// The device at the first place of rollout `R`, on its image.
fn on_new(progress: Progress) -> Device {
    let mut device = placed(progress);
    device.services.insert("web".to_owned(), service(2));
    device
}

#[test]
fn who_runs_the_image_already_is_passed_over_and_follows_the_rollout() {
    let new = newer(json!({}));
    let mut there = device();
    there.services.insert("web".to_owned(), service(3));
    track(&mut there).resting = Some(pin(3));
    let (next, row) = assigned(placed_in(&there, &new, Status::Completed));
    assert_eq!((row.class, &row.reason), (Class::Skipped, &Some(Reason::UpToDate)));
    assert_eq!((row.planned, progress(&next)), (Some((2, Class::Skipped)), skipped(Reason::UpToDate)));
    assert_eq!(placed_in(&next, &new, Status::Completed), Placed::Known(row), "planned again");

    let mut by_hand = device();
    by_hand.services.insert("web".to_owned(), service(3));
    track(&mut by_hand).drifted = Some(pin(1));
    for on_drift in ["converge", "hold"] {
        let (next, row) = assigned(placed_in(&by_hand, &newer(json!({"on_drift": on_drift})), Status::Completed));
        assert_eq!((row.class, progress(&next)), (Class::Pending, Progress::Waiting), "{on_drift}: its turn will tell");
    }
    let (next, row) = assigned(placed_in(&by_hand, &newer(json!({"on_drift": "adopt"})), Status::Completed));
    assert_eq!((row.class, row.old), (Class::Skipped, Some(pin(3))));
    assert_eq!(next.tracks[&repository()].baseline, Some(pin(3)));

    let mut again = newer(json!({}));
    again.rollout.target = pin(2);
    for stood in [stuck(Reason::RollbackFailed), Progress::NotSeen] {
        let (_, row) = assigned(placed_in(&on_new(stood.clone()), &again, Status::RolledBack));
        assert_eq!(row.class, Class::Pending, "{stood:?}: it should not run what it runs");
    }
    let (_, row) = assigned(placed_in(&on_new(Progress::Healthy), &again, Status::Superseded));
    assert_eq!(row.class, Class::Skipped, "it rests on it");
}

#[test]
fn a_latecomer_is_behind_everyone() {
    let (next, row) = assigned(place(&device(), &newer(json!({})), (u32::MAX, 3), &RolloutContexts::new(), at(0)));
    assert_eq!(progress(&next), Progress::Waiting);
    assert_eq!((row.position, row.batch), (u32::MAX, 3));
    let new = rollout(Status::InProgress);
    assert!(!new.open_for(u32::MAX) && Rollout { open_to: 10, ..new }.open_for(u32::MAX));
}

#[test]
fn a_place_that_nobody_knows_is_replaced() {
    let mut device = device();
    track(&mut device).current = Some(stood(Progress::Swapping));
    let (next, _) = assigned(place(&device, &newer(json!({})), (0, 1), &RolloutContexts::new(), at(0)));
    assert_eq!(next.tracks[&repository()].current.as_ref().unwrap().rollout_id, id("R3"));
}

#[test]
fn boundaries_of_the_missions_batches() {
    let staged = policy(json!({"staged_batches": ["10%", "50%", "100%"]}));
    let cases: [(u32, &[u32]); 4] = [(2, &[1, 2, 2]), (3, &[1, 2, 3]), (10, &[1, 5, 10]), (15, &[1, 7, 15])];
    for (total, ends) in cases {
        assert_eq!(compile(&staged).boundaries(total), ends, "{total} devices");
    }
}

#[test]
fn every_device_is_the_canary_as_often_as_another() {
    let devices: Vec<DeviceUuid> = (0..4).map(uuid).collect();
    let mut times: BTreeMap<Vec<DeviceUuid>, u32> = BTreeMap::new();
    for n in 0..4_800 {
        *times.entry(order(&id(&format!("rollout-{n}")), devices.clone())).or_default() += 1;
    }
    assert_eq!(times.len(), 24, "every order occurs");
    // 200 each are expected, with a standard deviation of 14.
    assert!(times.values().all(|times| (130..270).contains(times)), "{times:?}");
}

proptest! {
    #[test]
    fn an_order_is_a_permutation_whatever_the_list(n in 1_u32..200, seed in "[a-z]{4}", turn in 0_usize..200) {
        let devices: Vec<DeviceUuid> = (0..n).map(uuid).collect();
        let mut listed = devices.clone();
        listed.rotate_left(turn % devices.len());
        listed.extend(&devices[..devices.len().min(3)]);
        let ordered = order(&id(&seed), listed);
        prop_assert_eq!(&ordered, &order(&id(&seed), devices.clone()), "the list's order plays no part");
        prop_assert_eq!(order_hash(&ordered), order_hash(&ordered.clone()));
        let mut sorted = ordered;
        sorted.sort();
        prop_assert_eq!(sorted, devices);
    }
}

/// A rollout of another policy, of this generation.
fn of_another(generation: u64, status: Status) -> RolloutContext {
    let rollout = Rollout {
        rollout_id: id("Y"),
        generation,
        policy_id: crate::ids::PolicyId::trusted("other"),
        target: pin(3),
        ..rollout(status)
    };
    known(rollout, json!({}))
}

#[test]
fn a_device_that_another_policys_newer_rollout_has_is_passed_over() {
    let mut device = placed(Progress::Waiting);
    track(&mut device).current = Some(Assignment::new(id("Y"), 9, 0, 1));
    let newer_place = knowledge([of_another(9, Status::InProgress)]);
    let Placed::Skipped(row) = place(&device, &newer(json!({})), (4, 2), &newer_place, at(0)) else { panic!() };
    assert_eq!((row.class, row.reason), (Class::Skipped, Some(Reason::TakenOver)));
}

#[test]
fn who_left_a_newer_rollout_joins_an_older_one_of_its_policy() {
    let old = knowledge([known(rollout(Status::InProgress), json!({}))]);
    for status in [Status::InProgress, Status::Completed] {
        for (progress, joins) in
            [(skipped(Reason::Removed), true), (skipped(Reason::UpToDate), false), (Progress::Healthy, false)]
        {
            let placed = place(&placed(progress.clone()), &of_another(1, status), (LATECOMER, 3), &old, at(0));
            match placed {
                Placed::Assigned(placed) => {
                    assert!(joins, "{progress:?}");
                    let entry = &placed.0.log[0];
                    let told = (entry.class, entry.batch);
                    assert_eq!(told, (Some(Class::Pending), Some(3)), "a row from before is told, {status:?}");
                }
                Placed::Known(_) | Placed::Skipped(_) => assert!(!joins, "{progress:?}"),
            }
        }
    }
}

#[test]
fn who_was_moved_away_and_back_takes_part_again_behind_everyone() {
    let mut left = placed(skipped(Reason::Removed));
    track(&mut left).current.as_mut().unwrap().attempt = 2;
    let live = known(rollout(Status::InProgress), json!({}));
    let (next, _) = assigned(place(&left, &live, (LATECOMER, 3), &knowledge([live.clone()]), at(0)));
    let current = next.tracks[&repository()].current.clone().unwrap();
    assert_eq!((current.progress, current.position, current.attempt), (Progress::Waiting, LATECOMER, 2));
    assert_eq!(next.log[0].class, Some(Class::Pending));
    let planned = place(&left, &live, (4, 2), &knowledge([live.clone()]), at(0));
    assert!(matches!(planned, Placed::Known(_)), "a planner does not bring it back");
    let ended = known(rollout(Status::Cancelled), json!({}));
    let late = place(&left, &ended, (LATECOMER, 3), &knowledge([ended.clone()]), at(0));
    assert!(matches!(late, Placed::Known(_)), "nor does what ended");
}

#[test]
fn after_a_swap_that_nothing_was_heard_of_nobody_is_passed_over() {
    let again = RolloutContext { rollout: Rollout { target: pin(1), ..newer(json!({})).rollout }, ..newer(json!({})) };
    let told = device();
    let mut silent = told.clone();
    silent.swaps(&repository());
    for (device, class) in [(&told, Class::Skipped), (&silent, Class::Pending)] {
        let (_, row) = assigned(placed_in(device, &again, Status::Completed));
        assert_eq!(row.class, class);
    }
}

/// Devices of an unpinned rollout had different contents, and a person went on with one: who had another goes to that.
#[test]
fn who_is_to_go_elsewhere_is_not_passed_over() {
    for runs in [3, 2] {
        let mut device = placed(Progress::Healthy);
        device.services.insert("web".to_owned(), service(runs));
        let (next, row) = assigned(placed_in(&device, &newer(json!({})), Status::Completed));
        assert_eq!((row.class, progress(&next)), (Class::Pending, Progress::Waiting), "content {runs}");
    }
}
