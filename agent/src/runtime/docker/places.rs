//! Names of containers and what they say: which place a container of a service stands in.

use std::collections::HashMap;

use bollard::models::ContainerSummary;

use crate::container_spec::labels;
use crate::runtime::Place;

/// Ends the name of a container that is being brought up.
const NEXT: &str = ".tidegate-next";
/// Ends the name of a container that can serve again.
const KEPT: &str = ".tidegate-kept";

/// The name of a place, where `base` is the name of the one that serves.
pub(super) fn name(base: &str, place: Place) -> String {
    match place {
        Place::Live => base.to_owned(),
        Place::Next => format!("{base}{NEXT}"),
        Place::Fallback => format!("{base}{KEPT}"),
    }
}

/// The name of the serving container and the place that a container's name tells of.
pub(super) fn split(name: &str) -> (&str, Place) {
    if let Some(base) = name.strip_suffix(NEXT) {
        return (base, Place::Next);
    }
    match name.strip_suffix(KEPT) {
        Some(base) => (base, Place::Fallback),
        None => (name, Place::Live),
    }
}

/// What the engine's list says of a container, so far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Listed {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) labels: HashMap<String, String>,
}

impl Listed {
    /// Reads the engine's answer. Links give a container further names, with a second slash.
    pub(super) fn read(summary: ContainerSummary) -> Option<Self> {
        let names = summary.names.unwrap_or_default();
        let mut plain = names.iter().map(|name| name.strip_prefix('/').unwrap_or(name));
        let name = plain.find(|name| !name.contains('/'))?.to_owned();
        Some(Self { id: summary.id?, name, labels: summary.labels.unwrap_or_default() })
    }

    pub(super) fn label(&self, key: &str) -> Option<&str> {
        self.labels.get(key).map(String::as_str)
    }

    /// Whether it is the agent's, or given into its care: by its own label, or by `docker compose up`. `project` is the
    /// Compose project of a declared service. Several agents may share an engine, each with a project of its own, and
    /// have services of one name.
    pub(super) fn is_of(&self, service: &str, project: Option<&str>) -> bool {
        let labelled = self.label(labels::SERVICE);
        let of_project = self.label(labels::COMPOSE_PROJECT);
        let Some(project) = project else {
            return labelled == Some(service) && !self.is_of_a_file();
        };
        match labelled {
            Some(labelled) => labelled == service && of_project.is_none_or(|of| of == project),
            None => {
                of_project == Some(project)
                    && self.label(labels::COMPOSE_SERVICE) == Some(service)
                    && self.label(labels::COMPOSE_ONE_OFF) != Some("True")
            }
        }
    }

    /// Whether an agent made it for a service that a Compose file declares: another agent's, or one that the file has no
    /// more. Nobody asked for its adoption.
    pub(super) fn is_of_a_file(&self) -> bool {
        self.label(labels::CREATED_FOR).is_some() && self.label(labels::CONFIGURATION).is_none()
    }
}

/// A container that stands in one of a service's places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) listed: Listed,
    pub(super) place: Place,
    pub(super) ours: bool,
}

/// Finds a service's containers, and strangers under its names. `project` is the Compose project of a declared one.
pub(super) fn standing(all: &[Listed], service: &str, base: &str, project: Option<&str>) -> Vec<Standing> {
    let mut found = Vec::new();
    for listed in all {
        let (stem, place) = split(&listed.name);
        let ours = listed.is_of(service, project);
        if ours || stem == base {
            found.push(Standing { listed: listed.clone(), place, ours });
        }
    }
    found
}

/// The places where more than one of ours stands, in words: nobody can say which of them to replace.
pub(super) fn crowded(standing: &[Standing]) -> Option<String> {
    for place in [Place::Live, Place::Next, Place::Fallback] {
        let names: Vec<&str> =
            standing.iter().filter(|one| one.ours && one.place == place).map(|one| one.listed.name.as_str()).collect();
        if names.len() > 1 {
            return Some(format!("more than one container is of this service: {}; leave one", names.join(", ")));
        }
    }
    None
}

#[cfg(test)]
mod tests;
