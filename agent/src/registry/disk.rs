//! Room on the disk: asked for before anything is fetched, not found missing in the middle.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::fault::{Fault, Reason};

/// What an engine needs of its disk for each compressed byte of an image. Root file systems compress to about two
/// fifths, so their files are about 2.5 times what is fetched; and the layer that is being unpacked lies beside its own
/// files as it came, until it is done. What compresses far better (logs, debug symbols), and engines that keep what
/// they fetched for good (Docker's containerd image store), are what `keep_free` leaves room for.
const ENGINE_FACTOR: u64 = 3;

/// Whether the disk that this path is on, or will be on, has so many bytes, and `keep_free` beside them.
pub fn check(path: &Path, needed: u64, keep_free: u64) -> Result<(), Fault> {
    let place = existing(path);
    let free = free(&place)?;
    if free >= needed.saturating_add(keep_free) {
        return Ok(());
    }
    let why = format!(
        "{} has {} free; {} are needed and {} are to stay free",
        place.display(),
        words(free),
        words(needed),
        words(keep_free)
    );
    Err(Fault::new(Reason::DiskFull, why))
}

/// Whether an image of so many compressed bytes fits: three times that where the engine keeps its images, and once that
/// in the spool, which may be on the same disk.
pub fn check_pull(engine_root: &Path, spool: &Path, total: u64, keep_free: u64) -> Result<(), Fault> {
    let unpacked = total.saturating_mul(ENGINE_FACTOR);
    let (engine, spool) = (existing(engine_root), existing(spool));
    let device = |path: &Path| std::fs::metadata(path).map(|metadata| metadata.dev()).ok();
    if device(&engine) == device(&spool) {
        return check(&engine, unpacked.saturating_add(total), keep_free);
    }
    check(&engine, unpacked, keep_free)?;
    check(&spool, total, keep_free)
}

/// The path, or the nearest of its parents that exists.
fn existing(path: &Path) -> PathBuf {
    path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/")).to_path_buf()
}

fn free(path: &Path) -> Result<u64, Fault> {
    let told = rustix::fs::statvfs(path).map_err(|error| {
        Fault::new(Reason::Configuration, format!("the free space of {} cannot be told: {error}", path.display()))
    })?;
    Ok(told.f_bavail.saturating_mul(told.f_frsize))
}

/// A number of bytes for people.
fn words(bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1000)];
    match UNITS.iter().find(|(_, size)| bytes >= *size) {
        Some((unit, size)) => format!("{:.1} {unit}", bytes as f64 / *size as f64),
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_little_room_is_told_in_numbers() {
        let missing = std::env::temp_dir().join("no/such/folder/yet");
        assert_eq!(check(&missing, 1, 0), Ok(()));
        for (label, needed, keep_free) in [("needed", 1 << 60, 0), ("kept", 0, 1 << 60), ("both", u64::MAX, u64::MAX)] {
            let fault = check(&missing, needed, keep_free).expect_err(label);
            assert_eq!(fault.reason, Reason::DiskFull, "{label}");
            let place = existing(&missing);
            assert!(fault.why.starts_with(&format!("{} has ", place.display())), "{label}: {fault}");
            assert!(fault.why.contains(&words(needed)) && fault.why.contains(&words(keep_free)), "{label}: {fault}");
        }
    }

    #[test]
    fn a_pull_needs_room_for_what_is_unpacked_and_for_what_is_spooled() {
        let folder = std::env::temp_dir();
        let free = free(&folder).expect("it can be told");
        for (label, total, fits) in [
            ("little", 1000, true),
            ("three times is too much", free / 3 + free / 100, false),
            ("with the spool it is too much", free / 100 * 28, false),
        ] {
            assert_eq!(check_pull(&folder, &folder, total, 0).is_ok(), fits, "{label}");
        }
    }

    #[test]
    fn numbers_are_for_people() {
        for (bytes, expected) in [(0, "0 bytes"), (1500, "1.5 kB"), (2_340_000, "2.3 MB"), (12_000_000_000, "12.0 GB")]
        {
            assert_eq!(words(bytes), expected);
        }
    }
}
