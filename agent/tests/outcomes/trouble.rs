//! What goes wrong: how it is prepared, and what happens meanwhile.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bollard::models::{ContainerCreateBody, ContainerInspectResponse};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, CreateImageOptionsBuilder, InspectContainerOptions, StartContainerOptions,
};
use futures::TryStreamExt as _;
use tidegate_rig::{Image, Pushed};
use tokio::net::TcpListener;

use super::case::LARGE;
use super::device::{Device, is_there, push};
use super::server::Standing;
use super::stage::Stage;
use super::wait::until;
use super::way::Way;

/// Nothing has this digest.
const NOTHING: &str = "sha256:0123456789012345678901234567890123456789012345678901234567890123";
/// Bytes of a download after which it is in its midst.
const MIDST: u64 = 1_500_000;
/// Longer than two questions of a device are apart.
const QUIET: Duration = Duration::from_millis(2500);
/// Bytes that come beside a large layer: a manifest, a configuration, heads of answers.
const BESIDES: u64 = 100_000;

/// What goes wrong beside what the images do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    None,
    /// Nothing, where the new container is brought up beside the old one.
    Beside,
    /// Somebody else listens on the port that the new container is to have.
    PortTaken,
    /// Somebody else's container has the service's name, at a device that runs nothing yet.
    NameTaken,
    /// Somebody else's container has the name that the new one is to have at first.
    NextNameTaken,
    /// The registry has no such image.
    NoImage,
    /// The registry wants a login.
    Denied,
    /// A layer in the registry is not what its digest says.
    Corrupt,
    /// The registry is gone when the pull begins.
    RegistryGone,
    /// The registry is gone in the midst of the pull, and comes back.
    RegistryCut,
    /// The registry is gone in the midst of the pull, for good.
    RegistryLost,
    /// There is less room than must stay free.
    DiskFull,
    /// The network to the server is cut while the containers are replaced.
    ServerCut,
    /// The server does not take the token any more.
    Revoked,
    /// The server has deleted the device.
    Deleted,
    /// The service is locked, for a while.
    Locked,
    /// This hook says no.
    HookFails(&'static str),
    /// The hook before the update says "not now", for a while.
    HookDefers,
    /// The agent is killed in the midst of the pull.
    Killed,
}

impl Trouble {
    /// Pushes the new image, to where it is to be fetched from.
    pub(super) async fn push(self, stage: &Stage, repository: &str, image: &Image) -> Result<Pushed> {
        if self == Self::Denied {
            return Ok(stage.closed.push(repository, "v2", image).await?);
        }
        let pushed = push(stage, repository, "v2", image).await?;
        if self == Self::Corrupt {
            stage.rig.registry.corrupt(pushed.layers.last().context("it has layers")?)?;
        }
        Ok(pushed)
    }

    /// The new image's name on the device.
    pub(super) fn reference(self, stage: &Stage, pushed: &Pushed, way: &Way) -> String {
        if self == Self::Denied {
            return pushed.reference.clone();
        }
        pushed.reference.replacen(stage.rig.registry.host(), way.host(), 1)
    }

    /// The new image's digest, as the server says it.
    pub(super) fn digest(self, pushed: &Pushed) -> &str {
        if self == Self::NoImage { NOTHING } else { pushed.digest.as_str() }
    }

    /// What stands in the section `pull` of the configuration.
    pub(super) fn pull_settings(self) -> &'static str {
        match self {
            Self::RegistryCut | Self::RegistryLost | Self::Killed => "bandwidth_limit = \"8MB/s\"",
            _ => "",
        }
    }

    /// Whether the new container is brought up beside the old one.
    pub(super) fn beside(self) -> bool {
        matches!(self, Self::Beside | Self::PortTaken)
    }

    /// How the name of somebody else's container ends, after that of the service's.
    pub(super) fn stranger(self) -> Option<&'static str> {
        match self {
            Self::NameTaken => Some(""),
            Self::NextNameTaken => Some(".tidegate-next"),
            _ => None,
        }
    }

    /// Whether the device runs something before the rollout.
    pub(super) fn begins_with_old(self) -> bool {
        self != Self::NameTaken
    }

    /// Offers the new image in the midst of the trouble, and sees to it that the trouble is there.
    pub(super) async fn happen(self, device: &mut Device<'_>, serves: Option<&str>) -> Result<()> {
        match self {
            Self::None | Self::Beside | Self::NoImage | Self::Denied | Self::Corrupt => device.server.offer(),
            Self::PortTaken => {
                // The old one has either of the two.
                let listener = match TcpListener::bind(("127.0.0.1", device.port)).await {
                    Ok(listener) => listener,
                    Err(_) => TcpListener::bind(("127.0.0.1", device.port + 1)).await?,
                };
                device.server.offer();
                until(device.label, "the rollout has ended", async || device.server.talk().ended()).await?;
                drop(listener);
            }
            Self::NameTaken | Self::NextNameTaken => stranger(device, self.stranger()).await?,
            Self::RegistryGone => {
                device.to_registry.cut();
                device.server.offer();
                until(device.label, "the rollout has ended", async || device.server.talk().ended()).await?;
                ensure!(device.to_registry.refused() >= 3, "{} tries", device.to_registry.refused());
            }
            Self::RegistryCut | Self::RegistryLost | Self::Killed => cut_pull(self, device).await?,
            Self::DiskFull => {
                device.stop().await?;
                device.configure("keep_free = \"9000000GiB\"")?;
                device.start()?;
                device.server.offer();
            }
            Self::ServerCut => cut_server(device, serves).await?,
            Self::Revoked => refuse(device, Standing::Revoked, "denied").await?,
            Self::Deleted => refuse(device, Standing::Deleted, "deleted").await?,
            Self::Locked => lock(device).await?,
            Self::HookFails(name) => {
                device.hook(name, "echo the valve is open\nexit 1")?;
                device.server.offer();
            }
            Self::HookDefers => {
                device.hook("pre-update", "echo the valve is open\nexit 75")?;
                device.server.offer();
                blocked(device, "the valve is open").await?;
                device.hook("web.pre-update", "exit 0")?;
                device.hook("pre-update", "exit 0")?;
                device.server.offer();
            }
        }
        Ok(())
    }
}

/// Somebody else has a name, and keeps it.
async fn stranger(device: &Device<'_>, place: Option<&str>) -> Result<()> {
    let place = place.context("there is no stranger")?;
    let (docker, name) = (&device.stage.docker, format!("{}-web-1{place}", device.project));
    let (image, _) = device.old.reference.rsplit_once(':').context("it has a tag")?;
    let options = CreateImageOptionsBuilder::default().from_image(image).tag("v1").build();
    docker.create_image(Some(options), None, None).try_collect::<Vec<_>>().await?;
    let body = ContainerCreateBody { image: Some(device.old.reference.clone()), ..ContainerCreateBody::default() };
    let options = CreateContainerOptionsBuilder::default().name(&name).build();
    let id = docker.create_container(Some(options), body).await?.id;
    docker.start_container(&id, None::<StartContainerOptions>).await?;
    let look = async || -> Result<ContainerInspectResponse> {
        Ok(docker.inspect_container(&id, None::<InspectContainerOptions>).await?)
    };
    let before = look().await?;
    device.server.offer();
    until(device.label, "the rollout has ended", async || device.server.talk().ended()).await?;
    let after = look().await?;
    ensure!((&before.name, &before.state) == (&after.name, &after.state), "the stranger was touched: {after:?}");
    Ok(())
}

/// The pull breaks off in its midst, and goes on where it broke off.
async fn cut_pull(trouble: Trouble, device: &mut Device<'_>) -> Result<()> {
    device.server.offer();
    let here = async || Some(device.spooled()).filter(|here| *here > MIDST);
    let here = until(device.label, "the pull is in its midst", here).await?;
    if trouble == Trouble::Killed {
        device.kill().await?;
        device.start()?;
    } else {
        device.to_registry.cut();
        let tried = async || (device.to_registry.refused() > 0).then_some(());
        until(device.label, "the pull was tried in vain", tried).await?;
        if trouble == Trouble::RegistryLost {
            return Ok(());
        }
        device.to_registry.mend();
    }
    // What was on its way to an agent that is gone does not count: its connection has ended.
    let before = device.to_registry.back();
    until(device.label, "the rollout has ended", async || device.server.talk().ended()).await?;
    let came = device.to_registry.back() - before;
    ensure!(came < LARGE as u64 - here + BESIDES, "{came} bytes came for {LARGE}, of which {here} were here");
    Ok(())
}

/// The server hears nothing from the swap's midst on, until long after its end.
async fn cut_server(device: &Device<'_>, serves: Option<&str>) -> Result<()> {
    let (reached, go) = (device.home.join("reached"), device.home.join("go"));
    let script = format!("touch {}\nuntil [ -e {} ]; do sleep 0.1; done", reached.display(), go.display());
    device.hook("post-update", &script)?;
    device.server.offer();
    until(device.label, "the new container is started", async || is_there(&reached)).await?;
    let heard = device.server.talk().story();
    device.to_server.cut();
    fs::write(go, "")?;
    let tried = async || (device.to_server.refused() >= 2).then_some(());
    until(device.label, "reports were sent in vain", tried).await?;
    let version = device.version().await;
    ensure!(version.as_deref() == serves, "{version:?} serves while the server is away");
    ensure!(device.server.talk().story() == heard, "the server heard something while it was away");
    device.to_server.mend();
    Ok(())
}

/// The server refuses the device, whose agent says so.
async fn refuse(device: &Device<'_>, standing: Standing, word: &str) -> Result<()> {
    device.server.talk().standing = standing;
    device.server.offer();
    let told = async || (device.status().await?.get("token")? == word).then_some(());
    until(device.label, &format!("the status says {word}"), told).await?;
    let asked = device.server.talk().asked;
    if standing == Standing::Deleted {
        tokio::time::sleep(QUIET).await;
        ensure!(device.server.talk().asked == asked, "a device that is deleted still asks");
    }
    Ok(())
}

/// The service is locked until its agent has said so.
async fn lock(device: &Device<'_>) -> Result<()> {
    device.ask(&["lock", "--service", "web", "--reason", "calibrating"]).await?;
    device.server.offer();
    blocked(device, "calibrating").await?;
    let told = async || (device.status().await?["lock"]["reason"] == "calibrating").then_some(());
    until(device.label, "the status tells of the lock", told).await?;
    device.ask(&["unlock", "--service", "web"]).await.map(drop)
}

/// The server hears that the update waits, and why; meanwhile the old one serves.
async fn blocked(device: &Device<'_>, why: &str) -> Result<()> {
    let told = async || {
        let talk = device.server.talk();
        let last = talk.heard.last().filter(|last| last.event == "device.update_blocked")?;
        Some(last.details.message.clone())
    };
    let message = until(device.label, "the update is blocked", told).await?;
    ensure!(message.as_deref() == Some(why), "blocked because of {message:?}");
    let version = device.version().await;
    ensure!(version.as_deref() == Some("v1"), "{version:?} serves while the update is blocked");
    Ok(())
}
