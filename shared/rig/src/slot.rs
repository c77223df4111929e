//! The share of the machine's network that an engine has to itself, so that several of them do not collide.

use std::fs::{File, OpenOptions};
use std::path::Path;

use crate::error::RigError;

/// Most engines at once.
const SLOTS: u8 = 250;

/// A numbered share, held until it is dropped or its process ends.
pub(crate) struct Slot {
    number: u8,
    _lock: File,
}

impl Slot {
    /// The first that is free.
    pub(crate) fn take(locks: &Path) -> Result<Self, RigError> {
        for number in 0..SLOTS {
            let path = locks.join(format!("tidegate-rig-{number}.lock"));
            let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
            let file = file.map_err(RigError::machine(format!("opening {}", path.display())))?;
            if file.try_lock().is_ok() {
                return Ok(Self { number, _lock: file });
            }
        }
        Err(RigError::Missing(format!("{SLOTS} engines run already; end some of them")))
    }

    /// The name of its bridge.
    pub(crate) fn bridge(&self) -> String {
        format!("tidegate{}", self.number)
    }

    /// The bridge's address. These networks (RFC 2544) are set apart for measuring, so no machine's own is among them.
    pub(crate) fn address(&self) -> String {
        format!("198.18.{}.1/24", self.number)
    }

    /// The beginning of the addresses of networks that are made in it.
    pub(crate) fn pool(&self) -> String {
        format!("198.19.{}", self.number)
    }

    /// The control group of its containers.
    pub(crate) fn group(&self) -> String {
        format!("tidegate-rig-{}", self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_taken_once_and_free_again_when_its_holder_is_gone() {
        let folder = std::env::temp_dir().join(format!("tidegate-slots-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let first = Slot::take(&folder).expect("free");
        let second = Slot::take(&folder).expect("free");
        assert_eq!((first.number, second.number), (0, 1));
        assert_ne!((first.bridge(), first.address(), first.pool()), (second.bridge(), second.address(), second.pool()));
        drop(first);
        assert_eq!(Slot::take(&folder).expect("free again").number, 0);
        std::fs::remove_dir_all(&folder).expect("gone");
    }
}
