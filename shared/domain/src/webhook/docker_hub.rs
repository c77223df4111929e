//! Docker Hub: one tag per delivery, no digest, no id, no signature (<https://docs.docker.com/docker-hub/repos/manage/webhooks/>).
//!
//! `callback_url` is not read: it is whatever the sender wrote, and the documentation no longer uses it.

use serde_json::Value;

use super::artifact::{MediaTypes, image_tag};
use super::content::essence;
use super::{DeliveryKey, Entry, IgnoreReason, Ignored, Kind, PushNotice, field, reference};
use crate::image::Tag;

const HOST: &str = "docker.io";

/// The one push that the body tells of.
pub(super) fn entries(body: &Value, configured_host: Option<&str>) -> Vec<Entry> {
    vec![entry(body, configured_host)]
}

fn entry(body: &Value, configured_host: Option<&str>) -> Entry {
    let (Ok(path), Ok(told_tag)) =
        (field::text_at(body, "/repository/repo_name"), field::text_at(body, "/push_data/tag"))
    else {
        return Entry::ignored(IgnoreReason::Unreadable);
    };
    // Undocumented and rare; where it was seen it was the config's type.
    let media_type = field::hint_at(body, "/push_data/media_type");
    let types = match media_type {
        Some(told) if essence(told).contains(".config.") => MediaTypes { config: media_type, ..MediaTypes::default() },
        Some(_) | None => MediaTypes { manifest: media_type, ..MediaTypes::default() },
    };
    let located = path.and_then(|path| reference::locate(configured_host, &[Some(HOST)], path));
    let name = located.as_ref().map(|l| l.repository.as_str()).or(path);
    let ignored = |reason| Entry::Ignored(Ignored::new(reason, name, told_tag, None, Vec::new()));

    let tag = match image_tag(told_tag, &types) {
        Ok(tag) => Tag::parse(tag),
        Err(reason) => return ignored(reason),
    };
    let (Some(located), Ok(tag)) = (located.clone(), tag) else { return ignored(IgnoreReason::InvalidReference) };
    let pushed_at = body.pointer("/push_data/pushed_at");
    let event_time = pushed_at.and_then(field::seconds);
    // The sender's own id does not exist; a repeat is the same tag at the same second.
    let second = match event_time {
        Some(time) => Some(time.to_string()),
        None => pushed_at.filter(|value| field::is_given(Some(value))).map(ToString::to_string),
    };
    let keys = second
        .map(|second| DeliveryKey::new(Kind::DockerHub, "push", &format!("{}:{tag}@{second}", located.repository)))
        .into_iter()
        .collect();
    Entry::Push(PushNotice {
        repository: located.repository,
        tag,
        digest: None,
        media_type: media_type.map(ToOwned::to_owned),
        event_time,
        noted_host: None,
        keys,
        by_second: true,
    })
}

#[cfg(test)]
mod tests;
