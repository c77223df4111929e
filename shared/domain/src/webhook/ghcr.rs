//! GitHub's container registry: `package` events of repository hooks and `registry_package` events of GitHub Apps, the
//! same object under two names (<https://docs.github.com/webhooks/webhook-events-and-payloads#package>).
//!
//! GitHub sends one event per manifest, platforms and attestations included; only a tagged one is a release.
//! `package_version.version` and `.name` are digests, never tags.

use serde_json::Value;

use super::artifact::{MediaTypes, image_tag};
use super::{DeliveryKey, Entry, Headers, IgnoreReason, Ignored, Kind, PushNotice, field, reference};
use crate::image::{Digest, Tag};

const HOST: &str = "ghcr.io";

/// The one thing that the body tells of.
pub(super) fn entries(body: &Value, headers: &Headers, body_sha256: &str, configured_host: Option<&str>) -> Vec<Entry> {
    let keys = keys(headers, body_sha256);
    let entry = match (headers.text("x-github-event"), package_of(body)) {
        (Some("ping"), _) => ignored(IgnoreReason::Ping, keys),
        // The mission's own sample comes without the header.
        (Some("package" | "registry_package") | None, Some(package)) => {
            package_entry(body, package, keys, configured_host)
        }
        (Some(_) | None, _) => ignored(IgnoreReason::UnsupportedEvent, keys),
    };
    vec![entry]
}

/// A redelivery keeps its id, but nobody signs the id: a replay can come under a new one. The body is signed, and no
/// two pushes have the same body, so its digest is a second key; one known key is enough to know a repeat.
fn keys(headers: &Headers, body_sha256: &str) -> Vec<DeliveryKey> {
    let id = headers.text("x-github-delivery").map(|id| DeliveryKey::new(Kind::Ghcr, "id", id));
    id.into_iter().chain([DeliveryKey::new(Kind::Ghcr, "body", body_sha256)]).collect()
}

fn package_of(body: &Value) -> Option<&Value> {
    let given = |key| body.get(key).filter(|value| value.is_object() && field::is_given(Some(value)));
    ["package", "registry_package"].into_iter().find_map(given)
}

fn ignored(reason: IgnoreReason, keys: Vec<DeliveryKey>) -> Entry {
    Entry::Ignored(Ignored::new(reason, None, None, None, keys))
}

fn package_entry(body: &Value, package: &Value, keys: Vec<DeliveryKey>, configured_host: Option<&str>) -> Entry {
    const METADATA: &str = "/package_version/container_metadata";
    let (Ok(action), Ok(name), Ok(told_tag)) = (
        field::text(body, "action"),
        field::text(package, "name"),
        field::text_at(package, &format!("{METADATA}/tag/name")),
    ) else {
        return ignored(IgnoreReason::Unreadable, keys);
    };
    let at = |pointer: &str| field::hint_at(package, &format!("{METADATA}/manifest/{pointer}"));
    let path = path(package, name);
    let package_url = field::hint_at(package, "/package_version/package_url");
    let located =
        path.as_deref().and_then(|path| reference::locate(Some(configured_host.unwrap_or(HOST)), &[package_url], path));
    let digests = digests(package);
    let image = located.as_ref().map(|l| l.repository.as_str()).or(path.as_deref()).or(name);
    let ignored = |reason, keys| Entry::Ignored(Ignored::new(reason, image, told_tag, digests.first().copied(), keys));

    if !matches!(action, Some("published" | "updated")) {
        return ignored(IgnoreReason::NotAPush, keys);
    }
    if !is_container(package) {
        return ignored(IgnoreReason::NotAnImage, keys);
    }
    let layers = field::list_at(package, &format!("{METADATA}/manifest/layers"));
    let parts: Vec<&str> = layers.iter().filter_map(|layer| field::hint_at(layer, "/media_type")).collect();
    let artifact_marks = ["artifact_type", "artifactType", "subject"];
    let types = MediaTypes {
        manifest: at("media_type"),
        config: at("config/media_type"),
        parts: &parts,
        is_artifact: artifact_marks
            .iter()
            .any(|mark| field::is_given(package.pointer(&format!("{METADATA}/manifest/{mark}")))),
    };
    let tag = match image_tag(told_tag, &types) {
        Ok(tag) => Tag::parse(tag),
        Err(reason) => return ignored(reason, keys),
    };
    let digest = digests.iter().find_map(|digest| Digest::parse(digest).ok());
    let (Some(located), Ok(tag), true) = (located.clone(), tag, digest.is_some() || digests.is_empty()) else {
        return ignored(IgnoreReason::InvalidReference, keys);
    };
    Entry::Push(PushNotice {
        repository: located.repository,
        tag,
        digest,
        media_type: types.manifest.map(ToOwned::to_owned),
        event_time: event_time(package),
        noted_host: located.noted_host,
        keys,
        by_second: false,
    })
}

/// `CONTAINER` today, `docker` in old events. A body that does not say has container metadata or is none.
fn is_container(package: &Value) -> bool {
    let told = field::hint_at(package, "/package_type").or_else(|| field::hint_at(package, "/ecosystem"));
    match told {
        Some(told) => told.eq_ignore_ascii_case("container") || told.eq_ignore_ascii_case("docker"),
        None => field::is_given(package.pointer("/package_version/container_metadata")),
    }
}

/// Owner and name in lower case, as references have them; both keep their case in the payload. The owner's login goes
/// first: `namespace` has been seen with a repository after it, and the URL ends in a tag.
fn path(package: &Value, name: Option<&str>) -> Option<String> {
    let owner = field::hint_at(package, "/owner/login").or_else(|| field::hint_at(package, "/namespace"));
    let path = match (owner, name) {
        (Some(owner), Some(name)) => format!("{owner}/{name}"),
        (None, _) | (_, None) => path_of_url(field::hint_at(package, "/package_version/package_url")?)?.to_owned(),
    };
    Some(path.to_ascii_lowercase())
}

/// `owner/name` of `ghcr.io/owner/name:tag`; untagged ones end in a colon.
fn path_of_url(url: &str) -> Option<&str> {
    let (_, path) = url.rsplit_once("://").map_or(url, |(_, rest)| rest).split_once('/')?;
    path.split(['@', ':']).next()
}

/// Every digest that the payload gives for what was pushed, the nearest to the tag first.
fn digests(package: &Value) -> Vec<&str> {
    let version = field::hint_at(package, "/package_version/version").filter(|version| version.contains(':'));
    [
        field::hint_at(package, "/package_version/container_metadata/tag/digest"),
        field::hint_at(package, "/package_version/container_metadata/manifest/digest"),
        version,
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The later of the package's and the version's last change: the version's own is often `0001-01-01`.
fn event_time(package: &Value) -> Option<jiff::Timestamp> {
    ["/updated_at", "/package_version/updated_at"]
        .iter()
        .filter_map(|pointer| field::hint_at(package, pointer).and_then(field::time))
        .max()
}

#[cfg(test)]
mod tests;
