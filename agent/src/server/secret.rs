//! Texts that nobody is to see.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A token or a key. It shows itself to those who ask for it by name, and to no log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// A secret of this text, without the white space around it (files end with a line end).
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    /// The text, for the one place that sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether it can stand in a header: some text, on one line.
    pub fn is_usable(&self) -> bool {
        !self.0.is_empty() && self.0.bytes().all(|byte| byte.is_ascii_graphic())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_never_shown_by_accident() {
        let secret = Secret::new("tgd_hunter2\n");
        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "Secret(…) Some(Secret(…))");
        assert_eq!(secret.reveal(), "tgd_hunter2");
    }

    #[test]
    fn knows_what_a_header_can_carry() {
        for (text, usable) in [("tgd_a", true), ("", false), ("a b", false), ("a\nb", false), ("ä", false)] {
            assert_eq!(Secret::new(text).is_usable(), usable, "{text:?}");
        }
    }
}
