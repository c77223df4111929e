//! Blobs on disk while an image is fetched: what is there after a break or a power cut need not be fetched again.
//!
//! A file holds the first bytes of its blob, and is whole only when its digest says so. A power cut may leave bytes in
//! it that were never written (file systems promise nothing else without a sync for every piece); the digest finds
//! them, and the blob is fetched anew.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidegate_domain::image::Digest;
use tokio::sync::watch;

use super::manifest::Descriptor;
use crate::fault::{Fault, Reason};

/// The folder. All relays of a process share one, and with it the downloads of blobs that they have in common.
#[derive(Debug)]
pub(super) struct Spool {
    folder: PathBuf,
    /// By file: the blobs that relays hold, and how many do.
    held: Mutex<BTreeMap<PathBuf, (Arc<Blob>, usize)>>,
}

/// The blobs of one relay, held until it ends. (Counted, and not told by who else refers to a blob: what a relay had
/// under way when it ended lives on for a moment.)
#[derive(Debug)]
pub(super) struct Lease {
    spool: Arc<Spool>,
    blobs: Vec<Arc<Blob>>,
}

/// A blob, as far as it is here.
#[derive(Debug)]
pub(super) struct Blob {
    pub(super) digest: Digest,
    pub(super) size: u64,
    pub(super) path: PathBuf,
    state: watch::Sender<State>,
}

#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) here: u64,
    pub(super) phase: Phase,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    Idle,
    /// A download is under way, or waits for its turn.
    Fetching,
    /// All of it is here, and is what the digest says.
    Whole,
    Failed(Fault),
}

impl Spool {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, held: Mutex::default() }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// These blobs, with what of them is here already. The files of all blobs that nobody holds are removed.
    pub(super) fn take(self: &Arc<Self>, wanted: &[Descriptor]) -> Result<Lease, Fault> {
        std::fs::create_dir_all(&self.folder).map_err(|error| file_fault(&self.folder, &error))?;
        let mut lease = Lease { spool: Arc::clone(self), blobs: Vec::new() };
        for descriptor in wanted {
            let path = path(&self.folder, descriptor);
            let mut held = self.held();
            let (blob, holders) =
                held.entry(path.clone()).or_insert_with(|| (Arc::new(Blob::new(path, descriptor)), 0));
            *holders += 1;
            lease.blobs.push(Arc::clone(blob));
        }
        self.clear()?;
        Ok(lease)
    }

    /// Removes the files of all blobs that nobody holds.
    pub(super) fn clear(&self) -> Result<(), Fault> {
        let held = self.held();
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(file_fault(&self.folder, &error)),
        };
        for entry in entries {
            let path = entry.map_err(|error| file_fault(&self.folder, &error))?.path();
            if !held.contains_key(&path) && path.extension().is_some_and(|extension| extension == "part") {
                std::fs::remove_file(&path).map_err(|error| file_fault(&path, &error))?;
            }
        }
        Ok(())
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<PathBuf, (Arc<Blob>, usize)>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    pub(super) fn blobs(&self) -> &[Arc<Blob>] {
        &self.blobs
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut held = self.spool.held();
        for blob in &self.blobs {
            if let Some((_, holders)) = held.get_mut(&blob.path) {
                *holders -= 1;
                if *holders == 0 {
                    held.remove(&blob.path);
                }
            }
        }
    }
}

impl Blob {
    fn new(path: PathBuf, descriptor: &Descriptor) -> Self {
        let here = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
        let here = if here > descriptor.size { 0 } else { here };
        let state = watch::Sender::new(State { here, phase: Phase::Idle });
        Self { digest: descriptor.digest.clone(), size: descriptor.size, path, state }
    }

    pub(super) fn follow(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    pub(super) fn here(&self) -> u64 {
        self.state.borrow().here
    }

    pub(super) fn fault(&self) -> Option<Fault> {
        match &self.state.borrow().phase {
            Phase::Failed(fault) => Some(fault.clone()),
            Phase::Idle | Phase::Fetching | Phase::Whole => None,
        }
    }

    /// Lets a failed one be tried again.
    pub(super) fn forgive(&self) {
        self.state.send_if_modified(|state| {
            let failed = matches!(state.phase, Phase::Failed(_));
            if failed {
                state.phase = Phase::Idle;
            }
            failed
        });
    }

    /// Begins to fetch it, unless somebody does or nobody need.
    pub(super) fn begin(self: &Arc<Self>) -> Option<Fetching> {
        let begun = self.state.send_if_modified(|state| {
            let idle = matches!(state.phase, Phase::Idle);
            if idle {
                state.phase = Phase::Fetching;
            }
            idle
        });
        begun.then(|| Fetching { blob: Arc::clone(self) })
    }
}

/// The right to fetch a blob, of one at a time. Given up on the way, somebody else may.
#[derive(Debug)]
pub(super) struct Fetching {
    pub(super) blob: Arc<Blob>,
}

impl Fetching {
    /// So much is in the file.
    pub(super) fn is_here(&self, here: u64) {
        self.blob.state.send_modify(|state| state.here = here);
    }

    pub(super) fn ended(self, result: Result<(), Fault>) {
        let phase = result.map_or_else(Phase::Failed, |()| Phase::Whole);
        self.blob.state.send_modify(|state| state.phase = phase);
    }
}

impl Drop for Fetching {
    fn drop(&mut self) {
        self.blob.state.send_if_modified(|state| {
            let given_up = state.phase == Phase::Fetching;
            if given_up {
                state.phase = Phase::Idle;
            }
            given_up
        });
    }
}

/// What an error with a file of the spool is to the agent.
pub(super) fn file_fault(path: &Path, error: &std::io::Error) -> Fault {
    let reason = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Reason::DiskFull,
        _ => Reason::Configuration,
    };
    Fault::new(reason, format!("{}: {error}", path.display()))
}

/// The size is part of the name: of two images that disagree about a blob's size, the wrong one harms itself alone.
fn path(folder: &Path, descriptor: &Descriptor) -> PathBuf {
    folder.join(format!("{}-{}.part", descriptor.digest.as_str().replace(':', "-"), descriptor.size))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptor(fill: char, size: u64) -> Descriptor {
        Descriptor { digest: Digest::parse(&format!("sha256:{}", fill.to_string().repeat(64))).unwrap(), size }
    }

    fn names(spool: &Spool) -> Vec<String> {
        let entries = std::fs::read_dir(spool.folder()).expect("the folder");
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy()[..8].to_owned()).collect();
        names.sort();
        names
    }

    fn spool() -> Arc<Spool> {
        Arc::new(Spool::new(std::env::temp_dir().join(format!("tidegate-spool-{}", uuid::Uuid::new_v4()))))
    }

    #[test]
    fn what_nobody_holds_is_removed_and_what_is_here_counts() {
        let spool = spool();
        let first = spool.take(&[descriptor('a', 10), descriptor('b', 10)]).unwrap();
        for (blob, bytes) in first.blobs().iter().zip([4, 12]) {
            std::fs::write(&blob.path, vec![0; bytes]).unwrap();
        }
        std::fs::write(spool.folder().join("a stranger's file"), "").unwrap();
        let second = spool.take(&[descriptor('c', 1)]).unwrap();
        assert_eq!(names(&spool), ["a strang", "sha256-a", "sha256-b"], "what is held stays");
        drop(first);
        spool.clear().unwrap();
        assert_eq!(names(&spool), ["a strang"]);
        drop(second);

        let path = path(spool.folder(), &descriptor('d', 10));
        for (label, bytes, here) in [("a part", 4, 4), ("all of it", 10, 10), ("more than all", 11, 0)] {
            std::fs::write(&path, vec![0; bytes]).unwrap();
            let taken = spool.take(&[descriptor('d', 10)]).unwrap();
            assert_eq!(taken.blobs()[0].here(), here, "{label}");
        }
        std::fs::remove_dir_all(spool.folder()).unwrap();
    }

    #[test]
    fn one_download_at_a_time_and_a_given_up_one_can_be_taken_up() {
        let spool = spool();
        let leases = [0, 1].map(|_| spool.take(&[descriptor('a', 10)]).unwrap());
        let [one, two] = leases.each_ref().map(|lease| &lease.blobs()[0]);
        let fetching = one.begin().expect("the first fetches");
        assert!(two.begin().is_none(), "two images share one download");
        drop(fetching);
        let fetching = two.begin().expect("somebody else may");
        let fault = Fault::new(Reason::RegistryUnavailable, "gone");
        fetching.ended(Err(fault.clone()));
        assert_eq!(one.fault(), Some(fault));
        assert!(one.begin().is_none(), "a failed one stays so until it is forgiven");
        one.forgive();
        one.begin().expect("forgiven").ended(Ok(()));
        assert!(two.begin().is_none(), "a whole one need not be fetched");
        std::fs::remove_dir_all(spool.folder()).unwrap();
    }
}
