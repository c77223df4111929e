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
