//! A slot: a state with what tells whether it is whole, and which of two is newer.

use std::io::{Error, ErrorKind, Result};

use sha2::{Digest, Sha256};

/// Bytes of a slot.
pub(super) const SLOT: usize = 256 << 10;

/// What a slot begins with: the journal's name, and the version of its format.
const MAGIC: [u8; 8] = *b"TDGJRNL1";

/// Magic, generation, length, checksum.
const HEADER: usize = MAGIC.len() + 8 + 4 + 32;

/// Largest state.
pub(super) const LARGEST: usize = SLOT - HEADER;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Slot {
    /// Nothing was ever written to it.
    Unwritten,
    /// Something that is not whole.
    Torn,
    /// A state.
    Whole {
        /// Counts the writes.
        generation: u64,
        /// What was written.
        state: Vec<u8>,
    },
}

pub(super) fn encode(generation: u64, state: &[u8]) -> Result<Vec<u8>> {
    if state.len() > LARGEST {
        let why = format!("a state of {} bytes is larger than the journal's {LARGEST}", state.len());
        return Err(Error::new(ErrorKind::FileTooLarge, why));
    }
    let length = u32::try_from(state.len()).map_err(Error::other)?;
    let mut bytes = Vec::with_capacity(HEADER + state.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&generation.to_le_bytes());
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&checksum(generation, state));
    bytes.extend_from_slice(state);
    Ok(bytes)
}

/// Reads a slot; a file that is too short has less than all of it.
pub(super) fn decode(bytes: &[u8]) -> Slot {
    whole(bytes).unwrap_or_else(|| if bytes.iter().all(|byte| *byte == 0) { Slot::Unwritten } else { Slot::Torn })
}

fn whole(bytes: &[u8]) -> Option<Slot> {
    let (magic, rest) = bytes.split_first_chunk::<8>()?;
    let (generation, rest) = rest.split_first_chunk::<8>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (sum, rest) = rest.split_first_chunk::<32>()?;
    let generation = u64::from_le_bytes(*generation);
    let state = rest.get(..u32::from_le_bytes(*length) as usize)?;
    let fits = *magic == MAGIC && *sum == checksum(generation, state);
    fits.then(|| Slot::Whole { generation, state: state.to_vec() })
}

/// Which of them holds the newest whole state.
pub(super) fn newest(slots: &[Slot]) -> Option<usize> {
    let generation = |slot: &Slot| match slot {
        Slot::Whole { generation, .. } => Some(*generation),
        Slot::Unwritten | Slot::Torn => None,
    };
    let whole = slots.iter().enumerate().filter_map(|(at, slot)| Some((generation(slot)?, at)));
    whole.max().map(|(_, at)| at)
}

/// Over the generation and the state; the state's end is the length's.
fn checksum(generation: u64, state: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(generation.to_le_bytes()).chain_update(state).finalize().into()
}
