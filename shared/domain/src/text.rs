//! What others wrote, made harmless for whoever reads it.
//!
//! A message of a device, a registry's words, a colleague's reason may hold characters that a terminal obeys instead of
//! showing: escape sequences that rename its window, clear it or colour it, a carriage return that writes over what stands
//! there, marks that turn the direction of the text around or cannot be seen at all. In names they are refused; in
//! everything else they are shown as escapes, but for the selector that makes an emoji of the sign before it.

use std::borrow::Cow;
use std::fmt;
use std::fmt::Write as _;

/// Whether a character acts on what shows it, or cannot be seen in it: controls (C0, DEL, C1), line and paragraph
/// separators, marks of direction, what has no width, variation selectors, tags, and what is set aside for private use.
///
/// What has no width is Unicode's `Default_Ignorable_Code_Point` (DerivedCoreProperties.txt of Unicode 17, the same since
/// 14). Blanks that have a width, such as U+2800, can be seen as one sees a space, and are none of these.
pub const fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}'
        | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{e000}'..='\u{f8ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{10ffff}')
}

/// Whether a character is harmless behind `before` although it cannot be seen: a selector between a sign's form as text and
/// as emoji, one behind one sign. It hides nothing and moves nothing.
fn is_presentation(before: Option<char>, c: char) -> bool {
    matches!(c, '\u{fe0e}' | '\u{fe0f}') && before.is_some_and(|sign| !is_unseen(sign) && !sign.is_whitespace())
}

/// The characters of a text, each with whether it may act on what shows it.
fn judged(text: &str) -> impl Iterator<Item = (char, bool)> + '_ {
    let mut before = None;
    text.chars().map(move |c| {
        let acts = is_unseen(c) && !is_presentation(before, c);
        before = Some(c);
        (c, acts)
    })
}

/// A text on one line: every character that acts or cannot be seen stands as its escape.
pub fn shown(text: &str) -> Cow<'_, str> {
    escaped(text, |_| false)
}

/// A text of several lines that this program put together: its own line breaks stay, all else is as in [`shown`].
pub fn shown_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| c == '\n')
}

fn escaped(text: &str, stays: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !judged(text).any(|(c, acts)| acts && !stays(c)) {
        return Cow::Borrowed(text);
    }
    let mut harmless = String::with_capacity(text.len() + 8);
    for (c, acts) in judged(text) {
        match c {
            c if !acts || stays(c) => harmless.push(c),
            '\n' => harmless.push_str("\\n"),
            '\r' => harmless.push_str("\\r"),
            '\t' => harmless.push_str("\\t"),
            c => harmless.extend(c.escape_unicode()),
        }
    }
    Cow::Owned(harmless)
}

/// JSON that is as readable as it was, and means the same: what acts on a terminal stands in JSON's own escapes. Outside
/// of its strings JSON has no such character but the line breaks and spaces of its layout.
pub fn shown_json(json: &str) -> Cow<'_, str> {
    if !judged(json).any(|(c, acts)| acts && c != '\n') {
        return Cow::Borrowed(json);
    }
    let mut harmless = String::with_capacity(json.len() + 8);
    for (c, acts) in judged(json) {
        if acts && c != '\n' {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a text cannot fail.
                let _ = write!(harmless, "\\u{unit:04x}");
            }
        } else {
            harmless.push(c);
        }
    }
    Cow::Owned(harmless)
}

/// A name that holds a character that acts or cannot be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unseen(pub char);

impl fmt::Display for Unseen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected characters that can be seen, found U+{:04X}", u32::from(self.0))
    }
}

impl std::error::Error for Unseen {}

/// Refuses a name with a character that acts or cannot be seen.
pub fn name(text: &str) -> Result<(), Unseen> {
    text.chars().find(|c| is_unseen(*c)).map_or(Ok(()), |c| Err(Unseen(c)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What terminals are attacked with, each with what is shown instead.
    const SEQUENCES: [(&str, &str, &str); 21] = [
        ("the window's title", "\u{1b}]0;owned\u{7}", "\\u{1b}]0;owned\\u{7}"),
        ("clearing", "\u{1b}[2J\u{1b}[H", "\\u{1b}[2J\\u{1b}[H"),
        ("a colour", "\u{1b}[31mred\u{1b}[0m", "\\u{1b}[31mred\\u{1b}[0m"),
        ("a link", "\u{1b}]8;;http://x\u{1b}\\y", "\\u{1b}]8;;http://x\\u{1b}\\y"),
        ("the clipboard", "\u{1b}]52;c;eA==\u{7}", "\\u{1b}]52;c;eA==\\u{7}"),
        ("a C1 introducer", "\u{9b}2J", "\\u{9b}2J"),
        ("a C1 command string", "\u{9d}0;x\u{9c}", "\\u{9d}0;x\\u{9c}"),
        ("writing over a line", "FAILED\rok", "FAILED\\rok"),
        ("a line of its own", "ok\nerror: none", "ok\\nerror: none"),
        ("going back", "no\u{8}\u{8}ok", "no\\u{8}\\u{8}ok"),
        ("a bell and a null", "\u{7}\u{0}", "\\u{7}\\u{0}"),
        ("delete", "a\u{7f}", "a\\u{7f}"),
        ("an override of direction", "app\u{202e}gpj.exe", "app\\u{202e}gpj.exe"),
        ("an isolate", "\u{2066}a\u{2069}", "\\u{2066}a\\u{2069}"),
        ("marks of direction", "\u{200e}\u{200f}\u{61c}", "\\u{200e}\\u{200f}\\u{61c}"),
        ("what has no width", "pro\u{200b}duc\u{feff}tion\u{2060}", "pro\\u{200b}duc\\u{feff}tion\\u{2060}"),
        ("other line breaks", "a\u{85}b\u{2028}c\u{2029}", "a\\u{85}b\\u{2028}c\\u{2029}"),
        ("tags", "a\u{e0041}", "a\\u{e0041}"),
        ("fillers", "a\u{115f}\u{1160}\u{3164}\u{ffa0}", "a\\u{115f}\\u{1160}\\u{3164}\\u{ffa0}"),
        ("variation selectors", "a\u{fe00}b\u{e0100}c\u{e01ef}", "a\\u{fe00}b\\u{e0100}c\\u{e01ef}"),
        ("selectors of nothing", "\u{fe0f}a \u{fe0f}b\u{fe0f}\u{fe0f}", "\\u{fe0f}a \\u{fe0f}b\u{fe0f}\\u{fe0f}"),
    ];

    #[test]
    fn the_usual_sequences_are_shown_and_refused_in_names() {
        for (label, text, expected) in SEQUENCES {
            assert_eq!(shown(text), expected, "{label}");
            assert!(name(text).is_err(), "{label}");
        }
        assert_eq!(shown_lines("a\nb\u{1b}"), "a\nb\\u{1b}");
    }

    #[test]
    fn what_people_write_stays_as_it_is() {
        for text in
            ["", "gate 12", "Größe: ±3 °C", "東京", "النافذة", "שער", "v1.2.3+build", "🚂 ok", "e\u{301}", "a\\b"]
        {
            assert!(matches!(shown(text), Cow::Borrowed(same) if same == text), "{text}");
            assert_eq!(name(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn an_emoji_is_readable_in_a_text_and_refused_in_a_name() {
        for text in ["⚠\u{fe0f} disk full", "done ✔\u{fe0e}", "1\u{fe0f}\u{20e3} first"] {
            assert!(matches!(shown(text), Cow::Borrowed(same) if same == text), "{text}");
            assert!(matches!(shown_lines(text), Cow::Borrowed(same) if same == text), "{text}");
            assert!(name(text).is_err(), "{text}");
        }
        assert_eq!(shown_json("\"⚠\u{fe0f}\u{200b}\""), "\"⚠\u{fe0f}\\u200b\"");
    }

    /// Unicode's `Default_Ignorable_Code_Point`, from DerivedCoreProperties.txt.
    #[test]
    fn what_is_ignored_by_default_cannot_be_seen() {
        for (first, last) in [
            (0xad, 0xad),
            (0x34f, 0x34f),
            (0x61c, 0x61c),
            (0x115f, 0x1160),
            (0x17b4, 0x17b5),
            (0x180b, 0x180f),
            (0x200b, 0x200f),
            (0x202a, 0x202e),
            (0x2060, 0x206f),
            (0x3164, 0x3164),
            (0xfe00, 0xfe0f),
            (0xfeff, 0xfeff),
            (0xffa0, 0xffa0),
            (0xfff0, 0xfff8),
            (0x1bca0, 0x1bca3),
            (0x1d173, 0x1d17a),
            (0xe0000, 0xe0fff),
        ] {
            for code in first..=last {
                assert!(char::from_u32(code).is_some_and(is_unseen), "U+{code:04X}");
            }
        }
        assert!(!is_unseen('\u{2800}') && !is_unseen('\u{3000}') && !is_unseen('\u{a0}'));
    }

    /// Whether something in it acts, but for its line breaks where they `stay`.
    fn acts(text: &str, stay: bool) -> bool {
        judged(text).any(|(c, acts)| acts && !(stay && c == '\n'))
    }

    proptest! {
        #[test]
        fn nothing_that_acts_is_left(text in "\\PC*|(?s).*|[a ⚠\u{fe0f}\u{fe0e}\u{200d}\n]*") {
            prop_assert!(!acts(&shown(&text), false));
            prop_assert!(!acts(&shown_lines(&text), true));
        }

        #[test]
        fn json_means_the_same(text in "(?s).*") {
            let json = serde_json::to_string_pretty(&serde_json::json!({ text.clone(): [text.clone()] })).unwrap();
            let harmless = shown_json(&json);
            prop_assert!(!acts(&harmless, true));
            let read: serde_json::Value = serde_json::from_str(&harmless).unwrap();
            prop_assert_eq!(read, serde_json::json!({ text.clone(): [text] }));
        }
    }
}
