//! A simulated fleet on disk, so that a second run goes on with the same devices. It holds their tokens: readable by
//! its owner only.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use tidegate_agent::durable;
use tidegate_agent::simulated::SimulatedContainers;
use tidegate_agent::state::memory::Memory;

/// A device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SavedDevice {
    /// Its number in the fleet; decides its fate.
    pub(crate) number: usize,
    /// Its identity.
    pub(crate) uuid: String,
    /// Its token.
    pub(crate) token: String,
    /// What it remembers.
    pub(crate) memory: Memory,
    /// Its containers.
    pub(crate) containers: SimulatedContainers,
}

/// A fleet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SavedFleet {
    /// The stack that its devices are enrolled at.
    pub(crate) url: String,
    /// The devices.
    pub(crate) devices: Vec<SavedDevice>,
}

impl SavedFleet {
    /// Where the fleet of this name is kept.
    pub(crate) fn path(state: &Path, fleet: &str) -> PathBuf {
        let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' };
        state.join(format!("simulated-{}.json", fleet.chars().map(plain).collect::<String>()))
    }

    /// The fleet that was kept, where there is one.
    pub(crate) fn load(path: &Path) -> Result<Option<Self>> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
        };
        let hint = || format!("{} cannot be read; --new begins with new devices", path.display());
        serde_json::from_str(&text).map(Some).with_context(hint)
    }

    /// Keeps it: as a whole or not at all.
    pub(crate) fn store(&self, path: &Path) -> Result<()> {
        let folder = path.parent().context("expected a file in a folder")?;
        let written =
            durable::private_directory(folder).and_then(|()| durable::replace(path, &serde_json::to_vec(self)?, 0o600));
        written.with_context(|| format!("{} cannot be written", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::fleet::fresh;
    use tidegate_agent::image::Image;
    use tidegate_agent::simulated::digest_of;

    #[test]
    fn is_found_again_by_its_owner_only() {
        let folder = std::env::temp_dir().join(format!("tidegate-saved-{}", std::process::id()));
        let path = SavedFleet::path(&folder, "eu/west");
        assert!(path.ends_with("simulated-eu_west.json"));
        assert_eq!(SavedFleet::load(&path).expect("no file is no fault"), None);
        let name = "docker.io/a/b:v1".to_owned();
        let (memory, containers) = fresh("app", &Image { digest: Some(digest_of(&name)), image: name });
        let device = SavedDevice { number: 1, uuid: "u".to_owned(), token: "t".to_owned(), memory, containers };
        let fleet = SavedFleet { url: "http://h".to_owned(), devices: vec![device] };
        fleet.store(&path).expect("it can be written");
        assert_eq!(SavedFleet::load(&path).expect("it can be read"), Some(fleet));
        assert_eq!(fs::metadata(&path).expect("it is there").permissions().mode() & 0o777, 0o600);
        fs::remove_dir_all(folder).expect("it can be removed");
    }
}
