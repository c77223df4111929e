//! The services of the device: declared ones and adopted ones.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bollard::models::ContainerInspectResponse;

use super::DockerRuntime;
use super::found::{created_for, state};
use super::places::{self, Listed};
use crate::container_spec::{Strategy, labels};
use crate::fault::Fault;
use crate::image::Image;
use crate::runtime::{Container, ContainerId, Place, Service, Services};

/// The engine's own time to end where nobody says another.
const STOP_GRACE: Duration = Duration::from_secs(10);

impl Services for DockerRuntime {
    async fn services(&self) -> Result<BTreeMap<String, Service>, Fault> {
        let order = self.project.as_ref().map_or(&[][..], |project| &project.order);
        let declared = self.project.iter().flat_map(|project| &project.services);
        let mut services: BTreeMap<String, Service> = declared
            .map(|(name, declared)| {
                let service = Service {
                    name: name.clone(),
                    image: Image { image: declared.image.clone(), digest: None },
                    strategy: declared.strategy,
                    stop_grace: declared.stop_grace,
                    rank: order.iter().position(|one| one == name).unwrap_or(usize::MAX),
                };
                (name.clone(), service)
            })
            .collect();
        let all = self.listed().await?;
        // Asked at each turn, so this is where leftovers of an interrupted swap are seen.
        if let Err(fault) = self.restart_policies.keep_only(all.iter().map(|listed| listed.id.as_str())).await {
            tracing::warn!("policies of containers that are gone stay for now: {fault}");
        }
        for name in adopted(&all) {
            if !services.contains_key(&name)
                && let Some(service) = self.adopted_service(&all, &name).await?
            {
                services.insert(name, service);
            }
        }
        Ok(services)
    }

    async fn containers(&self, service: &str) -> Result<Vec<Container>, Fault> {
        let all = self.listed().await?;
        // Nothing of it is here, and nothing says what it would be: that is no fault of a question.
        if self.declared(service).is_none() && super::services::adopted_base(&all, service).is_none() {
            return Ok(Vec::new());
        }
        let mut containers = Vec::new();
        for standing in self.standing(&all, service)? {
            if let Some(inspected) = self.inspect(&standing.listed.id).await? {
                containers.push(Container {
                    id: ContainerId(standing.listed.id.clone()),
                    place: standing.place,
                    ours: standing.ours,
                    image: self.image_of(&inspected).await?,
                    state: state(&inspected),
                    created_for: created_for(&inspected),
                });
            }
        }
        Ok(containers)
    }
}

impl DockerRuntime {
    /// A service from its containers, unless they cannot be adopted: then it is said, and the others go on.
    async fn adopted_service(&self, all: &[Listed], name: &str) -> Result<Option<Service>, Fault> {
        let mut standing = match self.standing(all, name) {
            Ok(standing) => standing,
            Err(fault) => {
                self.tell(format!("not adopted: {}", fault.why));
                return Ok(None);
            }
        };
        standing.retain(|one| one.ours);
        standing.sort_by_key(|one| match one.place {
            Place::Live => 0,
            Place::Fallback => 1,
            Place::Next => 2,
        });
        for one in standing {
            let Some(inspected) = self.inspect(&one.listed.id).await? else { continue };
            if inspected.host_config.as_ref().and_then(|host| host.auto_remove) == Some(true) {
                self.tell(format!("{name} is not adopted: its container was started with --rm and would be lost"));
                return Ok(None);
            }
            return Ok(Some(Service {
                name: name.to_owned(),
                image: self.image_of(&inspected).await?,
                strategy: self.strategy(name, &one.listed, &inspected),
                stop_grace: stop_grace(&inspected),
                rank: usize::MAX,
            }));
        }
        Ok(None)
    }

    /// How an adopted one is replaced: as its label says, so far as its configuration lets it.
    fn strategy(&self, name: &str, listed: &Listed, inspected: &ContainerInspectResponse) -> Strategy {
        match listed.label(labels::STRATEGY) {
            None | Some("recreate") => Strategy::Recreate,
            Some("blue-green") => {
                let configuration =
                    super::adopt::configuration(inspected, &bollard::models::ImageConfig::default(), None);
                match configuration.alone() {
                    None => Strategy::BlueGreen,
                    Some(why) => {
                        self.tell(format!(
                            "{name}: {}: blue-green is not possible, recreate is used: {why}",
                            labels::STRATEGY
                        ));
                        Strategy::Recreate
                    }
                }
            }
            Some(other) => {
                self.tell(format!("{name}: {}: expected recreate or blue-green, got {other:?}", labels::STRATEGY));
                Strategy::Recreate
            }
        }
    }
}

fn stop_grace(inspected: &ContainerInspectResponse) -> Duration {
    let seconds = inspected.config.as_ref().and_then(|config| config.stop_timeout);
    seconds.and_then(|seconds| u64::try_from(seconds).ok()).map_or(STOP_GRACE, Duration::from_secs)
}

/// The services that containers are labelled with. Stopped ones count: a swap that was interrupted stopped them.
fn adopted(all: &[Listed]) -> BTreeSet<String> {
    let services = all.iter().filter_map(|listed| listed.label(labels::SERVICE).filter(|_| !listed.is_of_a_file()));
    services.map(ToOwned::to_owned).collect()
}

/// The name of the serving container of an adopted service, told by what the agent made of it, else by the original.
pub(super) fn adopted_base(all: &[Listed], service: &str) -> Option<String> {
    let of = || all.iter().filter(|listed| listed.is_of(service, None));
    let telling = of().find(|listed| listed.label(labels::CREATED_FOR).is_some()).or_else(|| of().next())?;
    Some(places::split(&telling.name).0.to_owned())
}
