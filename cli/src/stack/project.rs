//! Where things are: the checkout, and `.tidegate/` in it, which holds all that the local stack keeps (or the folder that
//! `TIDEGATE_STATE` names).

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Names another folder than `.tidegate/`: a second stack beside the first.
const STATE: &str = "TIDEGATE_STATE";

/// A checkout of Tidegate.
#[derive(Debug, Clone)]
pub(crate) struct Project {
    root: PathBuf,
    state: PathBuf,
}

impl Project {
    /// The checkout that the current folder lies in, else the one that this program was built in.
    pub(crate) fn find() -> Result<Self> {
        let here = std::env::current_dir().context("the current folder cannot be read")?;
        let built_in = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
        here.ancestors()
            .chain(built_in)
            .find(|folder| folder.join("infra/template.yaml").is_file())
            .map(|root| {
                let named = std::env::var_os(STATE).filter(|folder| !folder.is_empty());
                let state = named.map_or_else(|| root.join(".tidegate"), |folder| here.join(folder));
                Self { root: root.to_path_buf(), state }
            })
            .context("this is not inside a checkout of Tidegate (no infra/template.yaml here or above)")
    }

    /// The checkout's folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A file of the checkout's `infra/`.
    pub(crate) fn infra(&self, file: &str) -> PathBuf {
        self.root.join("infra").join(file)
    }

    /// The folder of everything that the local stack keeps: `.tidegate/` of the checkout, or what `TIDEGATE_STATE` names.
    pub(crate) fn state(&self) -> PathBuf {
        self.state.clone()
    }

    /// A file or folder in [`Self::state`], as it is written in the current folder.
    pub(crate) fn shown(&self, name: &str) -> String {
        let path = self.state_file(name);
        let here = std::env::current_dir().ok();
        let relative = here.as_ref().and_then(|here| path.strip_prefix(here).ok());
        relative.unwrap_or(&path).display().to_string()
    }

    /// A file or folder in [`Self::state`].
    pub(crate) fn state_file(&self, name: &str) -> PathBuf {
        self.state.join(name)
    }

    /// Makes [`Self::state`] (readable by its owner only) and keeps other runs of `up` and `down` out while the answer
    /// lives.
    pub(crate) fn lock(&self) -> Result<File> {
        let state = self.state();
        if !state.is_dir() {
            fs::DirBuilder::new()
                .mode(0o700)
                .recursive(true)
                .create(&state)
                .with_context(|| format!("{} cannot be created", state.display()))?;
        }
        let path = self.state_file("lock");
        let file = File::options()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("{} cannot be opened", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => {
                bail!("another tidegate is starting or stopping the stack of this checkout; wait for it")
            }
            Err(TryLockError::Error(error)) => Err(error).context("the lock of the local stack cannot be taken"),
        }
    }
}

/// Writes a file that only its owner can read, as a whole or not at all.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<()> {
    use std::io::Write as _;

    let unfinished = path.with_extension("unfinished");
    let write = || -> std::io::Result<()> {
        let _ = fs::remove_file(&unfinished);
        let mut file = File::options().create_new(true).write(true).mode(0o600).open(&unfinished)?;
        file.write_all(text.as_bytes())?;
        fs::rename(&unfinished, path)
    };
    write().with_context(|| format!("{} cannot be written", path.display()))
}
