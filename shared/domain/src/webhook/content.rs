//! Content types, and from the raw body to JSON.

use serde_json::Value;

use super::{Headers, Kind};

/// Why an authenticated request is not read at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Answer 415.
    #[error("expected the content type application/json or any type ending in +json")]
    UnsupportedMediaType,
    /// Answer 400. Line and column count from 1; both are 0 where the text is no UTF-8 or no form.
    #[error("the body is not JSON (line {line}, column {column})")]
    NotJson {
        /// Line of the fault.
        line: usize,
        /// Column of the fault, in bytes.
        column: usize,
    },
}

/// How the body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ContentType {
    /// `application/json` or `*+json`.
    Json,
    /// A form whose field `payload` is the JSON (GitHub's and Gitea's older content type).
    Form,
}

impl ContentType {
    /// Forms are taken from those kinds alone that send them.
    pub(super) fn of(headers: &Headers, marked: Option<Kind>) -> Result<Self, Refusal> {
        let essence = essence(headers.text("content-type").unwrap_or_default());
        let sends_forms = matches!(marked, Some(Kind::Ghcr | Kind::Gitea));
        match essence.as_str() {
            "application/json" => Ok(Self::Json),
            "application/x-www-form-urlencoded" if sends_forms => Ok(Self::Form),
            other if other.len() > "+json".len() && other.contains('/') && other.ends_with("+json") => Ok(Self::Json),
            _ => Err(Refusal::UnsupportedMediaType),
        }
    }
}

/// A media type without its parameters, in lower case.
pub(super) fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The JSON of a body. Nesting deeper than 128 is refused (`serde_json`'s limit); of a doubled key the last counts;
/// a byte order mark is passed over (RFC 8259, section 8.1, allows it).
pub(super) fn parse(body: &[u8], content_type: ContentType) -> Result<Value, Refusal> {
    let not_json = |line, column| Refusal::NotJson { line, column };
    let decoded;
    let text = match content_type {
        ContentType::Json => body,
        ContentType::Form => {
            decoded = form_field(body, "payload").ok_or(not_json(0, 0))?;
            &decoded
        }
    };
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    let text = std::str::from_utf8(text).map_err(|_| not_json(0, 0))?;
    serde_json::from_str(text)
        .or_else(|error| serde_json::from_str(&without_half_pairs(text)).map_err(|_| error))
        .map_err(|e| not_json(e.line(), e.column()))
}

/// The text with `\ufffd` for each half of a surrogate pair that stands alone. JSON's grammar allows one (RFC 8259,
/// section 8.2) and senders that cut a description in the middle of a character write them; a Rust text has none.
fn without_half_pairs(text: &str) -> String {
    let mut mended = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        mended.push_str(before);
        let length = match (code_unit(escape), escape.get(6..).and_then(code_unit)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => 12,
            (Some(0xD800..=0xDFFF), _) => {
                mended.push_str("\\ufffd");
                rest = &escape[6..];
                continue;
            }
            // The backslash and the character that it escapes, which may be another backslash.
            _ => escape.char_indices().nth(2).map_or(escape.len(), |(next, _)| next),
        };
        mended.push_str(&escape[..length]);
        rest = &escape[length..];
    }
    mended.push_str(rest);
    mended
}

/// The UTF-16 code unit of an escape `\uXXXX` that the text begins with.
fn code_unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
}

/// The first field of that name in an `application/x-www-form-urlencoded` body
/// (<https://url.spec.whatwg.org/#urlencoded-parsing>).
fn form_field(body: &[u8], name: &str) -> Option<Vec<u8>> {
    body.split(|&b| b == b'&')
        .map(|pair| match pair.iter().position(|&b| b == b'=') {
            Some(at) => (&pair[..at], &pair[at + 1..]),
            None => (pair, &[][..]),
        })
        .find(|(key, _)| form_decoded(key) == name.as_bytes())
        .map(|(_, value)| form_decoded(value))
}

fn form_decoded(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        let mut byte = [0];
        rest = match (first, tail) {
            (b'%', [high, low, after @ ..]) if hex::decode_to_slice([*high, *low], &mut byte).is_ok() => {
                decoded.push(byte[0]);
                after
            }
            (b'+', _) => {
                decoded.push(b' ');
                tail
            }
            _ => {
                decoded.push(*first);
                tail
            }
        };
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types() {
        let cases = [
            ("application/json", None, Ok(ContentType::Json)),
            ("Application/JSON; charset=utf-8; x=y", None, Ok(ContentType::Json)),
            ("application/vnd.docker.distribution.events.v2+json", None, Ok(ContentType::Json)),
            ("application/x-www-form-urlencoded", Some(Kind::Ghcr), Ok(ContentType::Form)),
            ("application/x-www-form-urlencoded", None, Err(Refusal::UnsupportedMediaType)),
            ("application/x-www-form-urlencoded", Some(Kind::Distribution), Err(Refusal::UnsupportedMediaType)),
            ("text/plain", None, Err(Refusal::UnsupportedMediaType)),
            ("+json", None, Err(Refusal::UnsupportedMediaType)),
            ("", None, Err(Refusal::UnsupportedMediaType)),
        ];
        for (given, marked, expected) in cases {
            let headers: Headers = [("Content-Type", given)].into_iter().collect();
            assert_eq!(ContentType::of(&headers, marked), expected, "{given:?} of {marked:?}");
        }
        assert_eq!(ContentType::of(&Headers::default(), None), Err(Refusal::UnsupportedMediaType), "no header");
    }

    #[test]
    fn bodies() {
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        let cases: [(&str, &[u8], ContentType, Option<Value>); 17] = [
            ("object", b" {\"a\":1}\n", ContentType::Json, Some(serde_json::json!({"a": 1}))),
            ("byte order mark", b"\xEF\xBB\xBF{}", ContentType::Json, Some(serde_json::json!({}))),
            ("doubled key", br#"{"a":1,"a":2}"#, ContentType::Json, Some(serde_json::json!({"a": 2}))),
            ("empty", b"", ContentType::Json, None),
            ("cut", b"{\"a\":", ContentType::Json, None),
            ("two values", b"{}{}", ContentType::Json, None),
            ("not UTF-8", b"{\"a\":\"\xFF\"}", ContentType::Json, None),
            ("too deep", deep.as_bytes(), ContentType::Json, None),
            (
                "form",
                b"x=1&payload=%7B%22a%22%3A%22b+c%22%7D",
                ContentType::Form,
                Some(serde_json::json!({"a": "b c"})),
            ),
            ("form without payload", b"{}", ContentType::Form, None),
            (
                "half a pair",
                br#"{"a":"\ud83d","b":"\udc4d\ud83d\ud83d\udc4d"}"#,
                ContentType::Json,
                Some(serde_json::json!({"a": "\u{fffd}", "b": "\u{fffd}\u{fffd}\u{1f44d}"})),
            ),
            (
                "no pair, but escaped backslashes",
                br#"{"a":"\\ud83d\ud83d"}"#,
                ContentType::Json,
                Some(serde_json::json!({"a": "\\ud83d\u{fffd}"})),
            ),
            ("half a pair and cut", br#"{"a":"\ud83d"#, ContentType::Json, None),
            ("cut in an escape", br#"{"a":"\ud83d\u12"#, ContentType::Json, None),
            ("a sign is no digit", br#"{"a":"\ud83d\u+123"}"#, ContentType::Json, None),
            ("cut after a backslash", "{\"a\":\"\\".as_bytes(), ContentType::Json, None),
            ("form with stray percent", b"payload=%7B%7D%2", ContentType::Form, None),
        ];
        for (label, body, content_type, expected) in cases {
            assert_eq!(parse(body, content_type).ok(), expected, "{label}");
        }
    }
}
