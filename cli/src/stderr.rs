//! What is said beside the answer, on standard error: errors, and how it goes.

use std::fmt::Display;
use std::io::{self, Write as _};

use tidegate_domain::text::shown_lines;

/// Prints a text of one or more lines, and ends the last one. Nobody may read it: that is no fault.
pub(crate) fn line(text: impl Display) {
    let text = text.to_string();
    let _ = writeln!(io::stderr().lock(), "{}", shown_lines(text.trim_end_matches('\n')));
}
