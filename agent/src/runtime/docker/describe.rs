//! What the engine says of itself, for `tidegate-agent doctor`.

use super::DockerRuntime;
use super::connection::CALL;
use crate::fault::Fault;

/// An engine, described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Its name: `Docker Engine - Community`, `Podman Engine`, or plainly `Engine`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The newest version of the API that it speaks.
    pub api_version: String,
    /// The version of the API that the agent speaks with it.
    pub spoken: String,
    /// The folder that images and volumes are in.
    pub root: String,
    /// Operating system and architecture, as image indexes name them.
    pub platform: String,
    /// Where it was asked.
    pub address: String,
}

impl DockerRuntime {
    /// Asks the engine who it is.
    pub async fn describe(&self) -> Result<Description, Fault> {
        let version = self.engine_version().await?;
        let docker = self.connection.docker().await?;
        let info = self.connection.ask("asking for the engine's folder", CALL, docker.info()).await?;
        let component = version.components.iter().flatten().next().map(|component| component.name.clone());
        let platform = version.platform.map(|platform| platform.name).filter(|name| !name.is_empty());
        let (os, arch) = (version.os.unwrap_or_default(), version.arch.unwrap_or_default());
        Ok(Description {
            name: platform.or(component).unwrap_or_else(|| "Engine".to_owned()),
            version: version.version.unwrap_or_default(),
            api_version: version.api_version.unwrap_or_default(),
            spoken: docker.client_version().to_string(),
            root: info.docker_root_dir.unwrap_or_default(),
            platform: format!("{os}/{arch}"),
            address: self.connection.address().to_owned(),
        })
    }
}
