use super::slot::LARGEST;
use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use super::file::*;
use super::slot::{self, SLOT, Slot};
use super::*;
use crate::testing::Folder;

/// What may reach the disk apart from the rest; small, so that every subset can be tried.
const BLOCK: usize = 64;

/// Three states of unlike lengths, so that a torn third one leaves parts of the first one behind it.
fn states() -> [Vec<u8>; 3] {
    [vec![b'1'; 900], vec![b'2'; 300], vec![b'3'; 700]]
}

fn open(path: &Path) -> Opened {
    FileStore::open(path).expect("it can be opened")
}

/// A journal's file before and after its third write, and that write's own bytes.
fn before_and_after(path: &Path) -> (Vec<u8>, Vec<u8>, usize) {
    let [one, two, three] = states();
    let mut store = open(path).store;
    store.write(&one).expect("written");
    store.write(&two).expect("written");
    let before = std::fs::read(path).expect("it is there");
    store.write(&three).expect("written");
    let after = std::fs::read(path).expect("it is there");
    (before, after, slot::encode(3, &three).expect("fits").len())
}

/// What a start finds in a file with these bytes. Only the parts that matter are compared: opening is the real thing.
fn found(bytes: &[u8]) -> Option<Vec<u8>> {
    let slots: Vec<_> = bytes.chunks(SLOT).map(slot::decode).collect();
    slot::newest(&slots).map(|at| match &slots[at] {
        Slot::Whole { state, .. } => state.clone(),
        Slot::Unwritten | Slot::Torn => panic!("the newest one is whole"),
    })
}

#[test]
fn the_newest_state_is_found_again_and_the_file_keeps_its_size() {
    let folder = Folder::new();
    let path = folder.path().join("journal");
    assert_eq!(open(&path).state, None);
    let size = std::fs::metadata(&path).expect("it is there").len();
    for round in 0..5_u8 {
        let Opened { mut store, state, set_aside } = open(&path);
        assert_eq!((state, set_aside), (round.checked_sub(1).map(|last| vec![last; 10]), None));
        store.write(&vec![200; usize::from(round) * 1_000]).expect("written");
        store.write(&[round; 10]).expect("written");
    }
    assert_eq!(std::fs::metadata(&path).expect("it is there").len(), size);
    assert_eq!(folder.names(), ["journal"]);
}

#[test]
fn its_blocks_are_there_before_they_are_needed() {
    use std::os::unix::fs::MetadataExt;
    let folder = Folder::new();
    let path = folder.path().join("journal");
    drop(open(&path));
    let metadata = std::fs::metadata(&path).expect("it is there");
    assert!(metadata.blocks() * 512 >= metadata.len(), "{} blocks of 512", metadata.blocks());
    assert_eq!(metadata.mode() & 0o777, 0o600);
}

#[test]
fn a_write_torn_at_any_byte_leaves_the_state_before_it_or_the_new_one() {
    let folder = Folder::new();
    let path = folder.path().join("journal");
    let (before, after, written) = before_and_after(&path);
    let [_, two, three] = states();
    for cut in 0..=written {
        let mut torn = before.clone();
        torn[..cut].copy_from_slice(&after[..cut]);
        let expected = if cut == written { &three } else { &two };
        // Where the last bytes are what stood there before, a shorter cut is the whole write already.
        let expected = if torn == after { &three } else { expected };
        assert_eq!(found(&torn).as_ref(), Some(expected), "torn at {cut}");
    }
}

#[test]
fn blocks_of_a_write_may_come_in_any_order() {
    let folder = Folder::new();
    let path = folder.path().join("journal");
    let (before, after, written) = before_and_after(&path);
    let [_, two, three] = states();
    let blocks = written.div_ceil(BLOCK);
    assert!((8..16).contains(&blocks), "every subset of {blocks} blocks can be tried");
    for subset in 0_u32..1 << blocks {
        let mut torn = before.clone();
        for block in (0..blocks).filter(|block| subset & (1 << block) != 0) {
            let range = block * BLOCK..written.min((block + 1) * BLOCK);
            torn[range.clone()].copy_from_slice(&after[range]);
        }
        let expected = if torn == after { &three } else { &two };
        assert_eq!(found(&torn[..2 * SLOT]).as_ref(), Some(expected), "blocks {subset:b}");
    }
}

#[test]
fn a_damaged_byte_anywhere_costs_one_state_and_no_more() {
    let folder = Folder::new();
    let path = folder.path().join("journal");
    let (_, after, written) = before_and_after(&path);
    let [_, two, three] = states();
    for at in 0..written {
        for mask in [0x01, 0x80, 0xff] {
            let mut damaged = after.clone();
            damaged[at] ^= mask;
            assert_eq!(found(&damaged).as_ref(), Some(&two), "byte {at}");
        }
    }
    // Behind the newest state there is what it wrote over: nobody's.
    let mut damaged = after;
    damaged[written] ^= 0xff;
    assert_eq!(found(&damaged), Some(three));
}

#[test]
fn a_file_cut_short_anywhere_is_mended_or_set_aside() {
    let folder = Folder::new();
    let path = folder.path().join("journal");
    let (_, after, written) = before_and_after(&path);
    let [_, two, three] = states();
    let lengths = [0, 1, 51, 52, written - 1, written, written + 1, SLOT, SLOT + 100, 2 * SLOT - 1, 2 * SLOT];
    for length in lengths {
        std::fs::write(&path, &after[..length]).expect("written");
        let Opened { mut store, state, set_aside } = open(&path);
        assert_eq!(state, (length >= written).then(|| three.clone()), "{length} bytes");
        assert_eq!(set_aside.is_some(), (1..written).contains(&length), "{length} bytes");
        store.write(&two).expect("goes on");
        drop(store);
        assert_eq!(open(&path).state, Some(two.clone()), "{length} bytes, and on");
        assert_eq!(std::fs::metadata(&path).expect("it is there").len(), 2 * SLOT as u64);
    }
}

#[test]
fn what_is_damaged_throughout_is_put_aside_and_told() {
    let folder = Folder::new();
    let path = folder.path().join("journal");
    std::fs::write(&path, vec![0x5a; 2 * SLOT]).expect("written");
    let opened = open(&path);
    assert_eq!(opened.state, None);
    assert_eq!(opened.set_aside, Some(folder.path().join("journal.damaged")));
    assert_eq!(folder.names(), ["journal", "journal.damaged"]);
    assert_eq!(open(&path).set_aside, None, "told once");
}

#[test]
fn a_state_that_does_not_fit_is_refused_and_the_last_one_stays() {
    let folder = Folder::new();
    let path = folder.path().join("journal");
    let mut store = open(&path).store;
    store.write(&vec![7; LARGEST]).expect("the largest one fits");
    let error = store.write(&vec![8; LARGEST + 1]).expect_err("larger than a slot");
    assert_eq!(error.kind(), ErrorKind::FileTooLarge);
    drop(store);
    assert_eq!(open(&path).state, Some(vec![7; LARGEST]));
}

#[test]
fn a_write_that_fails_is_written_over_by_the_next() {
    let folder = Folder::new();
    let path = folder.path().join("journal");
    let [one, two, three] = states();
    let mut store = open(&path).store;
    store.write(&one).expect("written");
    let writable = std::mem::replace(&mut store.file, File::open(&path).expect("readable"));
    store.write(&two).expect_err("it may only be read");
    store.file = writable;
    store.write(&three).expect("written");
    store.write(&two).expect("written");
    drop(store);
    assert_eq!(open(&path).state, Some(two));
}
