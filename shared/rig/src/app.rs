//! The service that images are made of: `app/main.rs`, compiled once.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use sha2::{Digest as _, Sha256};
use tokio::process::Command;

use crate::error::RigError;
use crate::image::Image;
use crate::tools::Tools;

/// Its source.
const SOURCE: &str = include_str!("../app/main.rs");
/// Small, quick to build, and without a library of the machine.
const FLAGS: [&str; 8] = [
    "--edition=2024",
    "-Copt-level=s",
    "-Ctarget-feature=+crt-static",
    "-Cpanic=abort",
    "-Cstrip=symbols",
    "-Ccodegen-units=1",
    "--crate-name=app",
    "--crate-type=bin",
];

/// The compiled service.
#[derive(Debug, Clone)]
pub struct App {
    program: PathBuf,
}

impl App {
    /// Compiles it, where it is not there or its source is another.
    pub async fn build(tools: &Tools) -> Result<Self, RigError> {
        let folder = tools.folder().join("app");
        std::fs::create_dir_all(&folder).map_err(RigError::machine(format!("making {}", folder.display())))?;
        let made_of = hex::encode(Sha256::new().chain_update(SOURCE).chain_update(FLAGS.join(" ")).finalize());
        let program = folder.join(&made_of[..16]);
        if !program.is_file() {
            compile(&folder, &program).await?;
        }
        Ok(Self { program })
    }

    /// An image of it that says it is of this version.
    pub fn image(&self, version: &str) -> Image {
        Image::new(self.program.clone(), version)
    }

    /// The program, which no library of the machine is needed for.
    pub fn program(&self) -> &Path {
        &self.program
    }
}

async fn compile(folder: &Path, program: &Path) -> Result<(), RigError> {
    // Several may compile it at once: each in a place of its own, and the last one's stays.
    let own = folder.join(format!("compiling-{}-{:08x}", std::process::id(), rand::random::<u32>()));
    std::fs::create_dir_all(&own).map_err(RigError::machine(format!("making {}", own.display())))?;
    let (source, made) = (own.join("main.rs"), own.join("app"));
    std::fs::write(&source, SOURCE).map_err(RigError::machine(format!("writing {}", source.display())))?;
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut command = Command::new(rustc);
    command.args(FLAGS).arg(&source).arg("-o").arg(&made).stdin(Stdio::null());
    let output = command.output().await.map_err(RigError::machine("running rustc"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(RigError::Missing(format!("rustc does not compile the service of the tests: {said}")));
    }
    std::fs::rename(&made, program).map_err(RigError::machine(format!("making {}", program.display())))?;
    std::fs::remove_dir_all(&own).map_err(RigError::machine(format!("clearing {}", own.display())))
}
