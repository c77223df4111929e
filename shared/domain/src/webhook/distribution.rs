//! The CNCF distribution registry's notifications: an envelope of events, one push of a tagged index among blobs,
//! platforms and pulls (<https://distribution.github.io/distribution/about/notifications/>; 2.8 and 3.1 captured).

use serde_json::Value;

use super::artifact::{MediaTypes, has_config, image_tag, is_image_config, is_index};
use super::{DeliveryKey, Entry, IgnoreReason, Ignored, Kind, PushNotice, field, reference};
use crate::image::{Digest, Tag};

/// Every event of the envelope, each read for itself: what one of them lacks never spoils another. An envelope
/// without events is `{}`.
pub(super) fn entries(body: &Value, configured_host: Option<&str>) -> Vec<Entry> {
    match body.get("events") {
        Some(Value::Array(events)) => events.iter().map(|event| entry(event, configured_host)).collect(),
        events if field::is_given(events) || field::is_given(Some(body)) && !body.is_object() => {
            vec![Entry::ignored(IgnoreReason::Unreadable)]
        }
        _ => Vec::new(),
    }
}

fn entry(event: &Value, configured_host: Option<&str>) -> Entry {
    let keys: Vec<DeliveryKey> =
        field::hint_at(event, "/id").map(|id| DeliveryKey::new(Kind::Distribution, "event", id)).into_iter().collect();
    let target = event.get("target").unwrap_or(&Value::Null);
    let (Ok(Some(action)), Ok(path), Ok(told_tag), true) = (
        field::text(event, "action"),
        field::text(target, "repository"),
        field::text(target, "tag"),
        target.is_object() || !field::is_given(Some(target)),
    ) else {
        return Entry::Ignored(Ignored::new(IgnoreReason::Unreadable, None, None, None, keys));
    };
    let told_digest = field::hint_at(target, "/digest");
    let hosts = [field::hint_at(target, "/url"), field::hint_at(event, "/request/host")];
    let located = path.and_then(|path| reference::locate(configured_host, &hosts, path));
    let name = located.as_ref().map(|l| l.repository.as_str()).or(path);
    let ignored = |reason, keys| Entry::Ignored(Ignored::new(reason, name, told_tag, told_digest, keys));

    // Also `pull` (HEAD requests and reused blobs), `mount` and `delete`.
    if action != "push" {
        return ignored(IgnoreReason::NotAPush, keys);
    }
    let references = References::of(target);
    let tag = match image_tag(told_tag, &references.types(target)) {
        Ok(tag) => Tag::parse(tag),
        Err(reason) => return ignored(reason, keys),
    };
    let digest = told_digest.map(Digest::parse).transpose();
    let (Some(located), Ok(tag), Ok(digest)) = (located.clone(), tag, digest) else {
        return ignored(IgnoreReason::InvalidReference, keys);
    };
    Entry::Push(PushNotice {
        repository: located.repository,
        tag,
        digest,
        media_type: field::hint_at(target, "/mediaType").map(ToOwned::to_owned),
        event_time: field::hint_at(event, "/timestamp").and_then(field::time),
        noted_host: located.noted_host,
        keys,
        by_second: false,
    })
}

/// What the manifest refers to: config and layers, or the platforms of an index. Told only where the registry is
/// configured with `includereferences: true`.
struct References<'v> {
    types: Vec<&'v str>,
    /// Every one of them says that it is an artifact.
    all_artifacts: bool,
}

impl<'v> References<'v> {
    fn of(target: &'v Value) -> Self {
        let list = field::list_at(target, "/references");
        Self {
            types: list.iter().filter_map(|reference| field::hint_at(reference, "/mediaType")).collect(),
            all_artifacts: !list.is_empty()
                && list.iter().all(|reference| field::is_given(reference.get("artifactType"))),
        }
    }

    /// A build cache is an index of layers.
    fn holds_no_manifest(&self) -> bool {
        !self.types.is_empty() && !self.types.iter().any(|told| has_config(told) || is_index(told))
    }

    /// The config is the image's config wherever it stands, else the first reference: distribution tells it first.
    fn types(&'v self, target: &'v Value) -> MediaTypes<'v> {
        let manifest = field::hint_at(target, "/mediaType");
        let image_config = || self.types.iter().find(|t| is_image_config(t)).or(self.types.first()).copied();
        let is_index = manifest.is_some_and(is_index);
        let artifact_type = field::hint_at(target, "/artifactType").filter(|told| !is_image_config(told));
        MediaTypes {
            manifest,
            config: manifest.filter(|told| has_config(told)).and_then(|_| image_config()),
            parts: if is_index { &[] } else { &self.types },
            is_artifact: artifact_type.is_some()
                || field::is_given(target.get("subject"))
                || (is_index && (self.all_artifacts || self.holds_no_manifest())),
        }
    }
}

#[cfg(test)]
mod tests;
