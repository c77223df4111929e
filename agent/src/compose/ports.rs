//! Published ports, in the short form (`127.0.0.1:8080-8081:80/tcp`) and the long one.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::RangeInclusive;

use bollard::models::{ContainerCreateBody, HostConfig, PortBinding};

use super::fields::{Fields, scalar};

/// A port of the container and where it is published.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Published {
    /// `80/tcp`.
    inside: String,
    address: Option<String>,
    /// A port, a range to choose from, or nothing where the engine chooses.
    outside: String,
}

pub(super) fn read(fields: &mut Fields<'_>, container: &mut ContainerCreateBody, host: &mut HostConfig) {
    let mut exposed = BTreeSet::new();
    for port in fields.list("expose") {
        match scalar(&port).as_deref().map(exposed_port) {
            Some(Ok(ports)) => exposed.extend(ports),
            Some(Err(why)) => fields.note("expose", why),
            None => fields.note("expose", "expected a port"),
        }
    }
    let mut bindings: BTreeMap<String, Vec<PortBinding>> = BTreeMap::new();
    for (n, item) in fields.list("ports").into_iter().enumerate() {
        let name = format!("ports[{n}]");
        let published = match scalar(&item) {
            Some(text) => short(&text).map_err(|why| fields.note(&name, why)).unwrap_or_default(),
            None => long(Fields::of(&fields.path(&name), item, fields.mistakes)),
        };
        for one in published {
            exposed.insert(one.inside.clone());
            let binding = PortBinding { host_ip: one.address, host_port: Some(one.outside) };
            bindings.entry(one.inside).or_default().push(binding);
        }
    }
    container.exposed_ports = (!exposed.is_empty()).then(|| exposed.into_iter().collect());
    host.port_bindings = (!bindings.is_empty())
        .then(|| bindings.into_iter().map(|(inside, bindings)| (inside, Some(bindings))).collect());
}

fn exposed_port(text: &str) -> Result<Vec<String>, String> {
    let (ports, protocol) = with_protocol(text)?;
    Ok(range(ports)?.map(|port| format!("{port}/{protocol}")).collect())
}

fn short(text: &str) -> Result<Vec<Published>, String> {
    let (rest, protocol) = with_protocol(text)?;
    let (outside, inside) = match rest.rsplit_once(':') {
        Some((outside, inside)) => (outside, range(inside)?),
        None => ("", range(rest)?),
    };
    let (address, outside) = match outside.rsplit_once(':') {
        Some((address, outside)) => (Some(address_of(address)?), outside),
        None => (None, outside),
    };
    pairs(&inside, address.as_deref(), outside, protocol)
}

/// Port for port where there is a range inside; one port inside may have a range outside to choose from.
fn pairs(
    inside: &RangeInclusive<u16>,
    address: Option<&str>,
    outside: &str,
    protocol: &str,
) -> Result<Vec<Published>, String> {
    let published = |inside: u16, outside: String| Published {
        inside: format!("{inside}/{protocol}"),
        address: address.map(ToOwned::to_owned),
        outside,
    };
    if outside.is_empty() || outside == "0" {
        return Ok(inside.clone().map(|inside| published(inside, String::new())).collect());
    }
    let outer = range(outside)?;
    if inside.len() == 1 {
        return Ok(vec![published(*inside.start(), outside.to_owned())]);
    }
    if inside.len() != outer.len() {
        return Err(format!("expected as many ports outside as inside, got {} and {}", outer.len(), inside.len()));
    }
    Ok(inside.clone().zip(outer).map(|(inside, outside)| published(inside, outside.to_string())).collect())
}

fn long(mut fields: Fields<'_>) -> Vec<Published> {
    let inside = fields.parsed("target", range);
    let outside = fields.text("published").unwrap_or_default();
    let address = fields.parsed("host_ip", address_of);
    let protocol = fields.text("protocol").unwrap_or_else(|| "tcp".to_owned());
    // On one engine both are the same.
    let mode = fields.text("mode");
    if mode.is_some_and(|mode| mode != "host" && mode != "ingress") {
        fields.note("mode", "expected host or ingress");
    }
    let Some(inside) = inside else {
        fields.note("target", "expected the port inside the container");
        return Vec::new();
    };
    let protocol = with_protocol(&format!("0/{protocol}")).map(|(_, protocol)| protocol.to_owned());
    let published = protocol.and_then(|protocol| pairs(&inside, address.as_deref(), &outside, &protocol));
    let published = published.map_err(|why| fields.note("published", why)).unwrap_or_default();
    fields.end();
    published
}

fn with_protocol(text: &str) -> Result<(&str, &str), String> {
    match text.split_once('/') {
        None => Ok((text, "tcp")),
        Some((ports, protocol @ ("tcp" | "udp" | "sctp"))) => Ok((ports, protocol)),
        Some((_, other)) => Err(format!("expected tcp, udp or sctp, got {other:?}")),
    }
}

fn range(text: &str) -> Result<RangeInclusive<u16>, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.parse::<u16>(), last.parse::<u16>()) {
        (Ok(first), Ok(last)) if first > 0 && first <= last => Ok(first..=last),
        _ => Err(format!("expected a port or a range such as 8080-8081, got {text:?}")),
    }
}

fn address_of(text: &str) -> Result<String, String> {
    let plain = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    match plain.parse::<IpAddr>() {
        Ok(address) => Ok(address.to_string()),
        Err(_) => Err(format!("expected an address such as 127.0.0.1, got {text:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Option<String> {
        let show = |one: &Published| {
            format!(
                "{}<{}{}",
                one.inside,
                one.address.as_ref().map(|a| format!("{a}/")).unwrap_or_default(),
                one.outside
            )
        };
        short(text).ok().map(|published| published.iter().map(show).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn short_forms() {
        for (text, expected) in [
            ("80", Some("80/tcp<")),
            ("8080:80", Some("80/tcp<8080")),
            ("0:80", Some("80/tcp<")),
            ("53:53/udp", Some("53/udp<53")),
            ("127.0.0.1:8080:80", Some("80/tcp<127.0.0.1/8080")),
            ("127.0.0.1::80", Some("80/tcp<127.0.0.1/")),
            ("[::1]:8080:80", Some("80/tcp<::1/8080")),
            ("8080-8081:80", Some("80/tcp<8080-8081")),
            ("8080-8081:90-91", Some("90/tcp<8080 91/tcp<8081")),
            ("90-91", Some("90/tcp< 91/tcp<")),
            ("8080-8082:90-91", None),
            ("8080:80/icmp", None),
            ("web:80", None),
            ("localhost:8080:80", None),
            ("70000:80", None),
            ("81-80", None),
            ("", None),
        ] {
            assert_eq!(shown(text).as_deref(), expected, "{text:?}");
        }
    }
}
