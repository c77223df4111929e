//! What really runs: the engine's own word for it, and the containers'.

use std::time::Duration;

use anyhow::{Context, Result};
use bollard::Docker;
use bollard::query_parameters::ListContainersOptions;

use super::agents::{Agent, Agents};

/// The label by which Compose tells projects apart.
const PROJECT: &str = "com.docker.compose.project";

/// What a device's containers are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// The device.
    pub(super) device: String,
    /// Its containers that run.
    pub(super) running: Vec<Running>,
    /// What its service answers at `/version`.
    pub(super) answers: Option<String>,
}

/// A container that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Running {
    /// Its name.
    pub(super) name: String,
    /// Under which digests the engine knows its image, each after a repository.
    pub(super) digests: Vec<String>,
}

impl Running {
    /// Whether it was made from this content, whatever the engine calls it: what came through an agent's relay has that
    /// relay's name.
    pub(super) fn is_of(&self, digest: &str) -> bool {
        self.digests.iter().any(|known| known.rsplit_once('@').is_some_and(|(_, known)| known == digest))
    }
}

/// Looks at every device; also says how many containers run that are of none.
pub(super) async fn look(docker: &Docker, agents: &Agents) -> Result<(Vec<Seen>, usize)> {
    // Those that run, which is what an engine lists by itself.
    let listed = docker.list_containers(None::<ListContainersOptions>).await.context("the engine does not list")?;
    let mut left = listed.len();
    let mut all = Vec::new();
    for agent in agents.iter() {
        let mut running = Vec::new();
        for container in &listed {
            let project = container.labels.as_ref().and_then(|labels| labels.get(PROJECT));
            if project != Some(&agent.project) {
                continue;
            }
            left -= 1;
            let name = container.names.iter().flatten().next().map(|name| name.trim_start_matches('/').to_owned());
            let image = container.image_id.as_deref().unwrap_or_default();
            // Of a container that was replaced since, the image may be gone too: then nothing is known of it.
            let digests = docker.inspect_image(image).await.ok().and_then(|image| image.repo_digests);
            running.push(Running { name: name.unwrap_or_default(), digests: digests.unwrap_or_default() });
        }
        all.push(Seen { device: agent.project.clone(), running, answers: version(agent).await });
    }
    Ok((all, left))
}

/// What the service of a device says that it is.
async fn version(agent: &Agent) -> Option<String> {
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(3)).build().ok()?;
    let response = client.get(format!("http://127.0.0.1:{}/version", agent.port)).send().await.ok()?;
    response.error_for_status().ok()?.text().await.ok()
}
