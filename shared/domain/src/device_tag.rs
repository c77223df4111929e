//! A device's tag in one text: `key=value`, or `key:value`. Both mean the same wherever a tag is written in one text.

/// The text is no tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a tag, key=value or key:value")]
pub struct NotATag;

/// Whether a key may hold this character: it must not divide a key from its value.
pub const fn divides(c: char) -> bool {
    matches!(c, '=' | ':')
}

/// Reads a tag: the first `=` or `:` divides, the value may hold further ones.
pub fn parse(text: &str) -> Result<(String, String), NotATag> {
    match text.split_once(divides) {
        Some((key, value)) if !key.is_empty() && !value.is_empty() => Ok((key.to_owned(), value.to_owned())),
        Some(_) | None => Err(NotATag),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_one() {
        for (text, read) in [
            ("region=eu", Some(("region", "eu"))),
            ("region:eu", Some(("region", "eu"))),
            ("url=http://x", Some(("url", "http://x"))),
            ("a:b=c", Some(("a", "b=c"))),
            ("region", None),
            ("=eu", None),
            ("region=", None),
            ("", None),
        ] {
            let read = read.map(|(key, value): (&str, &str)| (key.to_owned(), value.to_owned()));
            assert_eq!(parse(text), read.ok_or(NotATag), "{text}");
        }
    }
}
