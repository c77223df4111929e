//! What a body says of services, whatever its reports say.

use super::swap::Moment;
use super::{Observed, Reports};
use crate::assignment::Progress;
use crate::device::{Device, Running, Service, Track};
use crate::pin::Pin;

/// Takes over what a service runs. A service that nobody knew brings its image as its baseline.
pub(super) fn observe(device: &mut Device, name: &str, observed: &Observed, body: &Reports) {
    let Some(repository) = observed
        .image
        .as_ref()
        .map(|image| image.repository.clone())
        .or_else(|| device.services.get(name).map(|service| service.repository.clone()))
    else {
        return;
    };
    let moment = Moment::of(device, &repository, name, body);
    let tag = observed.image.as_ref().and_then(|image| image.tag.clone());
    let service =
        device.services.entry(name.to_owned()).or_insert(Service { repository: repository.clone(), running: None });
    let same_repository = service.repository == repository;
    service.repository = repository.clone();
    let old = service.running.take().filter(|_| same_repository);
    let tag = tag.or_else(|| old.as_ref().and_then(|old| old.tag.clone()));
    let told = observed.digest.clone().or_else(|| observed.image.as_ref().and_then(|image| image.digest.clone()));
    // What ran under another tag is not what runs now; nor is it where the device told something that nobody can read.
    let holds = old.as_ref().filter(|old| told.is_none() && old.tag == tag && !observed.unread_digest);
    let running = Running {
        before_swap: match &told {
            Some(told) => moment.may_be_before(old.as_ref(), told),
            None => old.as_ref().is_some_and(|old| old.before_swap),
        },
        digest: told.or_else(|| holds.and_then(|old| old.digest.clone())),
        tag,
        status: observed.status.clone().or_else(|| old.as_ref().and_then(|old| old.status.clone())),
        healthy: observed.healthy.or_else(|| old.as_ref().and_then(|old| old.healthy)),
    };
    let digest = running.digest.clone().filter(|_| !running.before_swap);
    let pin = Pin { tag: running.tag.clone(), digest };
    service.running = Some(running);
    fill_baseline(device.tracks.entry(repository).or_default(), pin);
}

fn fill_baseline(track: &mut Track, runs: Pin) {
    let untouched = track.current.as_ref().is_none_or(|current| {
        matches!(current.progress, Progress::Waiting | Progress::Deferred | Progress::Offered | Progress::Pulled)
    });
    match &mut track.baseline {
        None if runs.tag.is_some() || runs.digest.is_some() => track.baseline = Some(runs),
        Some(baseline) if baseline.digest.is_none() && baseline.tag == runs.tag && untouched => {
            baseline.digest = runs.digest;
        }
        None | Some(_) => {}
    }
}
