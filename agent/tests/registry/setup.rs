//! What the tests begin with.

use std::num::{NonZeroU32, NonZeroU64};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tidegate_agent::image::Image;
use tidegate_agent::registry::{Credentials, Limits, Patience, Platform, RegistryClient, Relays};
use tidegate_domain::image::Digest;

/// A folder that is gone with the test.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(uuid::Uuid::new_v4().simple().to_string());
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// What is spooled in it: names and bytes.
    pub(crate) fn files(&self) -> Vec<(PathBuf, u64)> {
        let entries = std::fs::read_dir(self.path()).expect("the folder").map(|entry| entry.expect("an entry"));
        entries.map(|entry| (entry.path(), entry.metadata().expect("its size").len())).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).expect("the folder goes");
    }
}

/// Short enough for a test, long enough for a busy machine.
pub(crate) const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(5),
    answer: Duration::from_secs(2),
    silence: Duration::from_secs(1),
    slowest: Duration::from_millis(1500),
    pause: Duration::from_millis(10),
};

/// Of nobody.
pub(crate) fn anonymous() -> RegistryClient {
    RegistryClient::new(Arc::new(Credentials::new(None)), PATIENCE).expect("a client")
}

pub(crate) fn with_logins(folder: &Folder, config: &serde_json::Value) -> RegistryClient {
    let path = folder.path().join("config.json");
    std::fs::write(&path, config.to_string()).expect("a file");
    RegistryClient::new(Arc::new(Credentials::new(Some(path))), PATIENCE).expect("a client")
}

pub(crate) fn relays(client: RegistryClient, spool: &Folder, bandwidth: Option<u64>) -> Relays {
    let limits = Limits {
        bandwidth: bandwidth.and_then(NonZeroU64::new),
        downloads: NonZeroU32::new(2).expect("two"),
        keep_free: 0,
    };
    Relays::new(client, limits, spool.path().to_owned())
}

pub(crate) fn platform(text: &str) -> Platform {
    text.parse().expect("a platform")
}

/// By tag.
pub(crate) fn tagged(host: &str, name: &str) -> Image {
    Image { image: format!("{host}/{name}"), digest: None }
}

pub(crate) fn pinned(host: &str, name: &str, digest: &Digest) -> Image {
    Image { image: format!("{host}/{name}"), digest: Some(digest.clone()) }
}
