//! Files that are whole or not there, whenever the power goes.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{Error, ErrorKind, Result, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Makes a directory, and those above it, that only its owner can enter. One that is there stays as it is.
pub fn private_directory(path: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Puts a file with this mode in the place of the one that is there. When this returned, it survives a power cut;
/// when it failed, the old one is as it was.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Error::new(ErrorKind::InvalidInput, "expected a file in a directory"));
    };
    let mut beside = name.to_owned();
    beside.push(".new");
    let beside = parent.join(beside);
    // A leftover of a crash, or somebody's link to elsewhere: never written through.
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let written = write_new(&beside, bytes, mode).and_then(|()| std::fs::rename(&beside, path));
    if written.is_err() {
        // The disk may be full: what is half there helps nobody.
        let _ = std::fs::remove_file(&beside);
    }
    written?;
    sync_directory(parent)
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    // As it is said, whatever the process's umask takes away.
    file.set_permissions(Permissions::from_mode(mode))?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes what was made, renamed or removed in a directory survive a power cut.
pub fn sync_directory(path: &Path) -> Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Folder;

    #[test]
    fn a_file_is_replaced_whole_with_its_mode() {
        let folder = Folder::new();
        let path = folder.path().join("identity.json");
        replace(&path, b"one", 0o600).expect("a new one");
        replace(&path, b"two", 0o600).expect("an old one");
        assert_eq!(std::fs::read(&path).expect("it is there"), b"two");
        assert_eq!(std::fs::metadata(&path).expect("it is there").permissions().mode() & 0o777, 0o600);
        assert_eq!(folder.names(), ["identity.json"]);
    }

    #[test]
    fn a_link_in_the_way_is_not_written_through() {
        let folder = Folder::new();
        let victim = folder.path().join("victim");
        std::fs::write(&victim, "mine").expect("a file");
        std::os::unix::fs::symlink(&victim, folder.path().join("file.new")).expect("a link");
        replace(&folder.path().join("file"), b"new", 0o600).expect("written beside it");
        assert_eq!(std::fs::read(&victim).expect("it is there"), b"mine");
    }

    #[test]
    fn what_cannot_be_written_leaves_nothing() {
        let folder = Folder::new();
        let path = folder.path().join("taken");
        std::fs::create_dir(&path).expect("a directory");
        std::fs::write(path.join("x"), "x").expect("not empty");
        replace(&path, b"new", 0o600).expect_err("a directory stands there");
        assert_eq!(folder.names(), ["taken"]);
    }
}
