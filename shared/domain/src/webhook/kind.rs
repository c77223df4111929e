//! Which registry sent it. Headers decide first, in a fixed order, because some senders imitate others: Gitea and
//! Forgejo send GitHub's headers too. What no header names is told by the shape of the body.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::content::essence;
use super::{Headers, field};

/// A kind of sender. Three are read; the others are recognised so that they are never misread as one of the three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Docker Hub.
    DockerHub,
    /// GitHub's container registry; also every other event that GitHub sends.
    Ghcr,
    /// The CNCF distribution registry, and GitLab's, which sends the same.
    Distribution,
    /// Azure's registry, directly or through Event Grid.
    Acr,
    /// Alibaba's registry.
    Alibaba,
    /// Google's Artifact Registry, through Pub/Sub.
    ArtifactRegistry,
    /// `JFrog` Artifactory.
    Artifactory,
    /// Any `CloudEvents` sender (zot, Harbor in that format, `CDEvents`, one's own).
    CloudEvents,
    /// Amazon's registry, through `EventBridge`.
    Ecr,
    /// Gitea and Forgejo.
    Gitea,
    /// GitLab's project and group hooks, which never tell of an image.
    Gitlab,
    /// Harbor in its own format.
    Harbor,
    /// Sonatype Nexus.
    Nexus,
    /// Quay.
    Quay,
    /// None that is known.
    Unknown,
}

impl Kind {
    /// The stable word for logs and keys.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DockerHub => "docker-hub",
            Self::Ghcr => "ghcr",
            Self::Distribution => "distribution",
            Self::Acr => "acr",
            Self::Alibaba => "alibaba",
            Self::ArtifactRegistry => "artifact-registry",
            Self::Artifactory => "artifactory",
            Self::CloudEvents => "cloud-events",
            Self::Ecr => "ecr",
            Self::Gitea => "gitea",
            Self::Gitlab => "gitlab",
            Self::Harbor => "harbor",
            Self::Nexus => "nexus",
            Self::Quay => "quay",
            Self::Unknown => "unknown",
        }
    }

    /// The kind that the headers name, if they do.
    pub(super) fn by_headers(headers: &Headers) -> Option<Self> {
        let content_type = essence(headers.text("content-type").unwrap_or_default());
        let markers = [
            (Self::Gitea, headers.any_with_prefix("x-gitea-") || headers.any_with_prefix("x-forgejo-")),
            (Self::Ghcr, headers.text("x-github-event").is_some()),
            (Self::Gitlab, headers.text("x-gitlab-event").is_some()),
            (Self::Nexus, headers.any_with_prefix("x-nexus-webhook-")),
            (Self::Artifactory, headers.any_with_prefix("x-jfrog-")),
            (Self::Acr, headers.any_with_prefix("aeg-")),
            (
                Self::CloudEvents,
                headers.any_with_prefix("ce-specversion")
                    || headers.any_with_prefix("ce-type")
                    || content_type.starts_with("application/cloudevents"),
            ),
            (Self::Distribution, is_distribution(&content_type)),
        ];
        markers.into_iter().find_map(|(kind, marked)| marked.then_some(kind))
    }

    /// The kind that the shape of the body shows.
    pub(super) fn by_body(body: &Value) -> Self {
        let has = |keys: &[&str]| keys.iter().all(|key| body.get(key).is_some_and(|value| !value.is_null()));
        let text_at = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let shapes = [
            (Self::CloudEvents, has(&["specversion"])),
            (Self::Ecr, text_at("/source") == "aws.ecr" && has(&["detail-type"])),
            (Self::Harbor, has(&["type", "event_data"])),
            (Self::Quay, has(&["docker_url"])),
            (Self::Artifactory, has(&["domain", "event_type", "data"])),
            (Self::Nexus, has(&["component", "repositoryName"])),
            (Self::ArtifactRegistry, body.pointer("/message/data").is_some() && has(&["subscription"])),
            (Self::Acr, has(&["action", "target"]) || body.pointer("/0/eventType").is_some()),
            (
                Self::Alibaba,
                has(&["push_data"])
                    && text_at("/repository/repo_name").is_empty()
                    && !text_at("/repository/repo_full_name").is_empty(),
            ),
            (Self::DockerHub, has(&["push_data", "repository"])),
            (
                Self::Ghcr,
                body.pointer("/package/package_version").is_some()
                    || body.pointer("/registry_package/package_version").is_some(),
            ),
            (Self::Distribution, is_envelope(body)),
        ];
        shapes.into_iter().find_map(|(kind, shown)| shown.then_some(kind)).unwrap_or(Self::Unknown)
    }
}

/// Version 1 is sent by 2.x, version 2 by 3.x (both captured); a later one would still be told by its name.
fn is_distribution(content_type: &str) -> bool {
    content_type.starts_with("application/vnd.docker.distribution.events.") && content_type.ends_with("+json")
}

/// A list of events of which at least one is a registry's, or none at all.
fn is_envelope(body: &Value) -> bool {
    let Some(events) = body.get("events").and_then(Value::as_array) else { return false };
    events.is_empty()
        || events
            .iter()
            .any(|event| field::text(event, "action").is_ok_and(|a| a.is_some()) && event.get("target").is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Label, header fields, kind.
    type Case = (&'static str, &'static [(&'static str, &'static str)], Option<Kind>);

    #[test]
    fn imitated_headers_do_not_mislead() {
        let cases: [Case; 6] = [
            (
                "gitea imitates github",
                &[("X-GitHub-Event", "package"), ("X-Gitea-Event", "package")],
                Some(Kind::Gitea),
            ),
            (
                "forgejo imitates github",
                &[("X-GitHub-Event", "package"), ("X-Forgejo-Event", "package")],
                Some(Kind::Gitea),
            ),
            ("github", &[("X-GitHub-Event", "push")], Some(Kind::Ghcr)),
            ("gitlab hook", &[("X-Gitlab-Event", "Push Hook")], Some(Kind::Gitlab)),
            (
                "distribution by its content type",
                &[("Content-Type", "application/vnd.docker.distribution.events.v1+json; charset=utf-8")],
                Some(Kind::Distribution),
            ),
            ("nothing tells", &[("Content-Type", "application/json")], None),
        ];
        for (label, fields, expected) in cases {
            assert_eq!(Kind::by_headers(&fields.iter().copied().collect()), expected, "{label}");
        }
    }

    #[test]
    fn shapes() {
        let cases = [
            ("docker hub", json!({"push_data": {}, "repository": {"repo_name": "a/b"}}), Kind::DockerHub),
            ("alibaba", json!({"push_data": {}, "repository": {"repo_full_name": "a/b"}}), Kind::Alibaba),
            (
                "the mission's ghcr sample",
                json!({"action": "published", "package": {"package_version": {}}}),
                Kind::Ghcr,
            ),
            ("empty envelope", json!({"events": []}), Kind::Distribution),
            ("one good event of two", json!({"events": [7, {"action": "push", "target": {}}]}), Kind::Distribution),
            ("somebody else's events", json!({"events": [{"type": "message"}]}), Kind::Unknown),
            ("empty object", json!({}), Kind::Unknown),
            ("array", json!([]), Kind::Unknown),
            ("null", Value::Null, Kind::Unknown),
        ];
        for (label, body, expected) in cases {
            assert_eq!(Kind::by_body(&body), expected, "{label}");
        }
    }
}
