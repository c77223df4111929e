use serde_json::json;

use super::*;

const ID: &str = "1f00aa22bb33cc44dd55ee66ff77008811223344556677889900aabbccddeeff";

fn inspected(
    config: &serde_json::Value,
    host: &serde_json::Value,
    networks: &serde_json::Value,
) -> ContainerInspectResponse {
    serde_json::from_value(json!({
        "Id": ID, "Name": "/web", "Config": config, "HostConfig": host, "NetworkSettings": {"Networks": networks},
    }))
    .expect("it is as the engine writes it")
}

fn image() -> ImageConfig {
    serde_json::from_value(json!({
        "Env": ["PATH=/bin", "MODE=fast"], "Cmd": ["serve"], "Entrypoint": ["/app"], "WorkingDir": "/srv", "User": "app",
        "Labels": {"vendor": "x", "tier": "edge"}, "ExposedPorts": {"80/tcp": {}}, "Volumes": {"/data": {}},
        "StopSignal": "SIGQUIT", "Healthcheck": {"Test": ["CMD", "/check"]},
    }))
    .expect("it is as the engine writes it")
}

#[test]
fn what_the_image_brings_is_left_to_the_image() {
    let config = json!({
        "Hostname": &ID[..12], "Domainname": "", "Env": ["PATH=/bin", "MODE=fast"], "Cmd": ["serve"],
        "Entrypoint": ["/app"], "WorkingDir": "/srv", "User": "app", "Labels": {"vendor": "x", "tier": "edge"},
        "ExposedPorts": {"80/tcp": {}}, "Volumes": {"/data": {}}, "StopSignal": "SIGQUIT",
        "Healthcheck": {"Test": ["CMD", "/check"]}, "Image": "app:1",
    });
    let read = configuration(&inspected(&config, &json!({}), &json!({})), &image(), None).container;
    let expected = ContainerCreateBody { host_config: Some(HostConfig::default()), ..ContainerCreateBody::default() };
    assert_eq!(read, expected);
}

#[test]
fn what_somebody_asked_for_stays() {
    let config = json!({
        "Hostname": "pump", "Env": ["PATH=/bin", "MODE=slow", "KEY=k"], "Cmd": ["serve", "-v"], "Entrypoint": ["/app"],
        "WorkingDir": "/", "User": "root", "ExposedPorts": {"80/tcp": {}, "81/udp": {}}, "StopSignal": "SIGINT",
        "Labels": {"vendor": "y", "tier": "edge", "tidegate.service": "web", "tidegate.made-for": "old",
                   "tidegate.image": "app:0", "tidegate.digest": "d", "tidegate.configuration": "{}"},
        "Healthcheck": {"Test": ["NONE"]}, "StopTimeout": 30,
    });
    let host = json!({
        "Binds": ["/srv:/srv:ro", "data:/data"], "PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]},
        "RestartPolicy": {"Name": "always"}, "Memory": 67_108_864, "NanoCpus": 500_000_000, "CapAdd": ["NET_ADMIN"],
        "Devices": [{"PathOnHost": "/dev/i2c-1", "PathInContainer": "/dev/i2c-1", "CgroupPermissions": "rw"}],
        "ContainerIDFile": "/run/id", "Links": ["/db:/web/cache"], "NetworkMode": "default", "Privileged": true,
    });
    let read = configuration(&inspected(&config, &host, &json!({})), &image(), None).container;
    assert_eq!(read.hostname.as_deref(), Some("pump"));
    assert_eq!(read.env, Some(vec!["MODE=slow".to_owned(), "KEY=k".to_owned()]));
    assert_eq!((read.cmd, read.entrypoint), (Some(vec!["serve".to_owned(), "-v".to_owned()]), None));
    assert_eq!((read.working_dir.as_deref(), read.user.as_deref()), (Some("/"), Some("root")));
    assert_eq!(read.exposed_ports, Some(vec!["81/udp".to_owned()]));
    assert_eq!((read.stop_signal.as_deref(), read.stop_timeout), (Some("SIGINT"), Some(30)));
    assert_eq!(read.healthcheck.and_then(|check| check.test), Some(vec!["NONE".to_owned()]));
    let expected =
        [("vendor", "y"), ("tidegate.service", "web")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(read.labels, Some(expected.into()));
    let host = read.host_config.expect("it has one");
    assert_eq!(host.links, Some(vec!["db:cache".to_owned()]));
    assert_eq!((host.container_id_file, host.memory, host.privileged), (None, Some(67_108_864), Some(true)));
    assert_eq!(host.binds.map(|binds| binds.len()), Some(2));
    assert_eq!(host.devices.map(|devices| devices.len()), Some(1));
}

#[test]
fn another_entrypoint_takes_the_command_along() {
    let config = json!({"Entrypoint": ["/bin/sh"], "Cmd": ["serve"]});
    let read = configuration(&inspected(&config, &json!({}), &json!({})), &image(), None).container;
    assert_eq!(read.entrypoint, Some(vec!["/bin/sh".to_owned()]));
    assert_eq!(read.cmd, Some(vec!["serve".to_owned()]), "the same words, but not the image's");
}

#[test]
fn a_held_one_keeps_its_own_policy() {
    let policy: RestartPolicy =
        serde_json::from_value(json!({"Name": "on-failure", "MaximumRetryCount": 3})).expect("is");
    let host = json!({"RestartPolicy": {"Name": "no"}});
    let read = configuration(&inspected(&json!({}), &host, &json!({})), &image(), Some(policy.clone()));
    assert_eq!(read.container.host_config.and_then(|host| host.restart_policy), Some(policy));
}

#[test]
fn networks_with_names_and_fixed_addresses_only() {
    let networks = json!({
        "aside": {"NetworkID": "n1", "Aliases": null, "IPAddress": "172.19.0.2", "MacAddress": "02:42:ac:13:00:02"},
        "shop": {"NetworkID": "n2", "Aliases": ["www", &ID[..12]], "IPAMConfig": {"IPv4Address": "172.20.0.9"},
                 "IPAddress": "172.20.0.9", "MacAddress": "02:42:ac:14:00:09"},
    });
    for (label, mode) in [("by name", "shop"), ("by id", "n2")] {
        let host = json!({"NetworkMode": mode});
        let read = configuration(&inspected(&json!({}), &host, &networks), &image(), None).networks;
        let names: Vec<&str> = read.iter().map(|attachment| attachment.network.as_str()).collect();
        assert_eq!(names, ["shop", "aside"], "{label}");
        assert_eq!(read[0].endpoint.aliases, Some(vec!["www".to_owned()]), "{label}");
        let address = read[0].endpoint.ipam_config.clone().and_then(|ipam| ipam.ipv4_address);
        assert_eq!(address.as_deref(), Some("172.20.0.9"), "{label}");
        assert_eq!(read[1].endpoint, EndpointSettings::default(), "{label}: nothing was asked for");
    }
}

#[test]
fn the_hosts_network_has_no_names_of_its_own() {
    for mode in ["host", "container:vpn"] {
        let networks = json!({"host": {"NetworkID": "n1"}});
        let host = json!({"NetworkMode": mode});
        let read = configuration(&inspected(&json!({"Hostname": "device-7"}), &host, &networks), &image(), None);
        assert_eq!((read.networks, read.container.hostname), (Vec::new(), None), "{mode}");
    }
}

#[test]
fn it_outlives_its_container_as_text() {
    let config = json!({"Env": ["KEY=k"], "ExposedPorts": {"81/udp": {}}, "Volumes": {"/x": {}}});
    let host = json!({"PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}, "RestartPolicy": {"Name": ""},
                      "NetworkMode": "shop", "Isolation": "", "CgroupnsMode": "host"});
    let networks = json!({"shop": {"Aliases": ["www"]}});
    let read = configuration(&inspected(&config, &host, &networks), &image(), None);
    let text = serde_json::to_string(&read).expect("it is JSON");
    assert_eq!(serde_json::from_str::<Configuration>(&text).expect("it is the same JSON"), read);
}

#[test]
fn anonymous_volumes_go_along() {
    let name = "ab".repeat(32);
    let mut inspected = inspected(&json!({}), &json!({}), &json!({}));
    let mounts = ["/data", "/bound", "/mounted", "/tmp"]
        .map(|target| json!({"Type": "volume", "Name": name, "Destination": target}));
    inspected.mounts = serde_json::from_value(json!(mounts)).expect("they are as the engine writes them");
    inspected.mounts.get_or_insert_default().push(
        serde_json::from_value(json!({"Type": "volume", "Name": "named", "Destination": "/named"})).expect("as well"),
    );
    let host: HostConfig = serde_json::from_value(json!({
        "Binds": ["data:/bound:ro"], "Tmpfs": {"/tmp": ""}, "Mounts": [{"Type": "tmpfs", "Target": "/mounted"}],
    }))
    .expect("it is as the engine takes it");
    let container = ContainerCreateBody { host_config: Some(host), ..ContainerCreateBody::default() };
    let carried = anonymous_volumes(&inspected, &Configuration { container, networks: Vec::new() });
    let targets: Vec<_> = carried.iter().map(|mount| (mount.source.as_deref(), mount.target.as_deref())).collect();
    assert_eq!(targets, [(Some(name.as_str()), Some("/data"))]);
}
