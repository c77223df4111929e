//! What a command answers, on standard output. Whoever reads it may stop early (`| head`): that is no fault.
//!
//! This and [`crate::stderr`] are the only places that print. What devices, registries and colleagues wrote reaches the
//! terminal through here, and never acts on it.

use std::fmt::Display;
use std::io::{self, Write as _};

use anyhow::Result;
use serde::Serialize;
use tidegate_domain::text::{shown, shown_json, shown_lines};

/// Prints a text of whole lines. What comes from elsewhere stands in it as [`shown`] has it, so that every line break is
/// this program's own; a [`crate::table::Table`] sees to its cells.
pub(crate) fn print(text: impl Display) -> Result<()> {
    write(&shown_lines(&text.to_string()))
}

/// Prints a line. A line break within it is shown, not obeyed.
pub(crate) fn line(text: impl Display) -> Result<()> {
    write(&format!("{}\n", shown(&text.to_string())))
}

/// Prints a value as JSON, readable.
pub(crate) fn json(value: &impl Serialize) -> Result<()> {
    write(&format!("{}\n", shown_json(&serde_json::to_string_pretty(value)?)))
}

/// Prints a value as JSON on one line.
pub(crate) fn json_line(value: &impl Serialize) -> Result<()> {
    write(&format!("{}\n", shown_json(&serde_json::to_string(value)?)))
}

fn write(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => Ok(done?),
    }
}
