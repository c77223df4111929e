//! The ETag of a device's target state: `"<hash>.<device revision>.<rollouts' revisions>"`.

use axum::http::{HeaderMap, header};
use tidegate_engine::poll::Snapshot;

/// Most values that are looked at.
const VALUES_MAX: usize = 8;

/// The ETag of what a device has seen.
pub(super) fn etag(seen: &Snapshot) -> String {
    format!("\"{}.{}.{}\"", seen.hash, seen.device, seen.rollouts)
}

/// What a device has seen, by every value of its If-None-Match that is one of ours.
pub(super) fn known(headers: &HeaderMap) -> Vec<Snapshot> {
    let values = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).filter_map(parse).take(VALUES_MAX).collect()
}

fn parse(text: &str) -> Option<Snapshot> {
    let text = text.trim();
    // A proxy that compresses makes an ETag weak.
    let text = text.strip_prefix("W/").unwrap_or(text);
    let mut parts = text.strip_prefix('"')?.strip_suffix('"')?.splitn(3, '.');
    let hash = parts.next()?.to_owned();
    let device = parts.next()?.parse().ok()?;
    let rollouts = parts.next()?.parse().ok()?;
    Some(Snapshot { hash, device, rollouts })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_values_are_read_and_foreign_ones_passed_over() {
        let mut headers = HeaderMap::new();
        headers.append(header::IF_NONE_MATCH, r#""ab.3.17", "0.4.17", "foreign", *"#.parse().unwrap());
        headers.append(header::IF_NONE_MATCH, r#"W/"cd.5.1""#.parse().unwrap());
        let seen = known(&headers);
        let expected = [("ab", 3, 17), ("0", 4, 17), ("cd", 5, 1)];
        let expected = expected.map(|(hash, device, rollouts)| Snapshot { hash: hash.to_owned(), device, rollouts });
        assert_eq!(seen, expected);
        assert_eq!(etag(&seen[0]), r#""ab.3.17""#);
    }
}
