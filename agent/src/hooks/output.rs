//! The last line that a program says, of however much it says.

use tokio::io::{AsyncRead, AsyncReadExt};

/// Bytes of the end that are kept.
const KEPT: usize = 1024;
/// Longest line that is told.
const SHOWN: usize = 300;

/// Reads everything and keeps the end of it.
pub(super) async fn tail(mut from: impl AsyncRead + Unpin) -> Vec<u8> {
    let (mut kept, mut part) = (Vec::new(), [0; 1024]);
    loop {
        match from.read(&mut part).await {
            Ok(0) | Err(_) => return kept,
            Ok(count) => {
                kept.extend_from_slice(&part[..count]);
                kept.drain(..kept.len().saturating_sub(KEPT));
            }
        }
    }
}

/// The last line with something on it, printable.
pub(super) fn last_line(tail: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(tail);
    let line = text.lines().rev().find(|line| !line.trim().is_empty())?;
    Some(line.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn keeps_the_last_line_of_a_flood() {
        let flood = [vec![b'x'; 100_000], b"\nthe end\n\n".to_vec()].concat();
        let kept = tail(&flood[..]).await;
        assert!(kept.len() <= KEPT);
        assert_eq!(last_line(&kept).as_deref(), Some("the end"));
    }

    #[test]
    fn lines_are_short_and_printable() {
        for (text, expected) in [
            (&b""[..], None),
            (b" \n\n", None),
            (b"one\ntwo", Some("two")),
            (b"one\r\n", Some("one")),
            (b"a\x1b[2Jb\n", Some("a [2Jb")),
            (b"\xff\n", Some("\u{fffd}")),
        ] {
            assert_eq!(last_line(text).as_deref(), expected, "{text:?}");
        }
        assert_eq!(last_line(&[b'x'; 1024]).map(|line| line.len()), Some(SHOWN));
    }
}
