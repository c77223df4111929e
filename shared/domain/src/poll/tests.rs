use serde_json::{Value, json};

use super::*;
use crate::device::Service;
use crate::ids::RolloutId;
use crate::image::Repository;
use crate::rollout::Rollout;
use crate::testing::*;

/// How the device stands after a poll at `now`; `None` where the poll moved nothing.
fn after(device: &Device, rollout: Rollout, fields: Value, now: i64) -> Option<Progress> {
    let known = knowledge([known(rollout, fields)]);
    let next = poll(device, &known, at(now))?;
    assert_eq!(next.rev, device.rev + 1);
    Some(progress(&next))
}

#[test]
fn an_offer_needs_an_open_rollout() {
    for status in Status::ALL {
        let waiting = after(&placed(Progress::Waiting), rollout(status), json!({}), 60);
        assert_eq!(waiting, (status == Status::InProgress).then_some(Progress::Offered), "{status:?}");
        let deferred = after(&placed(Progress::Deferred), rollout(status), json!({}), 60);
        assert_eq!(deferred, (status == Status::InProgress).then_some(Progress::Offered), "{status:?}");
    }
}

#[test]
fn an_offer_needs_an_open_place() {
    // (label, position, open_to, offered)
    let cases = [
        ("the first place", 0, 1, true),
        ("the next batch", 1, 1, false),
        ("a latecomer meanwhile", u32::MAX, 9, false),
        ("a latecomer in the last batch", u32::MAX, 10, true),
    ];
    for (label, position, open_to, offered) in cases {
        let mut device = placed(Progress::Waiting);
        track(&mut device).current.as_mut().unwrap().position = position;
        let rollout = Rollout { open_to, ..rollout(Status::InProgress) };
        assert_eq!(after(&device, rollout, json!({}), 60), offered.then_some(Progress::Offered), "{label}");
    }
    let unplanned = Rollout { total: 0, open_to: 0, ..rollout(Status::InProgress) };
    assert_eq!(after(&placed(Progress::Waiting), unplanned, json!({}), 60), None, "no plan, no last batch");
}

type Change = fn(&mut Device);

#[test]
fn who_needs_no_offer_is_skipped_with_the_reason() {
    let arm = |device: &mut Device| device.platform = Some("linux/arm64".to_owned());
    let cases: [(&str, Change, Reason); 4] = [
        ("another fleet", |device| device.fleet_id = "ships".to_owned(), Reason::Removed),
        ("no such service", |device| device.services.clear(), Reason::Removed),
        ("another platform", |device| device.platform = Some("linux/s390x".to_owned()), Reason::NotApplicable),
        ("runs it", |device| drop(device.services.insert("web".to_owned(), service(2))), Reason::UpToDate),
    ];
    for (label, change, reason) in cases {
        let mut device = placed(Progress::Waiting);
        arm(&mut device);
        change(&mut device);
        let mut known = known(rollout(Status::InProgress), json!({"fleet_id": "vans"}));
        known.plan.platforms.insert("linux/arm64".to_owned(), digest(22));
        let next = poll(&device, &knowledge([known]), at(60)).unwrap();
        assert_eq!(progress(&next), skipped(reason.clone()), "{label}");
        assert_eq!(next.log[0].event, Some(DeviceEvent::UpdateSkipped), "{label}");
        assert_eq!(next.log[0].reason, Some(reason), "{label}");
    }
}

#[test]
fn the_platforms_own_digest_is_up_to_date() {
    let mut device = placed(Progress::Waiting);
    device.platform = Some("linux/arm64".to_owned());
    device.services.insert("web".to_owned(), service(22));
    let mut known = known(rollout(Status::InProgress), json!({}));
    known.plan.platforms.insert("linux/arm64".to_owned(), digest(22));
    known.plan.platforms.insert("linux/amd64".to_owned(), digest(23));
    let next = poll(&device, &knowledge([known.clone()]), at(60)).unwrap();
    assert_eq!(progress(&next), skipped(Reason::UpToDate));
    device.services.insert("web".to_owned(), service(23));
    let next = poll(&device, &knowledge([known]), at(60)).unwrap();
    assert_eq!(progress(&next), Progress::Offered, "another platform's content is not its own");
}

#[test]
fn an_offer_waits_for_the_window() {
    // (label, hour and minutes after midnight, offered)
    let cases =
        [("before", 119, false), ("at its opening", 120, true), ("at the cutoff", 230, true), ("past", 231, false)];
    for (label, minutes, offered) in cases {
        let moved = after(&placed(Progress::Waiting), rollout(Status::InProgress), nightly(), minutes * 60);
        assert_eq!(moved, offered.then_some(Progress::Offered), "{label}");
    }
}

/// The device with a second image, of policy `name`, this far in its rollout `S`.
fn with_second_image(
    mut device: Device,
    name: &str,
    progress: Progress,
    auto_rollback: bool,
) -> (Device, RolloutContext) {
    let other = Repository::parse("acme/db").unwrap();
    device.services.insert("db".to_owned(), Service { repository: other.clone(), ..service(1) });
    let track = device.tracks.entry(other.clone()).or_default();
    track.current = Some(Assignment { rollout_id: RolloutId::trusted("S"), ..place(progress) });
    let rollout = Rollout { rollout_id: id("S"), repository: other, ..rollout(Status::InProgress) };
    (device, known(rollout, json!({"name": name, "auto_rollback": auto_rollback})))
}

#[test]
fn one_image_moves_at_a_time() {
    for there in every_progress() {
        for auto_rollback in [true, false] {
            let (device, second) = with_second_image(placed(Progress::Waiting), "zzz", there.clone(), auto_rollback);
            let next = poll(&device, &knowledge([known(rollout(Status::InProgress), json!({})), second]), at(60));
            let busy = there.before_swap()
                || matches!(there, Progress::Swapping | Progress::Reverting)
                || matches!(there, Progress::Failed { swapped: true, .. }) && auto_rollback;
            let offered = next.as_ref().is_some_and(|next| progress(next) == Progress::Offered);
            assert_eq!(offered, !busy, "{there:?}, auto_rollback {auto_rollback}");
        }
    }
}

#[test]
fn of_two_images_the_first_policy_by_name_moves() {
    for (name, first) in [("aaa", "db"), ("zzz", "app")] {
        let (device, second) = with_second_image(placed(Progress::Waiting), name, Progress::Waiting, true);
        let known = knowledge([known(rollout(Status::InProgress), json!({})), second]);
        let next = poll(&device, &known, at(60)).unwrap();
        let moved: Vec<&str> = next
            .tracks
            .iter()
            .filter(|(_, track)| track.current.as_ref().unwrap().progress == Progress::Offered)
            .map(|(repository, _)| repository.path())
            .collect();
        assert_eq!(moved, [format!("acme/{first}")], "policy {name}");
        assert_eq!(next.log.len(), 1);
    }
}

#[test]
fn an_offer_starts_the_clocks_and_tells_the_row() {
    let known = knowledge([known(rollout(Status::InProgress), json!({}))]);
    let next = poll(&placed(Progress::Waiting), &known, at(60)).unwrap();
    let current = next.tracks[&repository()].current.clone().unwrap();
    assert_eq!((current.offered_at, current.progress_at), (Some(at(60)), None));
    let entry = &next.log[0];
    assert!(entry.offered);
    assert_eq!((entry.class, entry.event), (Some(crate::counts::Class::Updating), None));
    assert_eq!((entry.batch, entry.position), (None, None), "the row has its place from the plan");
    assert_eq!(next.last_seen, at(60));
}

#[test]
fn who_comes_late_counts_in_the_newest_open_batch() {
    for (progress, position) in [(Progress::Deferred, 0), (Progress::Waiting, u32::MAX)] {
        let mut device = placed(progress.clone());
        track(&mut device).current.as_mut().unwrap().position = position;
        let rollout = Rollout { batch: 3, open_to: 10, ..rollout(Status::InProgress) };
        let next = poll(&device, &knowledge([known(rollout, json!({}))]), at(60)).unwrap();
        assert_eq!(next.tracks[&repository()].current.as_ref().unwrap().batch, 3, "{progress:?}");
        assert_eq!((next.log[0].batch, next.log[0].position), (Some(3), Some(position)), "{progress:?}");
    }
}

#[test]
fn an_offer_is_withdrawn_before_the_swap_only() {
    for status in Status::ALL {
        for progress in every_progress() {
            let moved = after(&placed(progress.clone()), rollout(status), json!({}), 60);
            let withdrawn = moved == Some(skipped(Reason::Withdrawn));
            assert_eq!(withdrawn, status.withdraws() && progress.before_swap(), "{progress:?} in {status:?}");
        }
    }
}

#[test]
fn the_question_before_the_swap() {
    for status in Status::ALL.into_iter().filter(|status| !status.withdraws()) {
        let moved = after(&placed(Progress::Pulled), rollout(status), json!({}), 60);
        // What was offered before its rollout completed is finished: the image is proven.
        let allowed = matches!(status, Status::InProgress | Status::Completed);
        assert_eq!(moved, allowed.then_some(Progress::Swapping), "{status:?}");
    }
    let closed = after(&placed(Progress::Pulled), rollout(Status::InProgress), nightly(), HOUR);
    assert_eq!(closed, None, "waits for the window");
    let open = after(&placed(Progress::Pulled), rollout(Status::InProgress), nightly(), 3 * HOUR);
    assert_eq!(open, Some(Progress::Swapping));
    let known = knowledge([known(rollout(Status::InProgress), json!({}))]);
    let next = poll(&placed(Progress::Pulled), &known, at(60)).unwrap();
    assert!(next.log.is_empty(), "the row hears of it with the next report");
}

#[test]
fn the_end_of_a_lock() {
    let cases = [
        ("still locked", true, Status::InProgress, HOUR - 1, None),
        ("has the image", true, Status::InProgress, HOUR, Some(Progress::Swapping)),
        ("has the image, paused", true, Status::Paused, HOUR, Some(Progress::Pulled)),
        ("has it not yet", false, Status::InProgress, HOUR, Some(Progress::Offered)),
        ("has it not yet, paused", false, Status::Paused, HOUR, Some(Progress::Offered)),
    ];
    for (label, pulled, status, now, expected) in cases {
        let known = knowledge([known(rollout(status), json!({}))]);
        let next = poll(&placed(blocked(pulled)), &known, at(now));
        assert_eq!(next.as_ref().map(progress), expected, "{label}");
        let Some(next) = next else { continue };
        let current = next.tracks[&repository()].current.as_ref().unwrap();
        assert_eq!(current.offered_at, Some(at(now)), "{label}: the clocks start again");
    }
}

#[test]
fn a_rollback_of_everything_takes_back_what_was_swapped() {
    for status in [Status::RollingBack, Status::RolledBack] {
        for progress in every_progress() {
            let moved = after(&placed(progress.clone()), rollout(status), json!({}), 60);
            let expected = match &progress {
                Progress::Swapping | Progress::Healthy | Progress::NotSeen => Some(Progress::Reverting),
                progress if progress.before_swap() => Some(skipped(Reason::Withdrawn)),
                _ => None,
            };
            assert_eq!(moved, expected, "{progress:?} in {status:?}");
        }
        let by_order = json!({"auto_rollback": false});
        let moved = after(&placed(failed(Reason::Unhealthy, true)), rollout(status), by_order, 60);
        assert_eq!(moved, Some(Progress::Reverting), "it does not go back by itself");
    }
}

#[test]
fn a_rollback_of_everything_obeys_only_what_it_was_told_to() {
    // (label, open_to, respect_windows, hour, has an old image, expected)
    let reverting = Some(Progress::Reverting);
    let cases = [
        ("ignores windows", u32::MAX, false, HOUR, true, reverting.clone()),
        ("respects them", u32::MAX, true, HOUR, true, None),
        ("and goes on in one", u32::MAX, true, 3 * HOUR, true, reverting.clone()),
        ("not open so far", 0, false, HOUR, true, None),
        ("open so far", 1, false, HOUR, true, reverting),
        ("no old image", u32::MAX, false, HOUR, false, Some(stuck(Reason::NoPrevious))),
    ];
    for (label, open_to, respect_windows, now, has_old, expected) in cases {
        let mut device = placed(Progress::Healthy);
        if !has_old {
            track(&mut device).baseline = None;
        }
        let mut rollout = rollout(Status::RollingBack);
        rollout.rollback =
            Some(crate::rollout::Rollback { started_at: at(0), open_to, max_in_flight: None, respect_windows });
        assert_eq!(after(&device, rollout, nightly(), now), expected, "{label}");
    }
}

#[test]
fn the_next_place_moves_up_when_the_swap_is_settled() {
    let mut device = placed(Progress::Pulled);
    track(&mut device).next = Some(Assignment::new(id("R3"), 3, 0, 1));
    let newer = Rollout { rollout_id: id("R3"), generation: 3, ..rollout(Status::InProgress) };
    let known = knowledge([known(rollout(Status::Superseded), json!({})), known(newer, json!({}))]);
    let next = poll(&device, &known, at(60)).unwrap();
    let track = &next.tracks[&repository()];
    assert_eq!(track.current.as_ref().unwrap().rollout_id, id("R3"));
    assert_eq!(track.last.as_ref().unwrap().rollout_id, id("R"));
    assert!(track.next.is_none());
}

#[test]
fn a_settled_device_is_written_every_six_hours() {
    let known = knowledge([known(rollout(Status::Completed), json!({}))]);
    let device = placed(Progress::Healthy);
    assert_eq!(poll(&device, &known, at(6 * HOUR - 1)), None);
    let next = poll(&device, &known, at(6 * HOUR)).unwrap();
    assert_eq!(next, Device { last_seen: at(6 * HOUR), rev: device.rev + 1, ..device });
    assert_eq!(poll(&next, &known, at(6 * HOUR + 1)), None);
}

#[test]
fn a_device_whose_rollout_is_not_known_stays() {
    assert_eq!(poll(&placed(Progress::Waiting), &RolloutContexts::new(), at(60)), None);
}

#[test]
fn who_runs_it_when_its_turn_comes_rests_on_it() {
    let mut device = placed(Progress::Waiting);
    device.services.insert("web".to_owned(), service(2));
    track(&mut device).drifted = Some(pin(1));
    let next = poll(&device, &knowledge([known(rollout(Status::InProgress), json!({}))]), at(60)).unwrap();
    assert_eq!(progress(&next), skipped(Reason::UpToDate));
    let track = &next.tracks[&repository()];
    assert_eq!((&track.resting, &track.drifted, &track.baseline), (&Some(pin(2)), &None, &Some(pin(1))));
}
