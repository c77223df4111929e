use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::assignment::Progress;
use crate::rollout::{Rollout, Status};
use crate::testing::{
    at, device, digest, failed, id, knowledge, known, pin, place as stands, placed, policy, progress, repository,
    rollout, service, skipped, track, uuid,
};

/// The newer rollout `R3` of `v3`, being planned.
fn newer(fields: Value) -> Known {
    known(Rollout { rollout_id: id("R3"), generation: 3, target: pin(3), ..rollout(Status::Pending) }, fields)
}

/// Where the device, whose rollout `R` stands so, is put in `R3`.
fn placed_in(device: &Device, new: &Known, old: Status) -> Placed {
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
    let again = Known {
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
    let cases: [(&str, Change, Reason); 6] = [
        ("deleted", |device| device.deleted_at = Some(at(0)), Reason::Removed),
        ("no service", |device| device.services.clear(), Reason::Removed),
        ("another fleet", |device| device.fleet_id = "ships".to_owned(), Reason::Removed),
        ("another platform", |device| device.platform = Some("linux/s390x".to_owned()), Reason::NotApplicable),
        ("runs it", |device| drop(device.services.insert("web".to_owned(), service(3))), Reason::UpToDate),
        (
            "its platform's content",
            |device| drop(device.services.insert("web".to_owned(), service(33))),
            Reason::UpToDate,
        ),
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
}

#[test]
fn a_device_that_drifted() {
    let mut drifted = device();
    drifted.services.insert("web".to_owned(), service(7));
    for (on_drift, baseline) in [("converge", pin(1)), ("adopt", pin(7))] {
        let (next, row) = assigned(placed_in(&drifted, &newer(json!({"on_drift": on_drift})), Status::Completed));
        assert_eq!(next.tracks[&repository()].baseline, Some(baseline.clone()), "{on_drift}");
        assert_eq!(row.old, Some(baseline), "{on_drift}");
    }
    let Placed::Skipped(row) = placed_in(&drifted, &newer(json!({"on_drift": "hold"})), Status::Completed) else {
        panic!("it is held")
    };
    assert_eq!(row.reason, Some(Reason::Pinned));
    let hold = newer(json!({"on_drift": "hold"}));
    assigned(placed_in(&device(), &hold, Status::Completed));
    track(&mut drifted).resting = Some(pin(7));
    assigned(placed_in(&drifted, &hold, Status::Completed));
}

#[test]
fn a_latecomer_is_behind_everyone() {
    let (next, row) = assigned(place(&device(), &newer(json!({})), (u32::MAX, 3), &Knowledge::new(), at(0)));
    assert_eq!(progress(&next), Progress::Waiting);
    assert_eq!((row.position, row.batch), (u32::MAX, 3));
    let new = rollout(Status::InProgress);
    assert!(!new.open_for(u32::MAX) && Rollout { open_to: 10, ..new }.open_for(u32::MAX));
}

#[test]
fn a_place_that_nobody_knows_is_replaced() {
    let mut device = device();
    track(&mut device).current = Some(stands(Progress::Swapping));
    let (next, _) = assigned(place(&device, &newer(json!({})), (0, 1), &Knowledge::new(), at(0)));
    assert_eq!(next.tracks[&repository()].current.as_ref().unwrap().rollout_id, id("R3"));
}

#[test]
fn boundaries_of_the_missions_batches() {
    let staged = policy(json!({"staged_batches": ["10%", "50%", "100%"]}));
    let cases: [(u32, &[u32]); 4] = [(2, &[1, 2, 2]), (3, &[1, 2, 3]), (10, &[1, 5, 10]), (15, &[1, 7, 15])];
    for (total, ends) in cases {
        assert_eq!(staged.boundaries(total), ends, "{total} devices");
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
