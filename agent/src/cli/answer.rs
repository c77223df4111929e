//! What a command says, and how it went.

use std::io::Write;
use std::process::ExitCode;

/// A command's words for standard output, and its exit code.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// The words.
    pub text: String,
    /// The code: 0, unless the words are bad news.
    pub code: u8,
}

impl Answer {
    /// Good news.
    pub fn of(text: impl Into<String>) -> Self {
        Self { text: text.into(), code: 0 }
    }

    /// Says it. A reader that went away is no error of ours.
    pub(super) fn say(self) -> ExitCode {
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(self.text.as_bytes()).and_then(|()| out.flush());
        ExitCode::from(self.code)
    }
}
