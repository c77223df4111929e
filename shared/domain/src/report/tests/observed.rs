//! What a body says of services.

use super::*;

fn sees(image: Option<&str>, runs: Option<u8>) -> Reports {
    let observed = Observed {
        image: image.map(|image| ImageRef::parse(image).unwrap()),
        digest: runs.map(digest),
        unread_digest: false,
        status: Some("running".to_owned()),
        healthy: Some(true),
    };
    Reports { services: BTreeMap::from([("web".to_owned(), observed)]), ..Reports::default() }
}

fn observed(device: &Device, body: &Reports) -> Option<Device> {
    told(device, body, rollout(Status::InProgress), json!({})).device
}

#[test]
fn an_unknown_service_brings_its_baseline() {
    let mut device = device();
    device.services.clear();
    device.tracks.clear();
    let next = observed(&device, &sees(Some("acme/app:v1"), Some(1))).unwrap();
    assert_eq!(next.tracks[&repository()].baseline, Some(pin(1)));
    assert_eq!(next.running_digest(&repository()), Some(&digest(1)));
    assert_eq!(observed(&device, &sees(None, Some(1))), None, "no image, no place to put it");
}

#[test]
fn the_first_report_of_the_baseline_fills_its_digest() {
    let bare = Pin { digest: None, ..pin(1) };
    let cases = [
        ("at rest", None, "acme/app:v1", true),
        ("another tag", None, "acme/app:v9", false),
        ("before the swap", Some(Progress::Pulled), "acme/app:v1", true),
        ("past the swap", Some(Progress::Swapping), "acme/app:v1", false),
    ];
    for (label, progress, image, filled) in cases {
        let mut device = device();
        *track(&mut device) = Track { baseline: Some(bare.clone()), current: progress.map(place), ..Track::default() };
        let next = observed(&device, &sees(Some(image), Some(5))).unwrap();
        let expected = filled.then(|| digest(5));
        assert_eq!(next.tracks[&repository()].baseline.as_ref().unwrap().digest, expected, "{label}");
    }
    let next = observed(&device(), &sees(Some("acme/app:v1"), Some(5))).unwrap();
    assert_eq!(next.tracks[&repository()].baseline, Some(pin(1)), "a known digest stays");
    let mut swapped = device();
    *track(&mut swapped) = Track { baseline: Some(bare.clone()), ..Track::default() };
    swapped.swaps(&repository());
    let next = observed(&swapped, &sees(Some("acme/app:v1"), None)).unwrap_or(swapped);
    assert_eq!(next.tracks[&repository()].baseline, Some(bare), "nobody said what runs since the swap");
}

#[test]
fn the_same_again_is_not_written() {
    let same = sees(Some("acme/app:v1"), Some(1));
    assert_eq!(observed(&device(), &same), None);
    let platform = Reports { platform: Some("linux/arm64".to_owned()), ..same };
    assert_eq!(observed(&device(), &platform).unwrap().platform.as_deref(), Some("linux/arm64"));
}

#[test]
fn what_nothing_explains_is_drift() {
    let old = Some(Pin { tag: None, digest: Some(digest(1)) });
    let from_new = Some(Pin { tag: None, digest: Some(digest(2)) });
    // Where it stands in rollout `R`, how that stands, what ran, what runs now, from what it drifted.
    let cases = [
        ("a stranger", None, Status::InProgress, 1, 7, old.clone()),
        ("the new image before its turn", Some(Progress::Waiting), Status::InProgress, 1, 2, old.clone()),
        ("the new image, which it fetches", Some(Progress::Pulled), Status::InProgress, 1, 2, None),
        ("a stranger while it fetches", Some(Progress::Pulled), Status::InProgress, 1, 7, old.clone()),
        ("anything in a swap", Some(Progress::Swapping), Status::InProgress, 1, 7, None),
        ("anything on the way back", Some(Progress::Reverting), Status::RollingBack, 2, 7, None),
        ("a latecomer is brought there", Some(Progress::Waiting), Status::Completed, 1, 2, None),
        ("the old image after the new one", Some(Progress::Healthy), Status::Completed, 2, 1, from_new),
        ("back to an old image of many platforms", Some(back(Reason::Unhealthy)), Status::Superseded, 2, 8, None),
        ("a stranger long after", Some(back(Reason::Unhealthy)), Status::Superseded, 1, 7, old),
    ];
    for (label, progress, status, ran, runs, expected) in cases {
        let mut device = device();
        track(&mut device).current = progress.map(place);
        device.services.insert("web".to_owned(), service(ran));
        let next = told(&device, &sees(None, Some(runs)), rollout(status), json!({})).device.unwrap();
        assert_eq!(next.tracks[&repository()].drifted, expected, "{label}");
        if next.tracks[&repository()].drifted.is_some() {
            let back = told(&next, &sees(None, Some(ran)), rollout(status), json!({})).device.unwrap();
            assert_eq!(back.tracks[&repository()].drifted, None, "{label}, and back");
        }
    }
}

#[test]
fn a_tag_is_all_that_some_enrol_with() {
    let mut device = device();
    track(&mut device).baseline.as_mut().unwrap().digest = None;
    device.services.get_mut("web").unwrap().running = None;
    let first = observed(&device, &sees(Some("acme/app:v7"), Some(7))).unwrap();
    assert_eq!(first.tracks[&repository()].drifted, Some(Pin { digest: None, ..pin(1) }));
    let same = observed(&device, &sees(Some("acme/app:v1"), Some(5))).unwrap();
    assert_eq!(same.tracks[&repository()].drifted, None);
}

#[test]
fn what_the_body_tells_of_its_work_explains_what_runs() {
    let timed_out = placed(failed(Reason::TimedOut, false));
    let late = body(2, vec![says(DeviceEvent::HealthCheckPassed, 5)]);
    let next = told(&timed_out, &late, rollout(Status::InProgress), json!({})).device.unwrap();
    assert_eq!((progress(&next), &next.tracks[&repository()].drifted), (Progress::Healthy, &None));
}

#[test]
fn what_ran_under_another_name_is_not_what_runs_now() {
    let unread = Observed { unread_digest: true, ..Observed::default() };
    let image = |image: &str| Observed { image: Some(ImageRef::parse(image).unwrap()), ..Observed::default() };
    for (label, observed, expected) in [
        ("nothing of it", Observed::default(), Some(digest(1))),
        ("the same tag", image("acme/app:v1"), Some(digest(1))),
        ("another tag", image("acme/app:v2"), None),
        ("a digest that nobody can read", unread, None),
    ] {
        let body = Reports { services: BTreeMap::from([("web".to_owned(), observed)]), ..Reports::default() };
        let next = report(&device(), &body, &RolloutContexts::new(), at(0)).device.unwrap_or_else(device);
        assert_eq!(next.running_digest(&repository()).cloned(), expected, "{label}");
    }
    let body = Reports { services: BTreeMap::from([("web".to_owned(), image("acme/other:v1"))]), ..Reports::default() };
    let next = report(&device(), &body, &RolloutContexts::new(), at(0)).device.unwrap();
    let other = ImageRef::parse("acme/other:v1").unwrap().repository;
    assert_eq!(next.running_digest(&other), None, "another repository");
    assert_eq!(next.tracks[&other].baseline.as_ref().unwrap().digest, None, "nor is it where a way back leads");
}

/// Of an unpinned rollout the device alone knows the content: what it told before the swap is no proof.
#[test]
fn an_unpinned_rollout_is_proven_by_what_was_told_after_the_swap() {
    let passed = |observed: Option<Observed>| Reports {
        services: observed.map(|observed| ("web".to_owned(), observed)).into_iter().collect(),
        reports: vec![says(DeviceEvent::ContainerUpdating, 3), says(DeviceEvent::HealthCheckPassed, 4)],
        ..Reports::default()
    };
    let image = |tag: &str, runs: Option<u8>| {
        let image = Some(ImageRef::parse(&format!("acme/app:{tag}")).unwrap());
        Some(Observed { image, digest: runs.map(digest), ..Observed::default() })
    };
    for (label, pulled, observed, proven) in [
        ("its digest", None, image("v2", Some(2)), true),
        ("the same content under another tag", None, image("v2", Some(1)), true),
        ("no digest", None, image("v2", None), false),
        ("the same tag, and no digest", None, image("v1", None), false),
        ("nothing of its services", None, None, false),
        ("nothing of its services, which run what it pulled", Some(digest(1)), None, true),
    ] {
        for progress in [Progress::Pulled, Progress::Swapping] {
            let mut device = placed(Progress::Pulled);
            if progress == Progress::Swapping {
                device = crate::poll::poll(&device, &unpinned(), at(0)).expect("it may swap");
            }
            track(&mut device).current.as_mut().unwrap().pulled.clone_from(&pulled);
            let after = report(&device, &passed(observed.clone()), &unpinned(), at(0)).device.unwrap();
            let healthy = after.tracks[&repository()].current.as_ref().unwrap().progress == Progress::Healthy;
            assert_eq!(healthy, proven, "{label}, from {progress:?}");
        }
    }
}

/// Who says no more than that it went back is taken at its word: what it told before that contradicts nothing.
#[test]
fn what_was_told_before_the_way_back_says_nothing_of_what_runs_after_it() {
    let word = |event, seq| Reports { reports: vec![says(event, seq)], ..Reports::default() };
    for (label, from, told_digest, expected) in [
        ("the new image, told before", Progress::Reverting, None, back(Reason::RollbackAll)),
        ("the new image, told with it", Progress::Reverting, Some(2), Progress::Reverting),
        ("by itself", failed(Reason::Unhealthy, true), None, back(Reason::Unhealthy)),
    ] {
        let mut device = placed(from);
        device.services.insert("web".to_owned(), service(2));
        let body = match told_digest {
            Some(runs) => super::body(runs, vec![says(DeviceEvent::RolledBack, 6)]),
            None => word(DeviceEvent::RolledBack, 6),
        };
        let next = told(&device, &body, rollout(Status::RollingBack), json!({})).device.unwrap();
        assert_eq!(progress(&next), expected, "{label}");
    }
    let mut stuck = placed(Progress::Reverting);
    stuck.services.insert("web".to_owned(), service(2));
    for attempt in 1..=3 {
        let failed = Report { attempt, ..says(DeviceEvent::RollbackFailed, 1) };
        let body = Reports { reports: vec![failed], ..Reports::default() };
        stuck = told(&stuck, &body, rollout(Status::RollingBack), json!({})).device.unwrap();
    }
    assert!(matches!(progress(&stuck), Progress::Stuck { .. }));
    assert_eq!(stuck.certain_digest(&repository()), None, "nobody said what it is left with");
}

/// Agents tell that they replace a container before they do, and bodies come late: both tell what ran before.
#[test]
fn what_is_told_while_a_swap_begins_is_no_proof() {
    let service = |runs: Option<u8>| {
        let image = runs.map(|_| ImageRef::parse("acme/app:v2").unwrap());
        BTreeMap::from([("web".to_owned(), Observed { image, digest: runs.map(digest), ..Observed::default() })])
    };
    let says_so =
        |event, seq, runs| Reports { services: service(runs), reports: vec![says(event, seq)], ..Reports::default() };
    let alone = |runs| Reports { services: service(Some(runs)), ..Reports::default() };
    let begins = |runs| says_so(DeviceEvent::ContainerUpdating, 3, Some(runs));
    let completed = |runs| says_so(DeviceEvent::UpdateCompleted, 4, Some(runs));
    for (label, ran, bodies, proven) in [
        ("what ran before, as the swap begins", Some(1), vec![begins(1)], None),
        ("that for the first time", None, vec![begins(1)], None),
        ("what ran before, by a body that comes late", Some(1), vec![begins(1), alone(1)], None),
        ("that for the first time, later", None, vec![alone(1)], None),
        ("another content than before", Some(1), vec![begins(1), alone(2)], Some(2)),
        ("what runs when it is done", Some(1), vec![begins(1), completed(2)], Some(2)),
        ("the same content again when it is done", Some(1), vec![completed(1), alone(1)], Some(1)),
        ("what ran before, after what runs now", Some(1), vec![completed(2), alone(1)], None),
        ("both, and what runs now again", Some(1), vec![completed(2), alone(1), alone(2)], Some(2)),
    ] {
        let mut device = placed(Progress::Pulled);
        let running = &mut device.services.get_mut("web").unwrap().running;
        *running = running.take().filter(|_| ran.is_some());
        let mut device = crate::poll::poll(&device, &unpinned(), at(0)).expect("it may swap");
        let passes = says_so(DeviceEvent::HealthCheckPassed, 5, None);
        for body in bodies.iter().chain([&passes]) {
            device = report(&device, body, &unpinned(), at(0)).device.unwrap_or(device);
        }
        let found = device.log.first().and_then(|entry| entry.digest.clone());
        assert_eq!(found, proven.map(digest), "{label}");
        let healthy = progress(&device) == Progress::Healthy;
        assert_eq!(healthy, proven.is_some(), "{label}");
    }
}

fn unpinned() -> RolloutContexts {
    let mut known = known(rollout(Status::InProgress), json!({}));
    known.rollout.target.digest = None;
    knowledge([known])
}
