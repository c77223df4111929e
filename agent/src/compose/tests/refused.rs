//! What a file cannot say, and how it is told.

use super::*;

fn mistakes(text: &str) -> Vec<String> {
    match parse_with(text, "", &[]) {
        Err(ComposeError::Mistakes { mistakes, .. }) => mistakes,
        Err(other) => panic!("{other}"),
        Ok(_) => Vec::new(),
    }
}

#[test]
fn what_is_not_done_is_refused_by_name() {
    let cases: &[(&str, &[&str])] = &[
        ("build: .", &["services.web.build: not supported; images are built elsewhere"]),
        ("colour: red", &["services.web.colour: not supported; leave it out"]),
        ("x-note: {any: thing, with: $nothing}", &[]),
        ("secrets: [s]\nlinks: [db]", &["services.web.links: not supported", "services.web.secrets: not supported"]),
        ("deploy: {replicas: 2}", &["services.web.deploy.replicas: not supported"]),
        ("deploy: {placement: {}}", &["services.web.deploy.placement: not supported"]),
        (
            "deploy: {resources: {limits: {devices: []}}}",
            &["services.web.deploy.resources.limits.devices: not supported"],
        ),
        (
            "mem_limit: 1g\ndeploy: {resources: {limits: {memory: 2g}}}",
            &["services.web.deploy.resources.limits.memory"],
        ),
        ("ports: [{target: 80, name: web}]", &["services.web.ports[0].name: not supported"]),
        (
            "ports: [80:x, 8080:80/icmp]",
            &["services.web.ports[0]: expected a port", "services.web.ports[1]: expected tcp"],
        ),
        ("volumes: ['data:/data']", &["services.web.volumes[0]: there is no volume data"]),
        ("volumes: ['./x:data']", &["services.web.volumes[0]: expected a target from /"]),
        ("volumes: ['./x:/x:quick']", &["services.web.volumes[0]: expected ro"]),
        ("volumes: ['~/x:/x']", &["services.web.volumes[0]: expected a path"]),
        ("volumes: [{type: npipe, source: a, target: /a}]", &["services.web.volumes[0]: type: expected bind"]),
        (
            "volumes: [{type: bind, source: a, target: /a, colour: red}]",
            &["services.web.volumes[0]: not supported; unknown field `colour`"],
        ),
        ("networks: [front]", &["services.web.networks: there is no network front"]),
        (
            "networks: {default: {mac_address: x}}",
            &["services.web.networks.default: not supported; unknown field `mac_address`"],
        ),
        ("network_mode: host\nnetworks: [default]", &["services.web.network_mode: goes without networks"]),
        ("network_mode: service:vpn", &["services.web.network_mode: service:vpn: not supported"]),
        ("restart: sometimes", &["services.web.restart: expected no, always"]),
        ("ulimits: {nofile: {soft: 1, hard: 2, firm: 3}}", &["services.web.ulimits.nofile.firm: not supported"]),
        (
            "depends_on: {web: {condition: service_started, required: false}}",
            &["services.web.depends_on.web.required: not supported", "services.web.depends_on: a circle"],
        ),
        ("mem_limit: much", &["services.web.mem_limit: expected a size"]),
        ("privileged: perhaps", &["services.web.privileged: expected true or false"]),
        ("stop_grace_period: 10", &["services.web.stop_grace_period: expected a duration"]),
        ("healthcheck: {test: [wget]}", &["services.web.healthcheck.test: expected CMD"]),
        ("healthcheck: {every: 5s}", &["services.web.healthcheck: not supported; unknown field `every`"]),
        ("command: 'a \"b'", &["services.web.command: expected a command whose quotes are closed"]),
        ("devices: [i2c]", &["services.web.devices: expected /dev/x"]),
        ("container_name: web.tidegate-next", &["services.web.container_name: names with .tidegate-"]),
        ("depends_on: [db]", &["services.web.depends_on: there is no service db"]),
        (
            "depends_on: {web2: {condition: service_healthy}}",
            &[
                "services.web.depends_on.web2.condition: not supported",
                "services.web.depends_on: there is no service web2",
            ],
        ),
        ("image: App:1", &[]),
        (
            "labels: {tidegate.update-strategy: green}",
            &["services.web.labels.tidegate.update-strategy: expected recreate"],
        ),
        ("labels: {tidegate.strategy: recreate}", &["services.web.labels.tidegate.strategy: not supported"]),
        ("labels: [tidegate.enable=maybe]", &["services.web.labels.tidegate.enable: expected true or false"]),
        ("env_file: none.env", &["services.web.env_file: none.env: "]),
        ("env_file: [{path: none.env, required: false}]", &[]),
        ("environment: {A: '${NONE}'}", &["services.web.environment.A: NONE is not set"]),
    ];
    for (lines, expected) in cases {
        // A second image would be a second key: that case is about the reference.
        let text = service(lines);
        if lines.starts_with("image") {
            let text = text.replacen("    image: app:1\n", "", 1);
            assert!(mistakes(&text).iter().any(|mistake| mistake.starts_with("services.web.image: ")), "{lines}");
            continue;
        }
        let found = mistakes(&text);
        assert_eq!(found.len(), expected.len(), "{lines}: {found:?}");
        for expected in *expected {
            assert!(found.iter().any(|mistake| mistake.starts_with(expected)), "{lines}: {found:?}");
        }
    }
}

#[test]
fn all_mistakes_at_once_with_the_file() {
    let text = "include: [a]\nservices: {a: {build: .}, b: {image: app:1, scale: 2}}\nsecrets: {s: {}}";
    let error = parse_with(text, "", &[]).expect_err("it is wrong").to_string();
    let lines: Vec<&str> = error.lines().collect();
    assert_eq!(lines.len(), 5, "{error}");
    assert!(lines.iter().all(|line| line.starts_with("/srv/shop/compose.yaml: ")), "{error}");
    for expected in
        ["include: not", "secrets: not", "services.a.build: not", "services.a.image: exp", "services.b.scale: not"]
    {
        assert!(lines.iter().any(|line| line.contains(expected)), "{expected}: {error}");
    }
}

#[test]
fn what_is_no_yaml_has_a_line_and_a_column() {
    for (label, text, place) in [
        ("a tab", "services:\n\tweb: {}\n", ":2:"),
        ("an open list", "services:\n  web: [a\n", ":2:8:"),
        ("a key twice", "services:\n  web: {image: a}\n  web: {image: b}\n", ":3:"),
    ] {
        let error = parse_with(text, "", &[]).expect_err(label);
        assert!(matches!(error, ComposeError::NotYaml { .. }), "{label}: {error}");
        assert!(error.to_string().starts_with(&format!("{FILE}{place}")), "{label}: {error}");
    }
}

#[test]
fn blue_green_needs_room_for_two() {
    let cases = [
        ("no port", "", None),
        ("a range", "ports: ['8080-8081:80']", None),
        ("any port", "ports: [80]", None),
        ("a fixed port", "ports: ['8080:80']", Some("host port 8080")),
        ("the host's network", "network_mode: host", Some("network mode host")),
        ("a static address", "networks: {default: {ipv4_address: 10.1.1.1}}", Some("static address")),
    ];
    for (label, lines, expected) in cases {
        let text = service(&format!("labels: {{tidegate.update-strategy: blue-green}}\n{lines}"));
        let found = mistakes(&text);
        assert_eq!(found.is_empty(), expected.is_none(), "{label}: {found:?}");
        if let Some(expected) = expected {
            assert!(found[0].starts_with("services.web.labels.tidegate.update-strategy: "), "{label}: {found:?}");
            assert!(found[0].contains(expected) && found[0].contains("recreate"), "{label}: {found:?}");
        } else {
            assert_eq!(parse(&text).services["web"].strategy, Strategy::BlueGreen, "{label}");
        }
    }
}

#[test]
fn names_that_cannot_be() {
    let twice = "services: {a: {image: x, container_name: same}, b: {image: x, container_name: same}}";
    assert_eq!(mistakes(twice), ["services.b.container_name: same is a's container already"]);
    assert_eq!(mistakes("name: My Shop\nservices: {a: {image: x}}").len(), 1);
    assert_eq!(mistakes("services: {}"), ["services: expected at least one service"]);
}
