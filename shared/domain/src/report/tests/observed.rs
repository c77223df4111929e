//! What a body says of services.

use super::*;

fn sees(image: Option<&str>, runs: Option<u8>) -> Reports {
    let observed = Observed {
        image: image.map(|image| ImageRef::parse(image).unwrap()),
        digest: runs.map(digest),
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
