mod refused;

use serde_json::{Value, json};

use std::time::Duration;

use super::*;
use crate::container_spec::{Needed, Strategy};

const FILE: &str = "/srv/shop/compose.yaml";

fn parse_with(text: &str, dotenv: &str, variables: &[(&str, &str)]) -> Result<Project, ComposeError> {
    let variables = variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    super::parse(Path::new(FILE), text, Some(dotenv), &variables)
}

fn parse(text: &str) -> Project {
    parse_with(text, "", &[]).expect("the file is well formed")
}

fn service(lines: &str) -> String {
    let lines: Vec<String> = lines.lines().map(|line| format!("    {line}\n")).collect();
    format!("services:\n  web:\n    image: app:1\n{}", lines.concat())
}

/// The body of the service with these lines, without labels.
fn body(lines: &str) -> Value {
    let project = parse(&service(lines));
    let mut body = serde_json::to_value(&project.services["web"].configuration.container).expect("it is JSON");
    let _ = body.as_object_mut().map(|body| body.remove("Labels"));
    body
}

#[test]
fn the_least_that_a_service_needs() {
    let project = parse("services: {web: {image: nginx}}");
    let web = &project.services["web"];
    assert_eq!(
        (project.name.as_str(), web.image.as_str(), web.container_name.as_str()),
        ("shop", "nginx", "shop-web-1")
    );
    assert_eq!((web.strategy, web.stop_grace), (Strategy::Recreate, Duration::from_secs(10)));
    assert_eq!(web.configuration.networks[0].network, "shop_default");
    assert_eq!(web.configuration.networks[0].endpoint.aliases, Some(vec!["web".to_owned()]));
    assert!(matches!(project.networks["shop_default"], Needed::Made(_)));
    let labels = web.configuration.container.labels.clone().expect("it has some");
    for (key, value) in [
        ("com.docker.compose.project", "shop"),
        ("com.docker.compose.service", "web"),
        ("com.docker.compose.oneoff", "False"),
        ("com.docker.compose.container-number", "1"),
        ("com.docker.compose.project.working_dir", "/srv/shop"),
        ("com.docker.compose.project.config_files", FILE),
    ] {
        assert_eq!(labels.get(key).map(String::as_str), Some(value), "{key}");
    }
    assert_eq!(labels.get("com.docker.compose.config-hash").map(String::len), Some(64));
}

/// Field by field: what a file says, and where the engine gets it.
#[test]
#[expect(clippy::too_many_lines, reason = "one table, a line a field")]
fn every_field_reaches_the_engine() {
    let cases: &[(&str, &str, Value)] = &[
        ("command: serve --name 'two words'", "/Cmd", json!(["serve", "--name", "two words"])),
        ("command: [sleep, 10]", "/Cmd", json!(["sleep", "10"])),
        ("entrypoint: /bin/run -x", "/Entrypoint", json!(["/bin/run", "-x"])),
        ("environment: {A: 1, B: true, C: no, D: null}", "/Env", json!(["A=1", "B=true", "C=no"])),
        ("environment: [A=1, B=x=y, C]", "/Env", json!(["A=1", "B=x=y"])),
        ("user: 1000", "/User", json!("1000")),
        ("working_dir: /app", "/WorkingDir", json!("/app")),
        ("hostname: pump", "/Hostname", json!("pump")),
        ("tty: true", "/Tty", json!(true)),
        ("stdin_open: true", "/OpenStdin", json!(true)),
        ("stop_signal: SIGINT", "/StopSignal", json!("SIGINT")),
        ("stop_grace_period: 1m30s", "/StopTimeout", json!(90)),
        ("group_add: [dialout, 20]", "/HostConfig/GroupAdd", json!(["dialout", "20"])),
        ("cap_add: [NET_ADMIN]", "/HostConfig/CapAdd", json!(["NET_ADMIN"])),
        ("cap_drop: [ALL]", "/HostConfig/CapDrop", json!(["ALL"])),
        ("privileged: true", "/HostConfig/Privileged", json!(true)),
        ("read_only: true", "/HostConfig/ReadonlyRootfs", json!(true)),
        ("init: true", "/HostConfig/Init", json!(true)),
        ("ipc: host", "/HostConfig/IpcMode", json!("host")),
        ("pid: host", "/HostConfig/PidMode", json!("host")),
        ("security_opt: [no-new-privileges]", "/HostConfig/SecurityOpt", json!(["no-new-privileges"])),
        ("dns: 1.1.1.1", "/HostConfig/Dns", json!(["1.1.1.1"])),
        ("dns: [1.1.1.1, 9.9.9.9]", "/HostConfig/Dns", json!(["1.1.1.1", "9.9.9.9"])),
        ("extra_hosts: ['a:10.0.0.1', b=10.0.0.2]", "/HostConfig/ExtraHosts", json!(["a:10.0.0.1", "b:10.0.0.2"])),
        ("extra_hosts: {a: 10.0.0.1}", "/HostConfig/ExtraHosts", json!(["a:10.0.0.1"])),
        ("sysctls: {net.core.somaxconn: 1024}", "/HostConfig/Sysctls", json!({"net.core.somaxconn": "1024"})),
        ("sysctls: [a=1]", "/HostConfig/Sysctls", json!({"a": "1"})),
        (
            "devices: ['/dev/i2c-1', '/dev/x:/dev/y:r']",
            "/HostConfig/Devices",
            json!([
                {"PathOnHost": "/dev/i2c-1", "PathInContainer": "/dev/i2c-1", "CgroupPermissions": "rwm"},
                {"PathOnHost": "/dev/x", "PathInContainer": "/dev/y", "CgroupPermissions": "r"},
            ]),
        ),
        ("restart: no", "/HostConfig/RestartPolicy", json!({"Name": "no"})),
        ("restart: unless-stopped", "/HostConfig/RestartPolicy", json!({"Name": "unless-stopped"})),
        ("restart: on-failure:3", "/HostConfig/RestartPolicy", json!({"Name": "on-failure", "MaximumRetryCount": 3})),
        ("mem_limit: 64m", "/HostConfig/Memory", json!(67_108_864)),
        ("cpus: 0.5", "/HostConfig/NanoCpus", json!(500_000_000)),
        ("pids_limit: 100", "/HostConfig/PidsLimit", json!(100)),
        ("shm_size: 1g", "/HostConfig/ShmSize", json!(1_073_741_824)),
        ("deploy: {resources: {limits: {memory: 64m}}}", "/HostConfig/Memory", json!(67_108_864)),
        ("deploy: {resources: {limits: {cpus: '0.5'}}}", "/HostConfig/NanoCpus", json!(500_000_000)),
        ("deploy: {resources: {limits: {pids: 9}}}", "/HostConfig/PidsLimit", json!(9)),
        ("deploy: {resources: {reservations: {memory: 1k}}}", "/HostConfig/MemoryReservation", json!(1024)),
        (
            "ulimits: {nofile: {soft: 10, hard: 20}}",
            "/HostConfig/Ulimits",
            json!([{"Name": "nofile", "Soft": 10, "Hard": 20}]),
        ),
        ("ulimits: {nproc: 10}", "/HostConfig/Ulimits", json!([{"Name": "nproc", "Soft": 10, "Hard": 10}])),
        ("tmpfs: /run", "/HostConfig/Tmpfs", json!({"/run": ""})),
        ("tmpfs: ['/run:size=1m']", "/HostConfig/Tmpfs", json!({"/run": "size=1m"})),
        (
            "logging: {driver: json-file, options: {max-size: 10m, max-file: 3}}",
            "/HostConfig/LogConfig",
            json!({"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}),
        ),
        (
            "healthcheck: {test: wget localhost, interval: 5s, retries: 2}",
            "/Healthcheck",
            json!({"Test": ["CMD-SHELL", "wget localhost"], "Interval": 5_000_000_000_i64, "Retries": 2}),
        ),
        ("healthcheck: {test: [CMD, /check], retries: '2'}", "/Healthcheck/Retries", json!(2)),
        ("healthcheck: {disable: true}", "/Healthcheck", json!({"Test": ["NONE"]})),
        (
            "ports: ['127.0.0.1:8080-8081:80', 53/udp]",
            "/HostConfig/PortBindings",
            json!({
                "80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080-8081"}],
                "53/udp": [{"HostPort": ""}],
            }),
        ),
        (
            "ports: [{target: 80, published: 8080, host_ip: 127.0.0.1, protocol: udp}]",
            "/HostConfig/PortBindings",
            json!({"80/udp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]}),
        ),
        ("ports: [80]\nexpose: [90-91]", "/ExposedPorts", json!({"80/tcp": {}, "90/tcp": {}, "91/tcp": {}})),
        ("network_mode: host", "/HostConfig/NetworkMode", json!("host")),
        (
            "volumes: ['./data:/data', '/etc/x:/x:ro,z']",
            "/HostConfig/Binds",
            json!(["/srv/shop/data:/data", "/etc/x:/x:ro,z"]),
        ),
        ("volumes: [/anonymous]", "/Volumes", json!({"/anonymous": {}})),
        (
            "volumes: [{type: bind, source: ./a, target: /a, read_only: true}]",
            "/HostConfig/Binds",
            json!(["/srv/shop/a:/a:ro"]),
        ),
        (
            "volumes: [{type: bind, source: /a, target: /a, bind: {create_host_path: false}}]",
            "/HostConfig/Mounts",
            json!([{"Type": "bind", "Source": "/a", "Target": "/a", "ReadOnly": false}]),
        ),
        (
            "volumes: [{type: tmpfs, target: /t, tmpfs: {size: 1024}}]",
            "/HostConfig/Mounts",
            json!([{"Type": "tmpfs", "Target": "/t", "ReadOnly": false, "TmpfsOptions": {"SizeBytes": 1024}}]),
        ),
    ];
    for (lines, pointer, expected) in cases {
        assert_eq!(body(lines).pointer(pointer), Some(expected), "{lines}");
    }
}

#[test]
fn volumes_and_networks_of_the_file() {
    let text = "
name: fleet
services:
  web:
    image: app:1
    container_name: web
    volumes: ['data:/data:ro', {type: volume, source: theirs, target: /theirs}]
    networks: {front: {aliases: [www], ipv4_address: 172.28.0.9}, back: null}
  db: {image: db:1, networks: [back]}
volumes:
  data: {driver: local, driver_opts: {type: nfs}}
  theirs: {external: true, name: common}
  unused: {}
networks:
  front: {driver: bridge, ipam: {config: [{subnet: 172.28.0.0/16}]}, internal: true}
  back: {external: true}
";
    let project = parse(text);
    let web = &project.services["web"];
    assert_eq!((project.name.as_str(), web.container_name.as_str()), ("fleet", "web"));
    assert_eq!(web.volumes, ["common", "fleet_data"]);
    let host = web.configuration.container.host_config.clone().expect("it has one");
    assert_eq!(host.binds, Some(vec!["fleet_data:/data:ro".to_owned()]));
    let volumes: Vec<_> = project.volumes.iter().map(|(name, needed)| (name.as_str(), format!("{needed:?}"))).collect();
    assert_eq!(volumes, [("common", "External".to_owned()), ("fleet_data", "Made".to_owned())]);
    let networks: Vec<_> = web.configuration.networks.iter().map(|one| one.network.as_str()).collect();
    assert_eq!((networks.len(), networks.contains(&"fleet_front"), networks.contains(&"back")), (2, true, true));
    let front = web.configuration.networks.iter().find(|one| one.network == "fleet_front").expect("it is in it");
    assert_eq!(front.endpoint.aliases, Some(vec!["web".to_owned(), "www".to_owned()]));
    let Needed::Made(request) = &project.networks["fleet_front"] else { panic!("it is the file's own") };
    assert_eq!((request.internal, request.driver.as_deref()), (Some(true), Some("bridge")));
    let subnet =
        request.ipam.as_ref().and_then(|ipam| ipam.config.as_ref()).and_then(|config| config[0].subnet.clone());
    assert_eq!(subnet.as_deref(), Some("172.28.0.0/16"));
    assert_eq!(project.networks["back"], Needed::External);
}

#[test]
fn services_left_to_others() {
    let text =
        "services:\n  web: {image: app:1, depends_on: [db]}\n  db: {build: ., labels: {tidegate.enable: 'false'}}\n";
    let project = parse(text);
    assert_eq!(project.services.keys().collect::<Vec<_>>(), ["web"]);
    assert_eq!(project.order, ["web"]);
}

#[test]
fn variables_and_where_they_come_from() {
    let text = "services: {web: {image: 'app:${TAG}', user: $UID_, environment: [KEY, NONE], mem_limit: '${MEM:-1k}'}}";
    let dotenv = "TAG=1\nUID_=7\nKEY=from file\n";
    let project =
        parse_with(text, dotenv, &[("TAG", "2"), ("COMPOSE_PROJECT_NAME", "other")]).expect("it is well formed");
    let web = &project.services["web"];
    assert_eq!((project.name.as_str(), web.image.as_str()), ("other", "app:2"), "the process goes before the file");
    let container = &web.configuration.container;
    assert_eq!(container.user.as_deref(), Some("7"));
    assert_eq!(container.env, Some(vec!["KEY=from file".to_owned()]));
    assert_eq!(container.host_config.as_ref().and_then(|host| host.memory), Some(1024));
}

#[test]
fn anchors_and_merges() {
    let text = "
x-base: &base {restart: always, environment: {A: 1}}
services:
  web: {<<: *base, image: app:1}
";
    let container = parse(text).services["web"].configuration.container.clone();
    assert_eq!(container.env, Some(vec!["A=1".to_owned()]));
}

#[test]
fn files_beside_it_are_read() {
    let folder = std::env::temp_dir().join(format!("tidegate-compose-{}", uuid::Uuid::now_v7()));
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("the file can be written");
    write(".env", "TAG=3\n");
    write("web.env", "A=file\nB=file\n");
    write("compose.yaml", "services: {web: {image: 'app:$TAG', env_file: web.env, environment: {B: own}}}");
    let project = read(&folder.join("compose.yaml"), &Variables::new()).expect("it is well formed");
    let web = &project.services["web"];
    assert_eq!(web.image, "app:3");
    assert_eq!(web.configuration.container.env, Some(vec!["A=file".to_owned(), "B=own".to_owned()]));
    let missing = read(&folder.join("none.yaml"), &Variables::new()).expect_err("it is not there");
    assert!(missing.to_string().contains("none.yaml"), "{missing}");
    std::fs::remove_dir_all(folder).expect("it is there");
}
