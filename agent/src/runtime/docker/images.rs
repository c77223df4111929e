//! Images on the device: which one a reference and a digest mean, fetching and pruning.

use std::collections::BTreeSet;

use bollard::models::{ImageInspect, SystemVersion};
use bollard::query_parameters::{ListContainersOptionsBuilder, ListImagesOptions, TagImageOptionsBuilder};
use tidegate_domain::image::{Digest, ImageRef, Repository};

use super::DockerRuntime;
use super::connection::CALL;
use super::faults::Answer;
use super::prune::{is_kept, names_in};
use super::pull::pinned;
use crate::fault::{Fault, Reason};
use crate::image::{Image, Pulled};
use crate::runtime::{Images, Services};

/// An image that is on the device.
#[derive(Debug, Clone)]
pub(super) struct Local {
    /// The reference that the engine knows it by.
    pub(super) reference: String,
    /// Its content, as the registry names it; of one that no registry knows, the engine's own id.
    pub(super) digest: Digest,
}

impl Images for DockerRuntime {
    async fn present(&self, image: &Image) -> Result<Option<Digest>, Fault> {
        Ok(self.local(image).await?.map(|local| local.digest))
    }

    async fn pull(&self, image: &Image, progress: &(dyn Fn(Pulled) + Send + Sync)) -> Result<Digest, Fault> {
        let source = pinned(image)?;
        match self.through_relay(image, progress).await? {
            Some(digest) => Ok(digest),
            None => self.pull_from(&source.to_string(), image, progress).await,
        }
    }

    async fn prune(&self, keep: &[Image]) -> Result<(), Fault> {
        let services = self.services().await?;
        let named = services.values().map(|service| &service.image).chain(keep);
        let repositories: BTreeSet<Repository> =
            named.filter_map(|image| ImageRef::parse(&image.image).ok()).map(|parsed| parsed.repository).collect();
        let docker = self.connection.docker().await?;
        let options = ListContainersOptionsBuilder::default().all(true).build();
        let asked = docker.list_containers(Some(options));
        let containers = self.connection.ask("listing containers", CALL, asked).await?;
        let used: BTreeSet<String> = containers.into_iter().filter_map(|container| container.image_id).collect();
        let asked = docker.list_images(None::<ListImagesOptions>);
        let all = self.connection.ask("listing images", CALL, asked).await?;
        for image in all.iter().filter(|image| !used.contains(&image.id) && !is_kept(image, keep)) {
            for name in names_in(image, &repositories) {
                self.remove_name(&name).await;
            }
        }
        Ok(())
    }
}

impl DockerRuntime {
    /// What the engine says of an image, where it has it.
    pub(super) async fn inspect_image(&self, reference: &str) -> Result<Option<ImageInspect>, Fault> {
        let docker = self.connection.docker().await?;
        let asked = docker.inspect_image(reference);
        self.connection.ask(&format!("inspecting image {reference}"), CALL, asked).await.found()
    }

    /// The image with this content, or, where no digest is asked, the one that the tag chooses here. One of another
    /// platform is not what was asked for.
    pub(super) async fn local(&self, image: &Image) -> Result<Option<Local>, Fault> {
        let parsed = parse(&image.image)?;
        let asked = image.digest.clone().or_else(|| parsed.digest.clone());
        let tagged = parsed.tag.clone().map(|tag| ImageRef::tagged(parsed.repository.clone(), tag).to_string());
        let found = match &asked {
            Some(digest) => self.by_digest(&parsed, digest, tagged.as_deref()).await?,
            None => match tagged {
                Some(tagged) => self.inspect_image(&tagged).await?.map(|found| (tagged, found)),
                None => None,
            },
        };
        let Some((reference, found)) = found else { return Ok(None) };
        if wrong_platform(&found, &self.engine_version().await?).is_some() {
            return Ok(None);
        }
        let digest = asked.or_else(|| digest_of(&found, &parsed));
        Ok(digest.map(|digest| Local { reference, digest }))
    }

    /// Looks under the digest's own name, then under the tag, then at every image: what came by way of a relay, or was
    /// loaded from a file, has other names but the same content.
    async fn by_digest(
        &self,
        parsed: &ImageRef,
        digest: &Digest,
        tagged: Option<&str>,
    ) -> Result<Option<(String, ImageInspect)>, Fault> {
        let pinned = format!("{}@{digest}", parsed.repository);
        if let Some(found) = self.inspect_image(&pinned).await? {
            return Ok(Some((pinned, found)));
        }
        if let Some(tagged) = tagged
            && let Some(found) = self.inspect_image(tagged).await?
            && has_content(found.id.as_deref(), found.repo_digests.as_deref().unwrap_or_default(), digest)
        {
            return Ok(Some((tagged.to_owned(), found)));
        }
        let docker = self.connection.docker().await?;
        let asked = docker.list_images(None::<ListImagesOptions>);
        let all = self.connection.ask("listing images", CALL, asked).await?;
        let Some(same) = all.into_iter().find(|one| has_content(Some(&one.id), &one.repo_digests, digest)) else {
            return Ok(None);
        };
        Ok(self.inspect_image(&same.id).await?.map(|found| (same.id, found)))
    }

    /// The engine's version, which also tells its platform.
    pub(super) async fn engine_version(&self) -> Result<SystemVersion, Fault> {
        let docker = self.connection.docker().await?;
        Ok(self.connection.ask("asking for the version", CALL, docker.version()).await?)
    }

    /// Gives an image a name, so that people find it in the engine's list.
    pub(super) async fn tag(&self, reference: &str, as_image: &ImageRef) -> Result<(), Fault> {
        let Some(tag) = &as_image.tag else { return Ok(()) };
        let docker = self.connection.docker().await?;
        let options = TagImageOptionsBuilder::default().repo(as_image.repository.as_str()).tag(tag.as_str()).build();
        let doing = format!("tagging {reference} as {}:{tag}", as_image.repository);
        Ok(self.connection.ask(&doing, CALL, docker.tag_image(reference, Some(options))).await?)
    }
}

/// Reads a reference that a target or a file names.
pub(super) fn parse(reference: &str) -> Result<ImageRef, Fault> {
    ImageRef::parse(reference).map_err(|error| Fault::new(Reason::Configuration, error.to_string()))
}

/// Whether an image with this id and these names is of this content.
fn has_content(id: Option<&str>, repo_digests: &[String], digest: &Digest) -> bool {
    id == Some(digest.as_str())
        || repo_digests.iter().any(|name| name.rsplit_once('@').is_some_and(|(_, one)| one == digest.as_str()))
}

/// The digest of an image for a repository: the registry's, else any registry's, else the engine's id.
pub(super) fn digest_of(found: &ImageInspect, parsed: &ImageRef) -> Option<Digest> {
    let names = found.repo_digests.iter().flatten().filter_map(|name| ImageRef::parse(name).ok());
    let (own, other): (Vec<_>, Vec<_>) = names.partition(|name| name.repository == parsed.repository);
    let registry = own.into_iter().chain(other).find_map(|name| name.digest);
    registry.or_else(|| found.id.as_deref().and_then(|id| Digest::parse(id).ok()))
}

/// An image as the journal names it, from the text that a container was created with.
pub(super) fn named(found: &ImageInspect, text: &str) -> Image {
    let by_id = Digest::parse(text).is_ok();
    let reference = if by_id { found.repo_tags.iter().flatten().next().map_or(text, String::as_str) } else { text };
    let digest = match ImageRef::parse(reference) {
        Ok(parsed) => parsed.digest.clone().or_else(|| digest_of(found, &parsed)),
        Err(_) => found.id.as_deref().and_then(|id| Digest::parse(id).ok()),
    };
    Image { image: reference.to_owned(), digest }
}

/// The image's platform and the engine's, where the one does not run on the other.
pub(super) fn wrong_platform(found: &ImageInspect, runtime: &SystemVersion) -> Option<(String, String)> {
    let (os, arch) = (found.os.as_deref().unwrap_or_default(), found.architecture.as_deref().unwrap_or_default());
    let (own_os, own_arch) = (runtime.os.as_deref().unwrap_or_default(), runtime.arch.as_deref().unwrap_or_default());
    // Images imported from a file need not say. 64-bit machines run their 32-bit ancestors' images, and engines pull
    // those where there is nothing newer.
    let runs = (os.is_empty() || own_os.is_empty() || os == own_os)
        && (arch.is_empty()
            || own_arch.is_empty()
            || arch == own_arch
            || matches!((own_arch, arch), ("amd64", "386") | ("arm64", "arm")));
    (!runs).then(|| (format!("{os}/{arch}"), format!("{own_os}/{own_arch}")))
}

#[cfg(test)]
mod tests;
