//! The store as a file that was allocated once: two slots, of which a write takes the one with the older state.
//!
//! A write goes in place into blocks that the file has already, so a full disk does not stop it; a write that a power
//! cut tears leaves the other slot, with the state before it. (File systems that copy on write, such as btrfs, need
//! room for a write all the same.)

use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::StateStore;
use super::slot::{self, SLOT, Slot};
use crate::durable;

/// The slots' places in the file.
const PLACES: [u64; 2] = [0, SLOT as u64];

/// The journal.
#[derive(Debug)]
pub struct FileStore {
    pub(super) file: File,
    /// Which slot the next write takes: the one that does not hold the newest whole state.
    next: usize,
    generation: u64,
}

/// What was found where the journal is.
#[derive(Debug)]
pub struct Opened {
    /// The store, to be written to.
    pub store: FileStore,
    /// The newest state that is whole; none where nothing was written yet.
    pub state: Option<Vec<u8>>,
    /// Where the file was put whose states are both damaged. What was known is lost then, and `state` is none.
    pub set_aside: Option<PathBuf>,
}

impl FileStore {
    /// Opens the store, making it where there is none. One process at a time may do so.
    pub fn open(path: &Path) -> Result<Opened> {
        let found = match open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Self::fresh(path, None),
            other => other?,
        };
        let slots = [read(&found, 0)?, read(&found, 1)?];
        let Some(newest) = slot::newest(&slots) else {
            if slots.iter().all(|slot| *slot == Slot::Unwritten) {
                return Self::fresh(path, None);
            }
            let aside = path.with_extension("damaged");
            std::fs::rename(path, &aside)?;
            return Self::fresh(path, Some(aside));
        };
        let Slot::Whole { generation, state } = &slots[newest] else { unreachable!("the newest one is whole") };
        if found.metadata()?.len() == PLACES[1] + SLOT as u64 {
            let store = Self { file: found, next: 1 - newest, generation: *generation };
            return Ok(Opened { store, state: Some(state.clone()), set_aside: None });
        }
        // Cut short, as by a copy that failed: made anew with what it holds, and put in its place when that is safe.
        let store = Self::made(path, Some((*generation, state)))?;
        Ok(Opened { store, state: Some(state.clone()), set_aside: None })
    }

    fn fresh(path: &Path, set_aside: Option<PathBuf>) -> Result<Opened> {
        Ok(Opened { store: Self::made(path, None)?, state: None, set_aside })
    }

    /// A whole new file in the place of the one that is there.
    fn made(path: &Path, holding: Option<(u64, &[u8])>) -> Result<Self> {
        let mut bytes = vec![0; 2 * SLOT];
        if let Some((generation, state)) = holding {
            let slot = slot::encode(generation, state)?;
            bytes[..slot.len()].copy_from_slice(&slot);
        }
        // Zeros that are written, not a length that is set: the blocks must be there when the disk is full.
        durable::replace(path, &bytes, 0o600)?;
        let generation = holding.map_or(0, |(generation, _)| generation);
        Ok(Self { file: open(path)?, next: usize::from(holding.is_some()), generation })
    }
}

fn open(path: &Path) -> Result<File> {
    OpenOptions::new().read(true).write(true).mode(0o600).open(path)
}

fn read(file: &File, slot: usize) -> Result<Slot> {
    let mut bytes = vec![0; SLOT];
    let mut filled = 0;
    while filled < SLOT {
        match file.read_at(&mut bytes[filled..], PLACES[slot] + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(slot::decode(&bytes[..filled]))
}

impl StateStore for FileStore {
    fn write(&mut self, state: &[u8]) -> Result<()> {
        let generation =
            self.generation.checked_add(1).ok_or_else(|| Error::other("the journal has counted to its end"))?;
        self.file.write_all_at(&slot::encode(generation, state)?, PLACES[self.next])?;
        self.file.sync_data()?;
        // Only now: a write that failed is written over by the next one, and the state before it stays.
        (self.generation, self.next) = (generation, 1 - self.next);
        Ok(())
    }
}
