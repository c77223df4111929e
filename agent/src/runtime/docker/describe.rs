//! What the engine says of itself.

use super::DockerRuntime;
use super::connection::CALL;
use crate::fault::Fault;

/// The engine, so far as a pull depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Operating system and architecture, as image indexes name them.
    pub platform: String,
    /// The folder that images and volumes are in. A socket proxy may keep it away.
    pub root: Option<String>,
}

impl DockerRuntime {
    pub async fn describe(&self) -> Result<Description, Fault> {
        let version = self.engine_version().await?;
        let (os, arch) = (version.os.unwrap_or_default(), version.arch.unwrap_or_default());
        let docker = self.connection.docker().await?;
        let info = self.connection.ask("asking for the engine's folder", CALL, docker.info()).await;
        let root = info.ok().and_then(|info| info.docker_root_dir).filter(|root| !root.is_empty());
        Ok(Description { platform: format!("{os}/{arch}"), root })
    }
}
