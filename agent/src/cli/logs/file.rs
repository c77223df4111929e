//! The log that the agent keeps itself.

use std::convert::Infallible;
use std::fs::File;
use std::io::{Read, Result, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

use crate::cli::log::previous;

/// How often a file that is followed is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Writes its last lines to standard output, and what comes.
pub(super) async fn show(path: &Path, lines: usize, follow: bool) -> Result<()> {
    std::io::stdout().write_all(last(path, lines)?.as_bytes())?;
    if follow {
        let Ok(never) = follow_from(path, std::fs::metadata(path)?.len()).await else { return Ok(()) };
        match never {}
    }
    Ok(())
}

/// The last lines of the file, and of the one before it where that is not enough.
fn last(path: &Path, lines: usize) -> Result<String> {
    let newest = String::from_utf8_lossy(&std::fs::read(path)?).into_owned();
    let older = std::fs::read(previous(path)).unwrap_or_default();
    let both = String::from_utf8_lossy(&older).into_owned() + &newest;
    let all: Vec<_> = both.lines().collect();
    Ok(all[all.len().saturating_sub(lines)..].iter().fold(String::new(), |text, line| text + line + "\n"))
}

/// Ends only when nobody reads any more.
async fn follow_from(path: &Path, mut shown: u64) -> Result<Infallible> {
    loop {
        tokio::time::sleep(LOOK).await;
        let Ok(mut file) = File::open(path) else { continue };
        if file.metadata()?.len() < shown {
            // A new file took its place.
            shown = 0;
        }
        let mut news = Vec::new();
        file.seek(SeekFrom::Start(shown))?;
        shown += file.read_to_end(&mut news)? as u64;
        let mut out = std::io::stdout().lock();
        out.write_all(&news).and_then(|()| out.flush())?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Folder;

    #[test]
    fn the_last_lines_may_be_in_two_files() {
        let folder = Folder::new();
        let path = folder.path().join("log");
        std::fs::write(previous(&path), "one\ntwo\n").expect("written");
        std::fs::write(&path, "three\nfour\n").expect("written");
        for (lines, expected) in [(0, ""), (1, "four\n"), (3, "two\nthree\nfour\n"), (9, "one\ntwo\nthree\nfour\n")] {
            assert_eq!(last(&path, lines).expect("readable"), expected, "{lines}");
        }
        std::fs::remove_file(previous(&path)).expect("gone");
        assert_eq!(last(&path, 9).expect("readable"), "three\nfour\n");
    }
}
