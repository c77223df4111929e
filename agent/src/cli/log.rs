//! Where the agent's own words go: standard error, or a file that does not grow for ever.

use std::fs::{File, OpenOptions};
use std::io::{Result, Write, stderr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tidegate_domain::text::shown;
use tracing::Level;

use crate::config::Environment;

/// Bytes after which a file is put aside for a new one.
const LARGEST: u64 = 1 << 20;

/// Sets up the log, once. `TIDEGATE_AGENT_LOG` is a level: `error`, `warn`, `info` (the default), `debug`, `trace`.
pub fn set_up(log_file: Option<&Path>, environment: Environment<'_>) -> Result<()> {
    let level = environment("TIDEGATE_AGENT_LOG").and_then(|text| text.parse().ok()).unwrap_or(Level::INFO);
    let log = tracing_subscriber::fmt().with_max_level(level).with_target(false).with_ansi(false);
    // Only a second one in the same process can fail; then the first one serves.
    let _ = match log_file {
        Some(path) => log.with_writer(Mutex::new(Harmless(LogFile::open(path)?))).try_init(),
        // The journal has its own time for each line.
        None if environment("JOURNAL_STREAM").is_some() => {
            log.without_time().with_writer(|| Harmless(stderr())).try_init()
        }
        None => log.with_writer(|| Harmless(stderr())).try_init(),
    };
    Ok(())
}

/// Takes the log's lines, one at a time, and passes them on with what registries, the engine and the server wrote made
/// harmless: a line stays one line, and acts on no terminal.
#[derive(Debug)]
struct Harmless<W>(W);

impl<W: Write> Write for Harmless<W> {
    fn write(&mut self, line: &[u8]) -> Result<usize> {
        let text = String::from_utf8_lossy(line);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        self.0.write_all(format!("{}\n", shown(text)).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> Result<()> {
        self.0.flush()
    }
}

/// The file before this one.
pub fn previous(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    PathBuf::from(name)
}

/// A file and the one before it.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    file: File,
    length: u64,
    largest: u64,
}

impl LogFile {
    /// Goes on with the file that is there.
    pub fn open(path: &Path) -> Result<Self> {
        let file = append_to(path)?;
        Ok(Self { path: path.to_owned(), length: file.metadata()?.len(), file, largest: LARGEST })
    }
}

impl Write for LogFile {
    fn write(&mut self, line: &[u8]) -> Result<usize> {
        if self.length > 0 && self.length + line.len() as u64 > self.largest {
            std::fs::rename(&self.path, previous(&self.path))?;
            self.file = append_to(&self.path)?;
            self.length = 0;
        }
        let written = self.file.write(line)?;
        self.length += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> Result<()> {
        self.file.flush()
    }
}

fn append_to(path: &Path) -> Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o640).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Folder;

    #[test]
    fn a_line_stays_one_line_and_acts_on_nothing() {
        let mut log = Harmless(Vec::new());
        log.write_all("pulled \u{1b}[2J\u{202e}x\n2026-01-01 ERROR forged\r\n".as_bytes()).expect("written");
        let text = String::from_utf8(log.0).expect("text");
        assert_eq!(text, "pulled \\u{1b}[2J\\u{202e}x\\n2026-01-01 ERROR forged\\r\n");
    }

    #[test]
    fn keeps_two_files_and_cuts_no_line() {
        let folder = Folder::new();
        let path = folder.path().join("log");
        for run in 0..2 {
            let mut log = LogFile { largest: 100, ..LogFile::open(&path).expect("opened") };
            for line in 0..20 {
                // As the log does: a line at a time.
                log.write_all(format!("run {run}, line {line:02}, some words\n").as_bytes()).expect("written");
            }
        }
        assert_eq!(folder.names(), ["log", "log.1"]);
        let text = |path: &Path| std::fs::read_to_string(path).expect("readable");
        let both = text(&previous(&path)) + &text(&path);
        assert!(both.len() <= 200 && both.lines().all(|line| line.ends_with("some words")), "{both}");
        assert!(both.ends_with("run 1, line 19, some words\n") && both.contains("run 1, line 17"), "{both}");
    }
}
