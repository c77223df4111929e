//! Where a health check's address leads, for this container.
//!
//! An address on the device itself (`localhost`, `127.0.0.1`, `::1`) or with the service's name means *this container*,
//! also while another one serves. Its port `p` leads to, by the first rule that fits:
//!
//! 1. the container is in the host's network: `127.0.0.1:p`;
//! 2. the container publishes host port `p`, or a range that has `p`: the host port that it really got, so that the new
//!    container of a blue-green update is asked at its own port of the range, not at the old one's;
//! 3. the container publishes its own port `p`: the host port of it;
//! 4. otherwise the container's address in its network, port `p`.
//!
//! Any other address is asked as it is written.

use bollard::models::{ContainerInspectResponse, PortBinding};

use crate::fault::{Fault, Reason};

/// The host and port to ask instead; `None` where the address is not this container's.
pub(super) fn of(
    service: &str,
    inspected: &ContainerInspectResponse,
    host: &str,
    port: u16,
) -> Result<Option<(String, u16)>, Fault> {
    let named = host == service;
    if !named && !is_loopback(host) {
        return Ok(None);
    }
    let mode = inspected.host_config.as_ref().and_then(|host| host.network_mode.as_deref()).unwrap_or_default();
    if mode == "host" {
        return Ok(Some(("127.0.0.1".to_owned(), port)));
    }
    if !named && let Some(there) = published(inspected, port) {
        return Ok(Some(there));
    }
    match own_address(inspected, mode) {
        Some(address) => Ok(Some((address, port))),
        None => {
            let why = format!(
                "{host}:{port} cannot be reached: the container publishes no such port and has no address of its own \
                 (network mode {mode})"
            );
            Err(Fault::new(Reason::Configuration, why))
        }
    }
}

fn is_loopback(host: &str) -> bool {
    let plain = host.trim_matches(['[', ']']);
    plain.eq_ignore_ascii_case("localhost")
        || plain.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback() || address.is_unspecified())
}

/// Rules 2 and 3.
fn published(inspected: &ContainerInspectResponse, port: u16) -> Option<(String, u16)> {
    let asked = inspected.host_config.as_ref()?.port_bindings.as_ref();
    let mut inside: Vec<&String> =
        asked.into_iter().flatten().filter(|(key, _)| is_tcp(key)).map(|(key, _)| key).collect();
    inside.sort_unstable();
    let by_host_port = inside.into_iter().find(|key| {
        let bindings = asked.and_then(|asked| asked.get(*key)).and_then(Option::as_ref);
        bindings.into_iter().flatten().any(|binding| covers(binding, port))
    });
    let own = [format!("{port}/tcp"), port.to_string()];
    let actual = inspected.network_settings.as_ref()?.ports.as_ref()?;
    by_host_port.into_iter().chain(&own).find_map(|key| {
        let bindings = actual.get(key)?.as_ref()?;
        let binding =
            bindings.iter().find(|binding| binding.host_port.as_deref().is_some_and(|port| !port.is_empty()))?;
        Some((host_of(binding), binding.host_port.as_deref()?.parse().ok()?))
    })
}

fn is_tcp(key: &str) -> bool {
    key.split_once('/').is_none_or(|(_, protocol)| protocol == "tcp")
}

/// Whether what was asked for, a port or a range, has this port.
fn covers(binding: &PortBinding, port: u16) -> bool {
    let asked = binding.host_port.as_deref().unwrap_or_default();
    let (first, last) = asked.split_once('-').unwrap_or((asked, asked));
    match (first.parse::<u16>(), last.parse::<u16>()) {
        (Ok(first), Ok(last)) => (first..=last).contains(&port),
        _ => false,
    }
}

/// Where a published port is reached from the device.
fn host_of(binding: &PortBinding) -> String {
    match binding.host_ip.as_deref().unwrap_or_default() {
        "" | "0.0.0.0" | "::" => "127.0.0.1".to_owned(),
        address if address.contains(':') => format!("[{address}]"),
        address => address.to_owned(),
    }
}

/// The container's address in the first of its networks where it has one, its primary network first.
fn own_address(inspected: &ContainerInspectResponse, mode: &str) -> Option<String> {
    let networks = inspected.network_settings.as_ref()?.networks.as_ref()?;
    let mut networks: Vec<_> = networks.iter().collect();
    networks.sort_by_key(|(name, _)| (name.as_str() != mode, name.as_str()));
    networks.into_iter().find_map(|(_, endpoint)| {
        let given = |address: &Option<String>| address.clone().filter(|address| !address.is_empty());
        given(&endpoint.ip_address)
            .or_else(|| given(&endpoint.global_ipv6_address).map(|address| format!("[{address}]")))
    })
}
