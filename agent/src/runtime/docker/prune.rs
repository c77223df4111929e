//! Removing images that nobody needs any more.

use std::collections::BTreeSet;

use bollard::models::ImageSummary;
use bollard::query_parameters::RemoveImageOptionsBuilder;
use tidegate_domain::image::{ImageRef, Repository};

use super::DockerRuntime;
use super::connection::CALL;
use crate::image::Image;

/// Relays listen here; an image that came by way of one is named after it.
const RELAY: &str = "127.0.0.1:";

impl DockerRuntime {
    /// Removes a name, and with its last name the image. Never by force: the engine knows best what is in use.
    pub(super) async fn remove_name(&self, name: &str) {
        let Ok(docker) = self.connection.docker().await else { return };
        let options = RemoveImageOptionsBuilder::default().force(false).build();
        let asked = docker.remove_image(name, Some(options), None);
        match self.connection.ask(&format!("removing image {name}"), CALL, asked).await {
            Ok(_) => tracing::info!(image = name, "removed an image that nothing uses"),
            // Its last tag took the digest's name with it.
            Err(refusal) if refusal.status == Some(404) => {}
            Err(refusal) => tracing::debug!(image = name, why = refusal.fault.why, "an image stays"),
        }
    }
}

pub(super) fn is_kept(image: &ImageSummary, keep: &[Image]) -> bool {
    keep.iter().any(|kept| {
        let parsed = ImageRef::parse(&kept.image).ok();
        let digest = kept.digest.as_ref().or_else(|| parsed.as_ref().and_then(|parsed| parsed.digest.as_ref()));
        match digest {
            Some(digest) => {
                image.id == digest.as_str()
                    || image.repo_digests.iter().any(|name| name.ends_with(&format!("@{digest}")))
            }
            None => image.repo_tags.iter().any(|tag| ImageRef::parse(tag).ok() == parsed),
        }
    })
}

/// The names of an image in these repositories, tags first.
pub(super) fn names_in(image: &ImageSummary, repositories: &BTreeSet<Repository>) -> Vec<String> {
    let ours = |name: &&String| {
        ImageRef::parse(name).is_ok_and(|parsed| {
            let path = parsed.repository.path();
            repositories.contains(&parsed.repository)
                || (parsed.repository.registry().starts_with(RELAY)
                    && repositories.iter().any(|one| one.path() == path))
        })
    };
    image.repo_tags.iter().chain(&image.repo_digests).filter(ours).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(id: &str, tags: &[&str], digests: &[String]) -> ImageSummary {
        ImageSummary {
            id: id.to_owned(),
            repo_tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
            repo_digests: digests.to_vec(),
            ..ImageSummary::default()
        }
    }

    #[test]
    fn names_of_ours_only() {
        let digest = format!("@sha256:{}", "a".repeat(64));
        let repositories = [Repository::parse("r.example/app").expect("it is one")].into();
        let cases = [
            ("a tag and a digest", image("1", &["r.example/app:1"], &[format!("r.example/app{digest}")]), 2),
            ("also another's", image("1", &["r.example/app:1", "other:1"], &[]), 1),
            ("another's", image("1", &["other:1"], &[format!("other{digest}")]), 0),
            ("by a relay", image("1", &[], &[format!("127.0.0.1:4711/app{digest}")]), 1),
            ("nameless", image("1", &["<none>:<none>"], &["<none>@<none>".to_owned()]), 0),
        ];
        for (label, image, expected) in cases {
            assert_eq!(names_in(&image, &repositories).len(), expected, "{label}");
        }
    }

    #[test]
    fn what_is_kept() {
        let digest = tidegate_domain::image::Digest::parse(&format!("sha256:{}", "a".repeat(64))).expect("it is one");
        let by_digest = Image { image: "r.example/app:1".to_owned(), digest: Some(digest.clone()) };
        let by_tag = Image { image: "nginx".to_owned(), digest: None };
        let keep = [by_digest, by_tag];
        let cases = [
            ("the digest", image("1", &[], &[format!("r.example/app@{digest}")]), true),
            ("the digest as id", image(digest.as_str(), &[], &[]), true),
            ("the tag, moved on to other content", image("1", &["r.example/app:1"], &[]), false),
            ("the tag where no digest is known", image("1", &["nginx:latest"], &[]), true),
            ("another tag", image("1", &["nginx:1"], &[]), false),
        ];
        for (label, image, expected) in cases {
            assert_eq!(is_kept(&image, &keep), expected, "{label}");
        }
    }
}
