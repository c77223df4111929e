//! Networks: those of the file, and the ones that a service is in.

use std::collections::BTreeMap;

use bollard::models::{EndpointIpamConfig, EndpointSettings, Ipam, IpamConfig, NetworkCreateRequest};
use docker_compose_types::{AdvancedNetworkSettings, Ipam as DeclaredIpam, MapOrEmpty};
use serde_json::Value;

use super::fields::{self, Fields, scalar};
use super::process;
use super::volumes::external;
use crate::container_spec::labels::COMPOSE_PROJECT;
use crate::container_spec::{Attachment, Needed};

/// What `docker compose` finds a project's network by.
const COMPOSE_NETWORK: &str = "com.docker.compose.network";

/// The network that a service is in where it names none.
const DEFAULT: &str = "default";

/// The networks that a file declares, by their names in the file.
pub(super) struct Networks {
    declared: BTreeMap<String, (String, Needed<NetworkCreateRequest>)>,
    used: BTreeMap<String, Needed<NetworkCreateRequest>>,
}

/// Where a service is.
pub(super) struct Taken {
    pub(super) networks: Vec<Attachment>,
    pub(super) mode: String,
}

impl Networks {
    pub(super) fn read(file: &mut Fields<'_>, project: &str) -> Self {
        let mut declared = BTreeMap::new();
        for (name, value) in file.named("networks") {
            let fields = Fields::of(&format!("networks.{name}"), value, file.mistakes);
            declared.insert(name.clone(), network(fields, &name, project));
        }
        declared
            .entry(DEFAULT.to_owned())
            .or_insert_with(|| network(Fields::of("networks.default", Value::Null, file.mistakes), DEFAULT, project));
        Self { declared, used: BTreeMap::new() }
    }

    /// Those that services are in, by their names in the engine.
    pub(super) fn used(self) -> BTreeMap<String, Needed<NetworkCreateRequest>> {
        self.used
    }

    /// Reads the networks of a service.
    pub(super) fn of_service(&mut self, fields: &mut Fields<'_>, service: &str) -> Taken {
        let mode = fields.text("network_mode");
        let given = fields.take("networks");
        if let Some(mode) = mode {
            if given.is_some() {
                fields.note("network_mode", "goes without networks");
            }
            if mode.starts_with("service:") {
                fields.note(
                    "network_mode",
                    format_args!("{mode}: not supported; the other container is replaced by updates"),
                );
            }
            return Taken { networks: Vec::new(), mode };
        }
        let wanted: Vec<(String, AdvancedNetworkSettings)> = match given {
            None => vec![(DEFAULT.to_owned(), AdvancedNetworkSettings::default())],
            Some(Value::Array(names)) => {
                names.iter().filter_map(scalar).map(|name| (name, AdvancedNetworkSettings::default())).collect()
            }
            Some(Value::Object(map)) => {
                let read = |(name, value): (String, Value)| Some((name.clone(), settings(fields, &name, &value)?));
                map.into_iter().filter_map(read).collect()
            }
            Some(_) => {
                fields.note("networks", "expected a list of networks, or a map");
                Vec::new()
            }
        };
        let mut networks = Vec::new();
        for (name, settings) in wanted {
            let Some((real, needed)) = self.declared.get(&name) else {
                fields.note("networks", format_args!("there is no network {name}; declare it under networks"));
                continue;
            };
            self.used.insert(real.clone(), needed.clone());
            networks.push(Attachment { network: real.clone(), endpoint: endpoint(settings, service) });
        }
        let mode = networks.first().map_or_else(|| "none".to_owned(), |first| first.network.clone());
        Taken { networks, mode }
    }
}

/// A service's settings in a network; `null` is none.
fn settings(fields: &Fields<'_>, name: &str, value: &Value) -> Option<AdvancedNetworkSettings> {
    if value.is_null() {
        return Some(AdvancedNetworkSettings::default());
    }
    let path = fields.path(&format!("networks.{name}"));
    fields::read(&path, value, "aliases, ipv4_address or ipv6_address", fields.mistakes)
}

fn endpoint(settings: AdvancedNetworkSettings, service: &str) -> EndpointSettings {
    let mut aliases = vec![service.to_owned()];
    aliases.extend(settings.aliases.into_iter().filter(|alias| alias != service));
    let fixed = settings.ipv4_address.is_some() || settings.ipv6_address.is_some();
    let ipam_config = fixed.then_some(EndpointIpamConfig {
        ipv4_address: settings.ipv4_address,
        ipv6_address: settings.ipv6_address,
        link_local_ips: None,
    });
    EndpointSettings { aliases: Some(aliases), ipam_config, ..EndpointSettings::default() }
}

/// A network of the file: its name in the engine, and how it is made.
fn network(mut fields: Fields<'_>, name: &str, project: &str) -> (String, Needed<NetworkCreateRequest>) {
    let (external, given) = external(&mut fields);
    let real = given.or_else(|| fields.text("name"));
    if external {
        fields.end();
        return (real.unwrap_or_else(|| name.to_owned()), Needed::External);
    }
    let real = real.unwrap_or_else(|| format!("{project}_{name}"));
    let mut labels = process::pairs(&mut fields, "labels");
    labels.insert(COMPOSE_PROJECT.to_owned(), project.to_owned());
    labels.insert(COMPOSE_NETWORK.to_owned(), name.to_owned());
    let options = process::pairs(&mut fields, "driver_opts");
    let request = NetworkCreateRequest {
        name: real.clone(),
        driver: Some(fields.text("driver").unwrap_or_else(|| "bridge".to_owned())),
        internal: fields.flag("internal"),
        attachable: fields.flag("attachable"),
        enable_ipv6: fields.flag("enable_ipv6"),
        ipam: ipam(&mut fields),
        options: (!options.is_empty()).then(|| options.into_iter().collect()),
        labels: Some(labels.into_iter().collect()),
        ..NetworkCreateRequest::default()
    };
    fields.end();
    (real, Needed::Made(request))
}

fn ipam(fields: &mut Fields<'_>) -> Option<Ipam> {
    let ipam: MapOrEmpty<DeclaredIpam> = fields.typed("ipam", "driver, and config with subnet and gateway")?;
    let ipam = Option::from(ipam)?;
    let DeclaredIpam { driver, config } = ipam;
    let config = config.into_iter().map(|one| IpamConfig {
        subnet: Some(one.subnet),
        gateway: one.gateway,
        ..IpamConfig::default()
    });
    Some(Ipam { driver, config: Some(config.collect()), options: None })
}
